#!/usr/bin/env python3
"""Random virtual layouts: written by h5py, modelled by numpy, read by hyperslab.

    layouts.py --n 2000 --seed 1 [--start I] [--keep]
    layouts.py --by h5py --n 200        checks the model itself: h5py reads the disjoint layouts

Layout number i of a seed is always the same. Even layouts have disjoint mappings, odd ones may overlap, where
the later mapping wins. Both sides of a mapping are regular hyperslabs with stride and block, or everything;
ranks and number types differ; sources stand in the same file, in another, in a chain of two virtual datasets,
or nowhere. Every fourth layout grows with its sources, which may be numbered and nested: see growing.py. Each layout
is read whole and by random slices. The model is built from numpy arrays alone.
"""
import argparse
import os
import random
import shutil
import struct
import subprocess
import tempfile

import numpy as np

import common
import growing

TYPES = ['i4', '<i8', '>i2', 'f4', 'f8', 'u1', '>f8', 'u2', '<u8']
PLAIN = ['i2', 'u1', 'f8', '>i4']


class Slab:
    """A regular hyperslab on every axis, as start, stride, count and block."""

    def __init__(self, axes):
        self.axes = axes

    def grid(self):
        """Indices for numpy: the open mesh of the selected positions."""
        return np.ix_(*[[start + c * stride + b for c in range(count) for b in range(block)]
                        for start, stride, count, block in self.axes])

    def space(self, shape):
        import h5py
        space = h5py.h5s.create_simple(shape)
        whole = all(a[0] == 0 and a[2] * a[3] == n and (a[2] == 1 or a[1] == a[3]) for a, n in zip(self.axes, shape))
        if not whole:
            start, stride, count, block = zip(*self.axes)
            space.select_hyperslab(start, count, stride, block)
        return space


