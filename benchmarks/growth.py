#!/usr/bin/env python3
"""How the cost of something grows with how much of it there is: curves, each with the slope of its logarithms.

    growth.py [--most N] [--json FILE] [CURVE ...]

A curve is measured at powers of ten, up to N or what its kind is good for; a point is the least of several repetitions, in
seconds of the processor, but those over threads on the clock. What handles all of something grows in proportion to it, a
slope of 1; what finds one of many hardly grows. A slope beyond that is a defect, and the exit status is 1. Needs the module
`hyperslab`. FILE gets a list of {"name", "points": [[n, seconds], ...], "slope", "most"}.
"""
import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

import hyperslab

# Sorting, and memory that no cache holds, are somewhat above 1; what threads bring depends on who else is there.
LINEAR, LOOKUP, THREADS = 1.25, 0.35, math.inf
# Costs below this are those of whatever else a program does, and tell nothing of growth.
LEAST = 2e-4


def clock(work, clean=None, repeat=3):
    """The least seconds of the processor that `work` takes, and what it gave last."""
    best, found = math.inf, None
    for _ in range(repeat):
        if clean is not None:
            clean()
        start = time.process_time()
        found = work()
        best = min(best, time.process_time() - start)
    return best, found


def many(work, times):
    """The same for something short, `times` times over."""
    def each():
        for _ in range(times):
            work()
    return clock(each)[0] / times


def remove(path):
    if os.path.exists(path):
        os.remove(path)


class Mappings:
    """Mappings in one virtual dataset, each ten rows of a source."""
    most = 10**6

    def measure(self, folder, n):
        path = '%s/v%d.h5' % (folder, n)

        def make():
            layout = hyperslab.VirtualLayout((n * 10, 8), 'f4')
            source = hyperslab.VirtualSource('raw.h5', 'raw', shape=(n * 10, 8))
            for i in range(n):
                layout[i * 10:i * 10 + 10] = source[i * 10:i * 10 + 10]
            with hyperslab.File(path, 'w') as f:
                f.create_virtual_dataset('v', layout)

        def first():
            # A copy is another file, of which nothing is known yet.
            with hyperslab.File(path + '.copy', 'r') as f:
                return f['v'][n * 5, 0]

        raw = folder + '/raw.h5'
        if not os.path.exists(raw):
            with hyperslab.File(raw, 'w') as f:
                f.create_dataset('raw', (10 * self.most, 8), 'f4', chunks=(1000, 8))
        yield 'mappings made', LINEAR, clock(make, lambda: remove(path), 1 if n >= 10**5 else 3)[0]
        yield 'mappings opened, one element', LINEAR, clock(first, lambda: shutil.copy(path, path + '.copy'), 2)[0]
        with hyperslab.File(path, 'r') as f:
            v = f['v']
            v[n * 5, 0]
            yield 'one element of many mappings', LOOKUP, many(lambda: v[n * 5, 0], 200)
            yield 'all of many mappings', LINEAR, clock(lambda: v[()], None, 2)[0]
        remove(path)
        remove(path + '.copy')


class Chunks:
    """Chunks of 256 bytes in one dataset."""
    most = 10**6
    version, text = 'latest', 'fixed array'

    def measure(self, folder, n):
        path = '%s/c%d.h5' % (folder, n)
        data = np.arange(n * 64, dtype='u4')

        def write():
            with hyperslab.File(path, 'w', libver=self.version) as f:
                f.create_dataset('d', data=data, chunks=(64,))

        def first():
            with hyperslab.File(path, 'r') as f:
                return f['d'][n * 32]

        yield 'chunks written (%s)' % self.text, LINEAR, clock(write, lambda: remove(path), 2)[0]
        yield 'open, one of many chunks (%s)' % self.text, LOOKUP, many(first, 20)
        with hyperslab.File(path, 'r') as f:
            d = f['d']
            yield 'one of many chunks (%s)' % self.text, LOOKUP, many(lambda: d[n * 32], 200)
            yield 'many chunks read (%s)' % self.text, LINEAR, clock(lambda: d[()], None, 2)[0]
        remove(path)


class ChunksInTrees(Chunks):
    """The same under a B-tree of version 1."""
    version, text = 'earliest', 'B-tree 1'


