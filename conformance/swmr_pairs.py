#!/usr/bin/env python3
"""Pairs of a writer and a reader of live files, as the HDF Group tests its own, with hyperslab as the one or the other.

    swmr_pairs.py [--seconds 0.7] [--level 1] [--pair append,gzip,tree,change,sparse,planes]

Many datasets of records, on five levels; the second axis grows. `append`, `gzip` and `tree`: records are appended to any of
them, and what the reader sees last in a dataset is the record of that number. `change`: they become shorter as well.
`sparse`: records anywhere, counted in an attribute that is made while the file is live; what it counts is there.
`planes`: a cube grows by planes, each of its own number. --level 100 makes 3,100 datasets, as many as the originals.
"""
import argparse
import concurrent.futures
import os
import random
import subprocess
import sys
import tempfile
import time

import numpy as np

import common

RECORD = np.dtype([('rec_id', 'u8'), ('info', 'V150')])
SEED = 7


def names(level):
    """How many datasets each level has, and their names."""
    return [['%d-%04d' % (n, at) for at in range(level << n)] for n in range(5)]


def skeleton(h5, path, level, pair):
    most = (None, None) if pair in ('tree', 'sparse') else (1, None)
    options = {'compression': 'gzip', 'compression_opts': 1} if pair in ('gzip', 'tree') else {}
    file = h5.File(path, 'w', libver=('v110', 'v110'))
    if pair == 'planes':
        file.create_dataset('cube', (0, 32, 32), 'i2', maxshape=(None, 32, 32), chunks=(2, 16, 16))
    else:
        for name in sum(names(level), []):
            file.create_dataset(name, (1, 0), RECORD, maxshape=most, chunks=(1, 50), **options)
    return file


def record(number):
    return np.array([(number, b'\x5a' * 150)], RECORD)


def sequence(level):
    """Which record of which dataset is written next, the same for writer and reader."""
    pick, all_names = random.Random(SEED), names(level)
    while True:
        yield pick.choice(pick.choice(all_names)), pick.randrange(200)


def write(h5, path, pair, seconds, level):
    """Steps until the time is up; a flush for every twenty."""
    file = skeleton(h5, path, level, pair)
    file.swmr_mode = True
    print('live', flush=True)
    pick, steps, end = random.Random(SEED), 0, time.monotonic() + seconds
    all_names, written = names(level), sequence(level)
    while time.monotonic() < end:
        steps += 1
        if pair == 'planes':
            cube = file['cube']
            cube.resize(steps, axis=0)
            cube[steps - 1] = (steps - 1) % 30000
            cube.flush()
            continue
        if pair == 'sparse':
            name, number = next(written)
            data = file[name]
            if data.shape[1] == 0:
                data.resize((1, 200))
            data[0, number] = record(number)[0]
            data.flush()
            data.attrs['seq'] = np.uint64(steps)
            data.flush()
            continue
        data = file[pick.choice(pick.choice(all_names))]
        count = data.shape[1]
        if pair == 'change' and pick.random() < 0.4:
            data.resize((1, max(0, count - pick.randrange(30))))
        else:
            more = pick.randrange(1, 4)
            data.resize((1, count + more))
            data[0, count:] = np.concatenate([record(number) for number in range(count, count + more)])
        if steps % 20 == 0:
            file.flush()
    file.close()
    print(steps, flush=True)


def check(pair, data, seen):
    """What is wrong with what is last in a dataset, or nothing."""
    length = data.shape[0 if pair == 'planes' else 1]
    if length < seen.get(data.name, 0) and pair != 'change':
        return '%s became shorter: %d' % (data.name, length)
    seen[data.name] = length
    if not length:
        return None
    if pair == 'planes':
        plane = data[length - 1]
        return None if (plane == (length - 1) % 30000).all() else 'plane %d has %s' % (length - 1, np.unique(plane))
    try:
        found = data[0, length - 1]['rec_id']
    except OSError as error:
        # It was cut off after this reader looked at the shape: hyperslab says so, h5py gives the fill value.
        if pair == 'change' and 'was cut from' in str(error):
            return None
        raise
    if pair == 'change' and found == 0:
        return None
    return None if found == length - 1 else '%s: record %d says %d' % (data.name, length - 1, found)


