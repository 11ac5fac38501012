#!/usr/bin/env python3
"""Writers of h5py are killed; `hyperslab recover` and `clear` bring back all they had flushed, and h5py reads it.

    recover.py [--rounds 3] [--seed 1]

Live writers (SWMR) with datasets of every chunk index, filtered and not, and plain ones that had flushed. Before that,
the file is refused while its writer lives, and `--dry-run` changes nothing; afterwards h5py opens it to read and to
write, and closing it cuts nothing off. Broken chunks and files without their end are told.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import common

COLUMNS = 32
# Name, chunk, maximal shape, filters.
DATASETS = {
    'ea1': ((1, COLUMNS), (None, COLUMNS), {}),
    'ea8': ((8, COLUMNS), (None, COLUMNS), {}),
    'eaz': ((1, COLUMNS), (None, COLUMNS), {'compression': 'gzip', 'fletcher32': True}),
    'b2': ((1, COLUMNS), (None, None), {}),
    'fa': ((4, COLUMNS), (4000, COLUMNS), {}),
}


def rows(start, stop):
    return (7 * np.arange(COLUMNS) + 13 * np.arange(start, stop)[:, None] + 1).astype('u4')


def writer(path, mode):
    """Appends rows for ever, and says which it has flushed."""
    bounds = {'live': 'latest', 'plain': 'latest', 'old': 'earliest'}[mode]
    with h5py.File(path, 'w', libver=bounds) as file:
        deep = file.create_group('a/b/c')
        sets = [deep.create_dataset(name, (0, COLUMNS), 'u4', chunks=chunk, maxshape=most, **filters)
                for name, (chunk, most, filters) in DATASETS.items()]
        for n in range(20):
            deep.attrs['attribute %d' % n] = 'text %d' % n
            file.create_group('many/%d' % n)
        file['words'] = np.array(['word %d' % n for n in range(300)], dtype=h5py.string_dtype())
        file['fixed'] = np.arange(5000)
        file['region'] = np.array([file['fixed'].regionref[10:20]], dtype=h5py.regionref_dtype)
        file['alias'] = deep
        file.flush()
        if mode == 'live':
            file.swmr_mode = True
        for n in range(4000):
            for data in sets:
                data.resize(n + 1, axis=0)
                data[n] = rows(n, n + 1)
                if mode == 'live':
                    data.flush()
            if mode != 'live' and n % 16 == 15:
                file.flush()
            if mode == 'live' or n % 16 == 15:
                print(n + 1, flush=True)
        time.sleep(10 ** 4)


def killed(path, mode, after, check=None):
    """The file of a writer that was killed, and how many rows it had flushed."""
    process = subprocess.Popen([sys.executable, __file__, '--writer', path, mode], stdout=subprocess.PIPE, text=True)
    flushed = 0
    for line in process.stdout:
        flushed = int(line)
        if flushed >= after:
            break
    if check:
        check()
    process.send_signal(signal.SIGKILL)
    flushed = max([flushed] + [int(line) for line in process.stdout.read().split()[:-1]])
    process.wait()
    return flushed


def command(*arguments):
    code, out, err = common.run([common.COMMAND, *arguments], timeout=120)
    return code, out.decode(), err.decode()


def content(path):
    with open(path, 'rb') as file:
        return file.read()


class Check:
    def __init__(self, folder):
        self.folder, self.passed, self.failures, self.count = folder, 0, [], 0

    def path(self):
        self.count += 1
        return os.path.join(self.folder, '%d.h5' % self.count)

    def expect(self, what, truth, more=''):
        if truth:
            self.passed += 1
        else:
            self.failures.append('%s %s' % (what, more))

    def readable(self, what, path, flushed, live):
        """h5py reads all that was flushed, opens the file to write, and afterwards reads it still."""
        try:
            for mode in ('r', 'r+', 'r'):
                with h5py.File(path, mode) as file:
                    for name in DATASETS:
                        data = file['a/b/c'][name]
                        least = flushed if live or len(data) else 0
                        self.expect('%s: rows of %s' % (what, name), len(data) >= least, '%d, flushed %d' % (len(data), least))
                        got = data[:flushed]
                        self.expect('%s: %s' % (what, name), np.array_equal(got, rows(0, len(got))))
                    self.expect(what + ': words', file['words'][299] == b'word 299')
                    self.expect(what + ': region', file[file['region'][0]].shape == (5000,))
                    self.expect(what + ': attributes', len(file['a/b/c'].attrs) == 20)
        except (OSError, RuntimeError, KeyError) as error:
            self.failures.append('%s: %s' % (what, error))

    def alive(self, path):
        """While the writer lives the file is left alone."""
        for arguments in (['recover'], ['recover', '--dry-run'], ['clear', '-s']):
            code, _, err = command(*arguments, path)
            self.expect('%s of a live file' % ' '.join(arguments), code == 1 and 'open to write' in err, err)
        code, out, err = command('status', '--json', '--quick', path)
        told = json.loads(out) if code == 0 else {}
        self.expect('status of a live file', told.get('flags') == 5 and not told['orphan'], err)
        self.expect('its writer is named', any(holder['writes'] for holder in told.get('holders', [])))


def live(check, after):
    path = check.path()
    flushed = killed(path, 'live', after, lambda: check.alive(path))
    what = 'live, killed after %d' % flushed
    orphan = json.loads(command('status', '--json', path)[1] or '{}')
    check.expect(what + ': status', orphan.get('orphan') and orphan['reach'] <= orphan['size'], orphan)
    cleared, torn, raised = (path + end for end in ('.cleared', '.torn', '.raised'))
    for copy in (cleared, torn, raised):
        shutil.copy(path, copy)
    before = content(path)
    code, out, err = command('recover', '--dry-run', path)
    check.expect(what + ': dry run', code == 0 and 'would be' in out and content(path) == before, err)
    code, out, err = command('recover', path)
    check.expect(what + ': recover', code == 0 and 'whole again' in out, out + err)
    check.readable(what, path, flushed, True)
    code, out, err = command('recover', path)
    check.expect(what + ': again', code == 0 and 'as it should be' in out, out + err)
    code, _, err = command('clear', '-s', cleared)
    check.expect(what + ': clear', code == 0, err)
    check.readable(what + ', cleared', cleared, flushed, True)
    code, _, err = command('clear', '-s', '--increment=100', raised)
    check.expect(what + ': clear', code == 0 and os.path.getsize(raised) == len(before) + 100, err)
    check.readable(what + ', raised', raised, flushed, True)
    broken(check, what, torn)


def broken(check, what, path):
    """A chunk whose filter fails is told, and nothing at the end is given up."""
    with h5py.File(path, 'r', swmr=True) as file:
        data = file['a/b/c/eaz']
        chunk = data.id.get_chunk_info(data.id.get_num_chunks() - 1)
    with open(path, 'r+b') as file:
        file.seek(chunk.byte_offset)
        file.write(bytes(chunk.size))
        file.seek(0, 2)
        file.write(b'tail')
    size = os.path.getsize(path)
    code, out, err = command('recover', path)
    check.expect(what + ': broken chunk', code == 1 and '/eaz: ' in out, out + err)
    check.expect(what + ': the end stays', os.path.getsize(path) == size)


def plain(check, mode, after):
    path = check.path()
    flushed = killed(path, mode, after)
    what = '%s, killed after %d' % (mode, flushed)
    code, out, err = command('recover', path)
    check.expect(what + ': recover', code == 0, out + err)
    check.readable(what, path, flushed, False)


def tail(check):
    """What nothing leads to goes, or stays when that is wished."""
    for keep in (False, True):
        path = check.path()
        with h5py.File(path, 'w', libver='latest') as file:
            file['d'] = np.arange(100)
        size = os.path.getsize(path)
        with open(path, 'ab') as file:
            file.write(bytes(1000))
        code, out, err = command('recover', *(['--keep-tail'] if keep else []), path)
        check.expect('tail kept: %s' % keep, code == 0 and os.path.getsize(path) == size + 1000 * keep, out + err)
    path = check.path()
    with h5py.File(path, 'w', libver='latest') as file:
        file.create_dataset('d', data=np.arange(1000).reshape(100, 10), chunks=(10, 10))
    with open(path, 'r+b') as file:
        file.truncate(os.path.getsize(path) - 100)
    code, out, err = command('recover', path)
    check.expect('a file without its end', code == 1 and 'behind the end' in out, out + err)


def main():
    if sys.argv[1:2] == ['--writer']:
        return writer(*sys.argv[2:4])
    parser = argparse.ArgumentParser()
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seed', type=int, default=1)
    arguments = parser.parse_args()
    common.need('recover', common.COMMAND)
    pick = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(dir=common.temporary()) as folder:
        check = Check(folder)
        for _ in range(arguments.rounds):
            live(check, pick.randrange(1, 400))
            for mode in ('plain', 'old'):
                plain(check, mode, pick.randrange(16, 400))
        tail(check)
    common.finish('recover', check.passed, check.failures)


if __name__ == '__main__':
    main()
