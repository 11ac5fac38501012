#!/usr/bin/env python3
"""Following live files by us and by h5py, in turn: what a refresh costs, reading all there is, and how soon a row is seen.

    benchmarks/following.py [--chunks 1000,100000,1000000] [--rounds 5]

Where both packages are installed. A row is a chunk, of two numbers; h5py makes the files. Visibility: rows of 1 KiB, a thousand
a second, from before one is appended until it is read in another process; h5py's reader polls, as it must, ours waits
(`wait`), or polls too. Each round asks both, one after the other; ratios are of medians: of seconds of the processor, all threads
together, and for visibility of the clock, which needs a machine for itself.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import hyperslab
import numpy as np

MODULES = {'h5py': h5py, 'hyperslab': hyperslab}
WRITER = '''
import sys, time
h5 = __import__(sys.argv[1])
import numpy as np
with h5.File(sys.argv[2], 'w', libver=('v110', 'v110')) as file:
    data = file.create_dataset('d', (0, 128), 'i8', maxshape=(None, 128), chunks=(1, 128))
    file.swmr_mode = True
    row = np.arange(128)
    print('ready', flush=True)
    sys.stdin.readline()
    begun = time.monotonic()
    for n in range(int(sys.argv[3])):
        time.sleep(max(0, begun + n / 1000 - time.monotonic()))
        row[0] = time.monotonic_ns()
        data.resize(n + 1, axis=0)
        data[n] = row
        data.flush()
'''


def made(folder, chunks):
    path = os.path.join(folder, '%d.h5' % chunks)
    with h5py.File(path, 'w', libver=('v110', 'v110')) as file:
        data = file.create_dataset('d', (chunks, 2), 'u8', maxshape=(None, 2), chunks=(1, 2))
        for first in range(0, chunks, 20000):
            last = min(chunks, first + 20000)
            data[first:last] = np.arange(2 * first, 2 * last, dtype='u8').reshape(-1, 2)
    return path


def seconds(work, times):
    """Of the processor, which others do not take away."""
    begun = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begun) / times


def following(h5, path, chunks):
    """Seconds of each."""
    with h5.File(path, 'r', swmr=True) as file:
        data = file['d']

        def last():
            data.refresh()
            assert data[chunks - 1, 0] == 2 * chunks - 2

        def whole():
            data.refresh()
            assert (data[...].ravel() == np.arange(2 * chunks, dtype='u8')).all()
        last()
        found = {'idle refresh': seconds(data.refresh, 300), 'refresh and last row': seconds(last, 200)}
        found['refresh and all'] = seconds(whole, 1)
        return found


def visibility(module, waits, folder, count):
    """Seconds from the append to the reader, of half the rows at most."""
    path = os.path.join(folder, 'seen.h5')
    writer = subprocess.Popen([sys.executable, '-c', WRITER, module, path, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    writer.stdout.readline()
    late, seen = [], 0
    with MODULES[module].File(path, 'r', swmr=True) as file:
        data = file['d']
        writer.stdin.write('go\n')
        writer.stdin.flush()
        while seen < count:
            if waits:
                data.wait(seen + 1, 10)
            else:
                data.refresh()
            rows = len(data)
            if rows > seen:
                found = data[seen:rows]
                now = time.monotonic_ns()
                late += [(now - stamp) / 1e9 for stamp in found[:, 0].tolist()]
                seen = rows
    writer.communicate()
    os.unlink(path)
    return statistics.median(late)


def told(what, theirs, ours):
    theirs, ours = statistics.median(theirs), statistics.median(ours)
    print('%-44s h5py %12.1f us, hyperslab %12.1f us: %6.1f times' % (what, theirs * 1e6, ours * 1e6, theirs / ours), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--chunks', default='1000,100000,1000000')
    parser.add_argument('--rounds', type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir='/dev/shm' if os.path.isdir('/dev/shm') else None) as folder:
        for chunks in map(int, arguments.chunks.split(',')):
            path = made(folder, chunks)
            found = [{name: following(h5, path, chunks) for name, h5 in MODULES.items()} for _ in range(arguments.rounds)]
            for what in found[0]['h5py']:
                told('%s, %d chunks' % (what, chunks), *([one[name][what] for one in found] for name in MODULES))
            os.unlink(path)
        for how, waits in (('waiting', True), ('polling', False)):
            pairs = [(visibility('h5py', False, folder, 1000), visibility('hyperslab', waits, folder, 1000)) for _ in range(arguments.rounds)]
            told('a row seen, hyperslab %s' % how, *zip(*pairs))


if __name__ == '__main__':
    main()
