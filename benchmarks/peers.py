#!/usr/bin/env python3
"""What else a user would pick, beside hyperslab: the cases of side_by_side.py read by other libraries, in turn, in one run.

    .venv/bin/python benchmarks/peers.py [--repeat 5] [--json OUT] [CASE ...]

Python: h5py, pyfive, and zarr and tensorstore on a copy of the data as Zarr 3, with chunks of the same shape; where there is no
copy worth its name (a virtual dataset, a million chunks) they have no figure. Rust: hdf5-metno, with a libhdf5 of its own, and
rust-hdf5, once `cargo build --release` was run in benchmarks/peers. A peer that cannot do a case is named with its reason.
"""
import argparse
import importlib.metadata
import importlib.util
import json
import mmap
import os
import shutil
import subprocess
import tempfile
import time

import h5py
import numpy as np

import side_by_side
from side_by_side import common

PROGRAM = os.path.join(common.ROOT, 'benchmarks', 'peers', 'target', 'release', 'peers')


def is_mapped(array):
    """Whether the elements of an array are still in a file."""
    while array is not None and not isinstance(array, (np.memmap, mmap.mmap)):
        array = getattr(array, 'base', getattr(array, 'obj', None))
    return array is not None


class InPython:
    """A library that opens a file and slices what it finds there."""

    def __init__(self, name, opened):
        self.name, self.opened = name, opened

    def read(self, case, file):
        start = time.perf_counter()
        got = self.opened(case, file)
        if is_mapped(got):
            # It was not read yet.
            got = np.array(got)
        seconds = time.perf_counter() - start
        return seconds, int(np.ascontiguousarray(got).reshape(-1).view('<u8').sum(dtype='u8'))

    def version(self):
        return importlib.metadata.version(self.name)


def by_h5py(case, file):
    with h5py.File(file, 'r') as f:
        return f[case.path][case.at]


def by_pyfive(case, file):
    import pyfive
    with pyfive.File(file) as f:
        return f[case.path][case.at]


def zarr_copy(case, file):
    """The data as a Zarr 3 array beside the file; made once."""
    import zarr
    folder = file + '.zarr'
    if not os.path.exists(folder):
        with h5py.File(file, 'r') as f:
            data = f[case.path]
            if data.is_virtual or data.chunks and np.prod([-(-n // c) for n, c in zip(data.shape, data.chunks)]) > 10_000:
                raise NotImplementedError('not converted')
            codecs = [zarr.codecs.GzipCodec(level=4)] if data.compression == 'gzip' else None
            chunks = data.chunks or (1 << 19, ) * (data.ndim == 1) or (1, *data.shape[1:])
            copy = zarr.create_array(folder, shape=data.shape, chunks=chunks, dtype=data.dtype, compressors=codecs)
            copy[...] = data[...]
    return folder


def by_zarr(case, file):
    import zarr
    return zarr.open_array(file + '.zarr', mode='r')[case.at or ...]


def by_tensorstore(case, file):
    import tensorstore
    spec = {'driver': 'zarr3', 'kvstore': {'driver': 'file', 'path': file + '.zarr'}}
    return tensorstore.open(spec, read=True).result()[case.at or ...].read().result()


class InRust:
    """A program that reads what a line asks for; see the example time_read."""

    def __init__(self, name, *command):
        self.name, self.command, self.process = name, command, None

    def read(self, case, file):
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write('%s\t%s\t%s\n' % (file, case.path, ','.join('%d:%d' % (s.start, s.stop) for s in case.at)))
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer or answer.startswith('error'):
            raise RuntimeError(answer.strip().removeprefix('error ') or 'ended')
        seconds, total = answer.split()[:2]
        return float(seconds), int(total)

    def version(self):
        return ''


def peers():
    found = [InRust('hyperslab', common.TIMER), InPython('h5py', by_h5py)]
    if os.path.exists(PROGRAM):
        found += [InRust(name, PROGRAM, name) for name in ('hdf5-metno', 'rust-hdf5')]
    for name, opened in (('pyfive', by_pyfive), ('zarr', by_zarr), ('tensorstore', by_tensorstore)):
        if importlib.util.find_spec(name):
            found.append(InPython(name, opened))
    return found


def first_look(peer, case, file, expected):
    """Why a peer has no figure for a case, or nothing."""
    try:
        if peer.name in ('zarr', 'tensorstore'):
            zarr_copy(case, file)
        if peer.read(case, file)[1] != expected:
            return 'read other values'
    except Exception as error:  # whatever a library raises is its reason
        return str(error)[:100] or type(error).__name__
    return None


def measure(case, repeat, seconds):
    """Medians by peer, in seconds, and reasons by peer that has none."""
    folder = tempfile.mkdtemp(prefix='hyperslab-bench-', dir=common.temporary())
    samples, reasons, running = {}, {}, []
    try:
        file = case.make(folder)
        expected = InPython('h5py', by_h5py).read(case, file)[1]
        for peer in peers():
            reason = first_look(peer, case, file, expected)
            if reason:
                reasons[peer.name] = reason
            else:
                running.append(peer)
        start = time.monotonic()
        for _ in range(repeat):
            for peer in running:
                samples.setdefault(peer.name, []).append(peer.read(case, file)[0])
            if time.monotonic() - start > seconds:
                break
    finally:
        shutil.rmtree(folder)
    return {name: float(np.median(all)) for name, all in samples.items()}, reasons


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('cases', nargs='*', metavar='CASE')
    parser.add_argument('--repeat', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=60, help='begin no further round of a case after this long')
    parser.add_argument('--json')
    arguments = parser.parse_args()
    common.need('peers', common.TIMER)
    rows = []
    for name in arguments.cases or side_by_side.CASES:
        case = side_by_side.CASES[name]()
        medians, reasons = measure(case, arguments.repeat, arguments.seconds)
        rows.append(dict(case=name, what=case.__doc__, seconds=medians, reasons=reasons))
        print(name, case.__doc__)
        for peer, median in sorted(medians.items(), key=lambda pair: pair[1]):
            print('  %-12s %9.1f ms %7.1fx' % (peer, median * 1e3, median / medians['hyperslab']))
        for peer, reason in reasons.items():
            print('  %-12s %s' % (peer, reason), flush=True)
    if arguments.json:
        versions = {peer.name: peer.version() for peer in peers()}
        with open(arguments.json, 'w') as out:
            json.dump(dict(rows=rows, versions=versions), out, indent=1)


if __name__ == '__main__':
    main()
