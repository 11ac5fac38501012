#!/usr/bin/env python3
"""The same reads by hyperslab and by h5py, in turn, in one run: medians and their ratio.

    .venv/bin/python benchmarks/side_by_side.py [--repeat 5] [--seconds 60] [--json OUT] [CASE ...]

A sample is: open the file, read the slice into a fresh array, close. The two take turns, so that both see the same machine;
the page cache is warm for both, after one unmeasured round that also compares the bytes they read. Cases are written below
/dev/shm by h5py and removed afterwards. Needs `cargo build --release --examples`. Exit status 1 when a case misses its goal.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'conformance'))
import common  # noqa: E402
from table import Table  # noqa: E402


def frames(shape, kind, seed):
    """Counts as a detector gives them: mostly small numbers."""
    rng = np.random.default_rng(seed)
    return rng.poisson(3, int(np.prod(shape))).astype(kind).reshape(shape)


def virtual(folder, layout, shape, places):
    """A virtual dataset over files of frames of this shape, one for each place in the layout."""
    one = frames(shape, layout.dtype, 0)
    for i, place in enumerate(places):
        with h5py.File('%s/%d.h5' % (folder, i), 'w') as f:
            f.create_dataset('data', data=one + layout.dtype.type(i), chunks=(1, *shape[1:]))
        layout[place] = h5py.VirtualSource('%d.h5' % i, 'data', shape=shape)
    with h5py.File(folder + '/all.h5', 'w') as f:
        f.create_virtual_dataset('data', layout)
    return folder + '/all.h5'


class Modules:
    """16 detector modules (N,512,128) u4, stacked as (N,16,512,128): ds[:50], the shape of h5py#1597."""
    goal, path, at = 50, '/data', (slice(0, 50),)

    def make(self, folder):
        layout = h5py.VirtualLayout((100, 16, 512, 128), np.dtype('u4'))
        return virtual(folder, layout, (100, 512, 128), [np.s_[:, i] for i in range(16)])


class Interleaved:
    """4 files interleaved i::4, chunked u2 frames, read whole."""
    goal, path, at = 50, '/data', ()

    def make(self, folder):
        layout = h5py.VirtualLayout((256, 512, 512), np.dtype('u2'))
        return virtual(folder, layout, (64, 512, 512), [np.s_[i::4] for i in range(4)])


class Gzip:
    """shuffle + gzip, 256 MiB of u2 in chunks of 1 MiB, read whole."""
    goal, path, at = 3, '/data', ()

    def make(self, folder):
        with h5py.File(folder + '/a.h5', 'w') as f:
            d = f.create_dataset('data', (256, 512, 1024), 'u2', chunks=(1, 512, 1024),
                                 compression='gzip', compression_opts=4, shuffle=True)
            for i in range(0, 256, 32):
                d[i:i + 32] = frames((32, 512, 1024), 'u2', i)
        return folder + '/a.h5'


class ManyChunks:
    """1,000,000 chunks of 256 bytes (version 1 B-tree), read whole."""
    goal, path, at, libver = 10, '/data', (), 'earliest'

    def make(self, folder):
        with h5py.File(folder + '/a.h5', 'w', libver=self.libver) as f:
            f.create_dataset('data', data=np.arange(64_000_000, dtype='u4'), chunks=(64,))
        return folder + '/a.h5'


class ManyChunksLatest(ManyChunks):
    """1,000,000 chunks of 256 bytes (fixed array), read whole."""
    libver = 'latest'


class Contiguous:
    """contiguous 512 MiB of u2 into a fresh array."""
    goal, path, at = 1 / 1.1, '/data', ()

    def make(self, folder):
        with h5py.File(folder + '/a.h5', 'w') as f:
            f['data'] = np.arange(256 << 20, dtype='u2').reshape(256, 1024, 1024)
        return folder + '/a.h5'


CASES = dict(modules=Modules, interleaved=Interleaved, gzip=Gzip, chunks=ManyChunks, chunks_latest=ManyChunksLatest,
             contiguous=Contiguous)


class Ours:
    def __init__(self):
        self.process = subprocess.Popen([common.TIMER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self, file, path, at):
        text = ','.join('%d:%d' % (s.start, s.stop) for s in at)
        self.process.stdin.write('%s\t%s\t%s\n' % (file, path, text))
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer or answer.startswith('error'):
            raise RuntimeError('hyperslab: ' + (answer.strip() or 'ended'))
        seconds, total = answer.split()[:2]
        return float(seconds), int(total)


class Theirs:
    def read(self, file, path, at):
        start = time.perf_counter()
        with h5py.File(file, 'r') as f:
            got = f[path][at]
        seconds = time.perf_counter() - start
        return seconds, int(got.reshape(-1).view('<u8').sum(dtype='u8'))


def measure(case, ours, theirs, repeat, budget):
    """Medians of both, in seconds, and how many samples each had."""
    folder = tempfile.mkdtemp(prefix='hyperslab-bench-', dir=common.temporary())
    try:
        file = case.make(folder)
        first, second = ours.read(file, case.path, case.at), theirs.read(file, case.path, case.at)
        if first[1] != second[1]:
            raise RuntimeError('the two read different bytes')
        samples, start = ([], []), time.time()
        while len(samples[0]) < repeat and (len(samples[0]) < 2 or time.time() - start < budget):
            samples[0].append(ours.read(file, case.path, case.at)[0])
            samples[1].append(theirs.read(file, case.path, case.at)[0])
    finally:
        shutil.rmtree(folder)
    return statistics.median(samples[0]), statistics.median(samples[1]), len(samples[0])


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('cases', nargs='*', metavar='CASE', help=', '.join(CASES))
    ap.add_argument('--repeat', type=int, default=5)
    ap.add_argument('--seconds', type=float, default=60, help='begin no further round of a case after this long')
    ap.add_argument('--json')
    a = ap.parse_args()
    unknown = set(a.cases) - set(CASES)
    if unknown:
        ap.error('no case %s' % ', '.join(sorted(unknown)))
    common.need('side by side', common.TIMER)
    ours, theirs, report, table = Ours(), Theirs(), [], Table()
    for name in a.cases or CASES:
        case = CASES[name]()
        try:
            mine, other, rounds = measure(case, ours, theirs, a.repeat, a.seconds)
        except RuntimeError as e:
            table.fail(name, e)
            ours = Ours()
            continue
        ratio = table.add(name, case, mine, other)
        report.append(dict(case=name, hyperslab=mine, h5py=other, ratio=ratio, goal=case.goal, rounds=rounds))
    if a.json:
        with open(a.json, 'w') as f:
            json.dump(report, f, indent=1)
    sys.exit(1 if table.missed else 0)


if __name__ == '__main__':
    main()
