#!/usr/bin/env python3
"""The same writing by hyperslab and by h5py, in turn, in one run: medians and their ratio.

    .venv/bin/python benchmarks/writing.py [--repeat 5] [CASE ...]

A sample is: make the file, write, close; `open` reads what `many` wrote. The two take turns, so that both see the same machine.
Files are written below /dev/shm and removed afterwards; h5py checks what hyperslab wrote. Needs `cargo build --release --examples`.
Exit status 1 when a case misses its goal.
"""
import argparse
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


def counts(number):
    """Counts as a detector gives them: mostly small numbers."""
    rng = np.random.default_rng(1)
    bits = rng.integers(1, 1 << 16, number, dtype='u2')
    return (16 - np.ceil(np.log2(bits)).astype('u2')) + (bits & 1)


class Many:
    """10,000 small datasets with two attributes each, created"""
    goal, number = 20, 10_000

    def theirs(self, path):
        data = np.arange(10.)
        start = time.perf_counter()
        with h5py.File(path, 'w') as f:
            g = f.create_group('many')
            for i in range(self.number):
                d = g.create_dataset('d%06d' % i, data=data)
                d.attrs['gain'] = 1.5
                d.attrs['offset'] = i
        return time.perf_counter() - start

    def check(self, path):
        with h5py.File(path) as f:
            d = f['many/d%06d' % (self.number - 1)]
            return len(f['many']) == self.number and d[9] == 9 and d.attrs['offset'] == self.number - 1


class Open(Many):
    """each of them opened by path, then walked with attributes"""
    makes = 'many'

    def theirs(self, path):
        start = time.perf_counter()
        with h5py.File(path, 'r') as f:
            total = sum(len(f['/many/d%06d' % i].shape) for i in range(self.number))
            total += sum(len(dict(d.attrs)) for d in f['many'].values())
        assert total == 3 * self.number
        return time.perf_counter() - start


class Gzip:
    """256 MiB of u2, shuffle and gzip 4"""
    goal, number = 1.8, 256

    def theirs(self, path):
        if not hasattr(self, 'data'):
            self.data = counts(self.number << 19).reshape(-1, 512, 512)
        start = time.perf_counter()
        with h5py.File(path, 'w') as f:
            f.create_dataset('data', data=self.data, chunks=(1, 512, 512), shuffle=True, compression='gzip', compression_opts=4)
        return time.perf_counter() - start

    def check(self, path):
        with h5py.File(path) as f:
            d = f['data']
            return d.shape == (512, 512, 512) and d[511].any() and d.compression == 'gzip'


class Contiguous(Gzip):
    """512 MiB of u2 in one run"""
    goal, number = 1, 512

    def theirs(self, path):
        if not hasattr(self, 'data'):
            self.data = counts(self.number << 19)
        start = time.perf_counter()
        with h5py.File(path, 'w') as f:
            f['data'] = self.data
        return time.perf_counter() - start

    def check(self, path):
        with h5py.File(path) as f:
            return f['data'].shape == (self.number << 19,) and f['data'][-9:].any()


class Mappings:
    """a virtual dataset of 100,000 mappings"""
    goal, number, once = 10, 100_000, True

    def theirs(self, path):
        start = time.perf_counter()
        layout = h5py.VirtualLayout((self.number, 100), 'u2')
        for row in range(self.number):
            layout[row] = h5py.VirtualSource('source%04d.h5' % (row // 100), 'data%d' % (row % 100), (100,))
        with h5py.File(path, 'w', libver='latest') as f:
            f.create_virtual_dataset('data', layout)
        return time.perf_counter() - start

    def check(self, path):
        with h5py.File(path) as f:
            return f['data'].shape == (self.number, 100) and len(f['data'].virtual_sources()) == self.number


CASES = dict(many=Many, open=Open, gzip=Gzip, contiguous=Contiguous, mappings=Mappings)


class Ours:
    def __init__(self):
        program = os.path.join(os.path.dirname(common.TIMER), 'time_write')
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, case, path, number):
        self.process.stdin.write('%s\t%s\t%d\n' % (case, path, number))
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer or answer.startswith('error'):
            raise RuntimeError('hyperslab: ' + (answer.strip() or 'ended'))
        return float(answer)


def measure(name, case, ours, repeat):
    """Medians of both, in seconds."""
    folder = tempfile.mkdtemp(prefix='hyperslab-bench-', dir=common.temporary())
    mine, other = os.path.join(folder, 'ours.h5'), os.path.join(folder, 'theirs.h5')
    try:
        if hasattr(case, 'makes'):
            ours.run(case.makes, mine, case.number)
            shutil.copy(mine, other)
        samples = ([], [])
        for at in range(1 if hasattr(case, 'once') else repeat):
            samples[0].append(ours.run(name, mine, case.number))
            samples[1].append(case.theirs(other))
        if not case.check(mine):
            raise RuntimeError('h5py finds something else in what hyperslab wrote')
    finally:
        shutil.rmtree(folder)
    return statistics.median(samples[0]), statistics.median(samples[1])


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('cases', nargs='*', metavar='CASE', help=', '.join(CASES))
    ap.add_argument('--repeat', type=int, default=3)
    a = ap.parse_args()
    common.need('writing', common.TIMER)
    ours, table = Ours(), Table()
    for name in a.cases or CASES:
        case = CASES[name]()
        try:
            mine, other = measure(name, case, ours, a.repeat)
        except RuntimeError as e:
            table.fail(name, e)
            ours = Ours()
            continue
        table.add(name, case, mine, other)
    sys.exit(1 if table.missed else 0)


if __name__ == '__main__':
    main()