class Sources:
    """Source files of one virtual dataset, 8 KiB each."""
    most = 10**4
    first = 1

    def measure(self, folder, n):
        there = '%s/s%d' % (folder, n)
        os.mkdir(there)
        layout = hyperslab.VirtualLayout((n, 1024), 'f8')
        for i in range(n):
            with hyperslab.File('%s/%d.h5' % (there, i), 'w') as f:
                f['d'] = np.full(1024, float(i))
            layout[i] = hyperslab.VirtualSource('%d.h5' % i, 'd', shape=(1024,))
        with hyperslab.File(there + '/v.h5', 'w') as f:
            f.create_virtual_dataset('v', layout)
        with hyperslab.File(there + '/v.h5', 'r') as f:
            start = time.process_time()
            f['v'][:, 0]
            yield 'sources, one element of each, first time', LINEAR, time.process_time() - start
            yield 'sources read', LINEAR, clock(lambda: f['v'][()])[0]
            yield 'one of many sources', LOOKUP, many(lambda: f['v'][n // 2, :8], 100)
        shutil.rmtree(there)


class Datasets:
    """Datasets in one group."""
    most = 10**6

    def measure(self, folder, n):
        path = '%s/g%d.h5' % (folder, n)

        def make():
            with hyperslab.File(path, 'w', libver='latest') as f:
                group = f.create_group('g')
                for i in range(n):
                    group.create_dataset('d%d' % i, data=np.int32(i))

        def one():
            with hyperslab.File(path, 'r') as f:
                return f['g/d%d' % (n // 2)][()]

        yield 'datasets made in a group', LINEAR, clock(make, lambda: remove(path), 1 if n >= 10**4 else 2)[0]
        yield 'open, one of many datasets', LOOKUP, many(one, 20)
        with hyperslab.File(path, 'r') as f:
            yield 'datasets of a group listed', LINEAR, clock(lambda: list(f['g']), None, 2)[0]
        remove(path)


class Threads:
    """Threads that read one gzip dataset of 64 MiB: every one beyond the first is to take some of the time away."""
    counts = (1, 2)

    CODE = '''
import sys, time, hyperslab
with hyperslab.File(sys.argv[1], 'r') as f:
    d = f['d']
    best = 1e9
    for _ in range(5):
        start = time.perf_counter(); d[()]; best = min(best, time.perf_counter() - start)
    print(best)
'''

    def measure(self, folder, n):
        path = folder + '/t.h5'
        if not os.path.exists(path):
            data = np.random.default_rng(0).poisson(3, (64, 512, 1024)).astype('u2')
            with hyperslab.File(path, 'w') as f:
                f.create_dataset('d', data=data, chunks=(1, 512, 1024), compression='gzip', shuffle=True)
        given = dict(os.environ, HYPERSLAB_THREADS=str(n))
        given['PYTHONPATH'] = os.pathsep.join(sys.path)
        told = subprocess.run([sys.executable, '-c', self.CODE, path], env=given, capture_output=True, text=True, check=True)
        yield 'gzip read by so many threads', THREADS, float(told.stdout)


CURVES = dict(mappings=Mappings, chunks=Chunks, chunks_in_trees=ChunksInTrees, sources=Sources, datasets=Datasets, threads=Threads)


def slope(points):
    """Of the logarithms, over the last two powers of ten, where constant costs no longer hide the growth."""
    counts, seconds = np.array(points, dtype=float).T
    late = (counts * 100 >= counts[-1]) & (seconds > 0)
    if late.sum() < 2 or seconds[late].max() < LEAST:
        return 0.0
    return float(np.polyfit(np.log(counts[late]), np.log(seconds[late]), 1)[0])


def curves(kind, most, folder):
    """What a kind of curve tells: points and bound by name."""
    found = {}
    last = min(most or 10**9, getattr(kind, 'most', 1))
    counts = getattr(kind, 'counts', None)
    for n in counts or [10**k for k in range(9) if getattr(kind, 'first', 100) <= 10**k <= last]:
        for name, bound, seconds in kind().measure(folder, n):
            found.setdefault(name, (bound, []))[1].append([n, seconds])
            print('  %-45s %9d  %.6f s' % (name, n, seconds), flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('curves', nargs='*', metavar='CURVE', help=', '.join(CURVES))
    parser.add_argument('--most', type=float, default=0, help='the largest count (default: what each kind is good for)')
    parser.add_argument('--json', metavar='FILE')
    args = parser.parse_args()
    series, steep = [], 0
    for kind in args.curves or CURVES:
        folder = tempfile.mkdtemp(prefix='hyperslab-growth-', dir='/dev/shm' if os.path.isdir('/dev/shm') else None)
        try:
            for name, (bound, points) in curves(CURVES[kind], args.most, folder).items():
                found = slope(points)
                series.append({'name': name, 'points': points, 'slope': found, 'most': bound if math.isfinite(bound) else None})
                steep += found > bound
                print('%-47s slope %5.2f, at most %.2f%s' % (name, found, bound, '' if found <= bound else '  TOO STEEP'))
        finally:
            shutil.rmtree(folder)
    if args.json:
        with open(args.json, 'w') as out:
            json.dump(series, out, indent=1)
    return 1 if steep else 0


if __name__ == '__main__':
    sys.exit(main())