def axis(rng, wanted, size):
    """A progression of blocks that selects `wanted` positions of an axis of `size`."""
    block = rng.choice([b for b in range(1, wanted + 1) if wanted % b == 0])
    count = wanted // block
    spare = size - wanted
    stride = block + (rng.randint(0, spare // (count - 1)) if count > 1 else rng.randint(0, 3))
    start = rng.randint(0, size - ((count - 1) * stride + block))
    return start, stride, count, block


class Layout:
    """One virtual dataset `v`, what it is made of, and what it should read as."""

    def __init__(self, rng, folder, number, overlap):
        import h5py
        self.h5py, self.rng, self.folder, self.number, self.overlap = h5py, rng, folder, number, overlap
        self.name = 'v%d.h5' % number
        rank = rng.randint(1, 4)
        self.shape = tuple(rng.randint(1, 10 if rank < 4 else 4) for _ in range(rank))
        self.type = rng.choice(TYPES)
        fill = rng.choice([None, 7, 100])
        self.model = np.full(self.shape, 0 if fill is None else fill, self.type)
        self.taken = np.zeros(self.shape, bool)
        self.creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        if fill is not None:
            self.creation.set_fill_value(np.array(fill, self.type))

    def write(self):
        h5py, rng = self.h5py, self.rng
        with h5py.File(os.path.join(self.folder, self.name), 'w', libver=rng.choice(['latest', ('v110', 'latest')])) as f:
            for k in range(rng.randint(1, 9)):
                self.map(f, k)
            if not self.taken.any():
                one = Slab([(0, 1, 1, 1)] * len(self.shape)).space(self.shape)
                self.creation.set_virtual(one, b'nowhere.h5', b'/x', h5py.h5s.create_simple((1,)))
            kind = h5py.h5t.py_create(np.dtype(self.type), logical=True)
            h5py.h5d.create(f.id, b'v', kind, h5py.h5s.create_simple(self.shape), self.creation)

    def map(self, f, k):
        rng = self.rng
        extents = [rng.randint(1, n) for n in self.shape]
        here = Slab([axis(rng, n, size) for n, size in zip(extents, self.shape)])
        at = here.grid()
        if not self.overlap and self.taken[at].any():
            return
        self.taken[at] = True
        if rng.random() < .3:                           # a source of one axis
            picked = [int(np.prod(extents))]
        elif rng.random() < .2:                         # axes of one element between the others
            picked = [n for e in extents for n in ((e, 1) if rng.random() < .3 else (e,))]
        else:
            picked = extents
        sizes = tuple(n + rng.randint(0, 5) for n in picked)
        there = Slab([axis(rng, n, size) for n, size in zip(picked, sizes)])
        kind = rng.choice([self.type, self.type, *PLAIN])
        data = np.array([rng.randint(0, 100) for _ in range(int(np.prod(sizes)))], kind).reshape(sizes)
        where = rng.choice(['same', 'same', 'other', 'other', 'nested', 'no file', 'no dataset'])
        file, dataset = self.source(f, k, where, data)
        self.creation.set_virtual(here.space(self.shape), file, dataset, there.space(sizes))
        if not where.startswith('no '):
            self.model[at] = data[there.grid()].astype(self.type).reshape(extents)

    def source(self, f, k, where, data):
        """Puts `data` where the mapping will look for it; the names of file and dataset there."""
        name = 's%d' % k
        if where == 'no file':
            return b'nowhere-%d.h5' % k, b'/' + name.encode()
        if where == 'no dataset':
            return b'.', b'/nothing'
        if where == 'same':
            self.store(f, name, data)
            return b'.', b'/' + name.encode()
        other = 'src%d-%d.h5' % (self.number, self.rng.randint(0, 1))
        with self.h5py.File(os.path.join(self.folder, other), 'a') as g:
            self.store(g, name, data)
            if where == 'nested':
                layout = self.h5py.VirtualLayout(data.shape, data.dtype)
                layout[...] = self.h5py.VirtualSource('.', '/' + name, data.shape)
                name = 'w%d' % k
                g.create_virtual_dataset(name, layout)
        return other.encode(), b'/' + name.encode()

    def store(self, f, name, data):
        more = {}
        if self.rng.random() < .4:
            more = dict(chunks=tuple(max(1, n // 2) for n in data.shape), compression=self.rng.choice([None, 'gzip']))
        f.create_dataset(name, data=data, track_times=False, **more)

    def slices(self):
        yield tuple(slice(0, n, 1) for n in self.shape)
        for _ in range(6):
            starts = [self.rng.randint(0, n - 1) for n in self.shape]
            yield tuple(slice(s, self.rng.randint(s, n), self.rng.randint(1, 3)) for s, n in zip(starts, self.shape))


class Reader:
    """Asks the read_slices example, which stays alive from one request to the next."""

    def __init__(self):
        self.process = subprocess.Popen([common.READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, file, path, text, access='last:0'):
        """An array, or a string that says why not."""
        self.process.stdin.write(('%s\t%s\t%s\t%s\n' % (file, path, text, access)).encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode('utf8', 'replace').rstrip('\n')
        if not answer:
            code = self.process.wait()
            self.__init__()
            return 'the reader ended with status %d' % code
        if not answer.startswith('ok '):
            return answer
        _, kind, shape = answer.split(' ')
        length, = struct.unpack('<Q', self.process.stdout.read(8))
        raw = self.process.stdout.read(length)
        shape = tuple(int(n) for n in shape.strip('()').split(',') if n)
        return np.frombuffer(raw, kind).reshape(shape)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Oracle:
    """h5py in the reader's place. Its library loses track of fill values where mappings overlap, so only disjoint layouts are asked."""

    def read(self, file, path, text, access='last:0'):
        import h5py
        view, gap = access.split(':')
        dapl = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
        dapl.set_virtual_view(h5py.h5d.VDS_FIRST_MISSING if view == 'first' else h5py.h5d.VDS_LAST_AVAILABLE)
        dapl.set_virtual_printf_gap(int(gap))
        at = tuple(slice(*map(int, one.split(':'))) for one in text.split(',')) if text else ()
        with h5py.File(file, 'r') as f:
            got = h5py.Dataset(h5py.h5d.open(f.id, path.encode(), dapl))[at]
            return got.astype(got.dtype.newbyteorder('<'))

    def close(self):
        pass


def compare(reader, layout):
    """None, or how reading the layout differs from its model."""
    path = os.path.join(layout.folder, layout.name)
    for at in layout.slices():
        text = ','.join('%d:%d:%d' % (s.start, s.stop, s.step) for s in at)
        got, want = reader.read(path, '/v', text), layout.model[at]
        if isinstance(got, str):
            return '[%s]: %s' % (text, got)
        if got.dtype != want.dtype.newbyteorder('<'):
            return 'type is %s, expected %s' % (got.dtype, want.dtype)
        if got.shape != want.shape or not np.array_equal(got, want):
            return '[%s]: got %s %s, expected %s %s' % (
                text, got.shape, got.ravel()[:8].tolist(), want.shape, want.ravel()[:8].tolist())
    return None


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--n', type=int, default=2000)
    ap.add_argument('--seed', type=int, default=1)
    ap.add_argument('--start', type=int, default=0)
    ap.add_argument('--keep', action='store_true', help='keep the files of layouts that differ')
    ap.add_argument('--by', choices=['hyperslab', 'h5py'], default='hyperslab')
    a = ap.parse_args()
    theirs = a.by == 'h5py'
    if not theirs:
        common.need('layouts', common.READER)
    folder = tempfile.mkdtemp(prefix='hyperslab-layouts-', dir=common.temporary())
    reader, failures = Oracle() if theirs else Reader(), []
    for i in range(a.start, a.start + a.n):
        rng = random.Random('%d/%d' % (a.seed, i))
        if i % 4 == 3 and not theirs:
            layout = growing.Case(rng, folder, i)
            layout.write()
            wrong = layout.wrong(reader)
        else:
            layout = Layout(rng, folder, i, overlap=i % 2 == 1 and not theirs)
            layout.write()
            wrong = compare(reader, layout)
        if wrong:
            failures.append('layout %d of seed %d %s' % (i, a.seed, wrong))
        if not (wrong and a.keep):
            for name in os.listdir(folder):
                if name == layout.name or name.startswith(('src%d-' % i, 'v%d-' % i)):
                    os.remove(os.path.join(folder, name))
    reader.close()
    if a.keep and failures:
        print('the files of layouts that differ are in ' + folder)
    else:
        shutil.rmtree(folder)
    common.finish('layouts', a.n - len(failures), failures)


if __name__ == '__main__':
    main()