def check_sparse(file, level):
    """Every record up to the number that its dataset counts is there."""
    counted, steps = {}, 0
    for name in sum(names(level), []):
        data = file[name]
        if 'seq' in data.attrs:
            counted[name] = int(data.attrs['seq'])
    records = {}
    for (name, number), steps in zip(sequence(level), range(1, max(counted.values(), default=0) + 1)):
        if steps <= counted.get(name, 0):
            records.setdefault(name, set()).add(number)
    for name, numbers in records.items():
        data = file[name]
        data.refresh()
        found = data[0, sorted(numbers)]['rec_id'] if data.shape[1] else []
        if list(found) != sorted(numbers):
            return '%s counts %d, and lacks records' % (name, counted[name])
    return None


def read(h5, path, pair, level):
    """Looks until it is told to end; opens the file anew now and then."""
    pick, seen, looks, all_names, wrong = random.Random(SEED + 1), {}, 0, names(level), None
    print('reads', flush=True)
    ended = False
    os.set_blocking(0, False)
    while not ended:
        ended = sys.stdin.buffer.read(1) == b''
        with h5.File(path, 'r', swmr=True) as file:
            if pair == 'sparse':
                wrong = check_sparse(file, level)
                looks += 1
            else:
                # Each once: of two handles on a dataset, libhdf5 2.0 refreshes neither as it should.
                some = {pick.choice(pick.choice(all_names)) for _ in range(20)}
                chosen = ['cube'] if pair == 'planes' else sum(all_names, []) if ended else sorted(some)
                for data in [file[name] for name in chosen]:
                    for _ in range(1 if ended else 5):
                        data.refresh()
                        wrong = check(pair, data, seen)
                        looks += 1
                        if wrong:
                            break
                    if wrong:
                        break
        if wrong:
            sys.exit(wrong)
    print(looks, sum(seen.values()), flush=True)


def program(*arguments):
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(pair, writer, reader, folder, seconds, level):
    """How the two programs ended."""
    path = os.path.join(folder, 'data.h5')
    writing = program('write', writer, path, pair, seconds, level)
    if writing.stdout.readline() != 'live\n':
        return 'the writer did not begin: %s' % writing.communicate()[1][-500:]
    reading = program('read', reader, path, pair, seconds, level)
    reading.stdout.readline()
    wrote, why = writing.communicate()
    looked, wrong = reading.communicate()
    print('  %s: %s wrote %s steps, %s looked %s' % (pair, writer, wrote.strip(), reader, looked.strip()), flush=True)
    if writing.returncode:
        return 'the writer: %s' % why[-500:]
    return 'the reader: %s' % wrong[-500:] if reading.returncode else None


def main():
    if sys.argv[1:2] in (['write'], ['read']):
        how, module, path, pair, seconds, level = sys.argv[1:7]
        h5 = __import__(module)
        return write(h5, path, pair, float(seconds), int(level)) if how == 'write' else read(h5, path, pair, int(level))
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=float, default=0.7)
    parser.add_argument('--level', type=int, default=1)
    parser.add_argument('--pair', default='append,gzip,tree,change,sparse,planes')
    arguments = parser.parse_args()
    ways = [('hyperslab', 'h5py'), ('h5py', 'hyperslab')]

    def one(pair, writer, reader):
        with tempfile.TemporaryDirectory(dir=common.temporary()) as folder:
            wrong = run(pair, writer, reader, folder, arguments.seconds, arguments.level)
        return wrong and '%s, %s writes, %s reads: %s' % (pair, writer, reader, wrong)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        work = [pool.submit(one, pair, *way) for pair in arguments.pair.split(',') for way in ways]
        failures = [found.result() for found in work if found.result()]
    common.finish('pairs', len(work) - len(failures), failures)


if __name__ == '__main__':
    main()
