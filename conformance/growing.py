"""Random virtual datasets whose size their sources decide, and what they should read as: used by layouts.py.

Some mappings go on as long as their source does, some have a source for each block (`%b`), some are bounded.
Sources are missing, in the same file or in another, or are virtual and growing in turn, up to three deep. The
size and every element follow from the rules as numpy arrays, for each view and gap, without any HDF5 library.
"""
import itertools
import os

import numpy as np

TYPES = ['i4', '<i8', '>i2', 'f8', 'u2']
ACCESSES = [('last', 0), ('last', 1), ('last', 4), ('first', 0)]
ENDLESS = None


def slices_of(slab, extent):
    """How many coordinates of an endless progression lie below an extent."""
    start, stride, _, block = slab
    return sum(1 for x in range(start, extent) if block is ENDLESS or (x - start) % stride < block)


def coordinates(slab, number):
    """The first coordinates of a progression, or all of one that ends."""
    start, stride, count, block = slab
    if count is not ENDLESS and block is not ENDLESS:
        return [start + c * stride + b for c in range(count) for b in range(block)]
    if block is ENDLESS:
        return [start + n for n in range(number)]
    return [start + n // block * stride + n % block for n in range(number)]


def extent_of(slab, number, trail):
    """The extent that holds so many slices, and with `trail` all up to the next."""
    start, stride, _, block = slab
    if number == 0:
        return start if trail else 0
    last = coordinates(slab, number)[-1]
    if not trail:
        return last + 1
    return coordinates(slab, number + 1)[-1]


class Stored:
    """A dataset of elements, which may be missing."""

    def __init__(self, rng, shape, axis, kind):
        self.data = np.array([rng.randint(0, 100) for _ in range(int(np.prod(shape)))], kind).reshape(shape)
        self.axis = axis
        self.missing = rng.random() < .15

    def write(self, h5py, path, name):
        if self.missing:
            return
        data = self.data
        limits = tuple(None if axis == self.axis else n for axis, n in enumerate(data.shape))
        with h5py.File(path, 'a') as f:
            f.create_dataset(name, data=data, maxshape=limits, chunks=tuple(max(1, n // 2) for n in data.shape))

    def read(self, view, gap):
        return None if self.missing else self.data


class Mapping:
    """Selections of the virtual dataset and of sources: one for each block, or only one."""

    def __init__(self, here, there, sources, numbered):
        self.here, self.there, self.sources, self.numbered = here, there, sources, numbered

    @property
    def axis(self):
        return next((a for a, slab in enumerate(self.here) if ENDLESS in slab), None)

    def length(self, view, gap):
        """The length the sources give the endless axis."""
        slab, trail = self.here[self.axis], view == 'first'
        if self.numbered:
            found = 0
            for block in range(len(self.sources)):
                if block > found + (0 if trail else gap):
                    break
                if self.sources[block].read(view, gap) is not None:
                    found = block + 1
            if found == 0:
                return 0, 0
            start, stride, _, block = slab
            return (start + found * stride if trail else start + (found - 1) * stride + block), found
        array = self.sources[0].read(view, gap)
        if array is None:
            return 0, 0
        there = next(a for a, one in enumerate(self.there) if ENDLESS in one)
        return extent_of(slab, slices_of(self.there[there], array.shape[there]), trail), 0

    def put(self, model, view, gap, found):
        """Copies what the sources have into the model."""
        if self.axis is None:
            self.copy(model, self.here, self.sources[0].read(view, gap), 0)
        elif self.numbered:
            start, stride, _, length = self.here[self.axis]
            for block in range(found):
                here = list(self.here)
                here[self.axis] = (start + block * stride, 1, 1, length)
                self.copy(model, here, self.sources[block].read(view, gap), 0)
        else:
            array = self.sources[0].read(view, gap)
            if array is not None:
                there = next(a for a, one in enumerate(self.there) if ENDLESS in one)
                number = min(slices_of(self.here[self.axis], model.shape[self.axis]),
                             slices_of(self.there[there], array.shape[there]))
                self.copy(model, self.here, array, number)

    def copy(self, model, here, array, number):
        if array is None:
            return
        here = itertools.product(*[coordinates(slab, number) for slab in here])
        there = itertools.product(*[coordinates(slab, number) for slab in self.there])
        for x, y in zip(here, there):
            if all(a < n for a, n in zip(x, model.shape)) and all(a < n for a, n in zip(y, array.shape)):
                model[x] = array[y].astype(model.dtype)


class Growing:
    """A virtual dataset of mappings, at least one of which has no end."""

    missing = False

    def __init__(self, rng, depth, rank=None, axis=None):
        self.rng = rng
        rank = rng.randint(1, 3) if rank is None else rank
        self.axis = rng.randrange(rank) if axis is None else axis
        self.others = [rng.randint(1, 4) for _ in range(rank)]
        self.kind = rng.choice(TYPES)
        self.fill = rng.choice([0, 7, 100])
        self.mappings = [self.mapping(depth) for _ in range(rng.randint(1, 4))]
        if all(one.axis is None for one in self.mappings):
            self.mappings.append(self.endless(depth))
        self.least = [1] * rank
        for one in self.mappings:
            for axis, slab in enumerate(one.here):
                if axis != one.axis:
                    self.least[axis] = max(self.least[axis], coordinates(slab, 0)[-1] + 1)
        self.stored = [max(a, b) for a, b in zip(self.least, self.others)]
        self.stored[self.axis] = self.least[self.axis] + rng.randint(0, 3)
        self.least[self.axis] = max([0] + [coordinates(one.here[self.axis], 0)[-1] + 1 for one in self.mappings if one.axis is None])
        self.reads = {}

    def mapping(self, depth):
        roll = self.rng.random()
        return self.endless(depth) if roll < .45 else self.numbered(depth) if roll < .8 else self.bounded(depth)

    def slab(self, size):
        """A progression of blocks on an axis of a certain size."""
        rng = self.rng
        count, block = rng.randint(1, size), 1
        if count > 1 and rng.random() < .4:
            count, block = 1, count
        stride = block + (rng.randint(0, (size - count * block) // (count - 1)) if count > 1 else 0)
        return rng.randint(0, size - ((count - 1) * stride + block)), stride, count, block

    def across(self):
        """Progressions on the axes that do not grow."""
        return [self.slab(size) for size in self.others]

    def progression(self):
        rng = self.rng
        if rng.random() < .15:
            return rng.randint(0, 3), 1, 1, ENDLESS
        block = rng.randint(1, 3)
        return rng.randint(0, 3), block + rng.choice([0, 0, 1, 3]), ENDLESS, block

    def source(self, depth, shape, axis):
        rng = self.rng
        if depth and rng.random() < .3:
            return Growing(rng, depth - 1, len(shape), axis)
        return Stored(rng, shape, axis, rng.choice(TYPES))

    def counts(self, slabs, axis):
        return [slab[2] * slab[3] for a, slab in enumerate(slabs) if a != axis]

    def endless(self, depth):
        rng, here = self.rng, self.across()
        counts = self.counts(here, self.axis)
        here[self.axis] = self.progression()
        # The other axes of the source may stand on another side of the one that grows.
        at = rng.randrange(len(here)) if rng.random() < .2 else self.axis
        sizes = [n + rng.randint(0, 2) for n in counts]
        there = [(rng.randint(0, size - n), 1, 1, n) for n, size in zip(counts, sizes)]
        there.insert(at, self.progression())
        sizes.insert(at, rng.randint(0, 9))
        return Mapping(here, there, [self.source(depth, sizes, at)], False)

    def numbered(self, depth):
        rng, here = self.rng, self.across()
        block = rng.randint(1, 3)
        here[self.axis] = (rng.randint(0, 3), block + rng.choice([0, 0, 2]), ENDLESS, block)
        counts = [block if a == self.axis else slab[2] * slab[3] for a, slab in enumerate(here)]
        sizes = [n + rng.randint(0, 1) for n in counts]
        there = [(rng.randint(0, size - n), 1, 1, n) for n, size in zip(counts, sizes)]
        sources = [self.source(0, sizes, self.axis) for _ in range(rng.randint(0, 5))]
        for one in sources:
            one.missing = rng.random() < .3
        return Mapping(here, there, sources, True)

    def bounded(self, depth):
        rng, here = self.rng, self.across()
        counts = [slab[2] * slab[3] for slab in here]
        sizes = [n + rng.randint(0, 2) for n in counts]
        there = [(rng.randint(0, size - n), 1, 1, n) for n, size in zip(counts, sizes)]
        return Mapping(here, there, [self.source(depth, sizes, self.axis)], False)

    def read(self, view, gap):
        """What it reads as."""
        key = view, gap if view == 'last' else 0
        if key not in self.reads:
            self.reads[key] = self.compute(view, gap)
        return self.reads[key]

    def compute(self, view, gap):
        lengths = [(one, *one.length(view, gap)) for one in self.mappings if one.axis is not None]
        shape = list(self.stored)
        best = (min if view == 'first' else max)(length for _, length, _ in lengths)
        shape[self.axis] = max(best, self.least[self.axis])
        model = np.full(shape, self.fill, self.kind)
        found = {id(one): number for one, _, number in lengths}
        for one in self.mappings:
            one.put(model, view, gap, found.get(id(one), 0))
        return model

    def write(self, h5py, path, name):
        folder, creation = os.path.dirname(path), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        base = os.path.basename(path)[:-3]
        creation.set_fill_value(np.array(self.fill, self.kind))
        limit = [None if axis == self.axis else n for axis, n in enumerate(self.stored)]
        for k, one in enumerate(self.mappings):
            inside = not one.numbered and self.rng.random() < .3
            other = '.' if inside else '%s-%s%d%s.h5' % (base, name, k, '-%b' if one.numbered else '')
            dataset = '%s%d' % (name, k) if inside else 'd'
            there = space(h5py, one.there)
            creation.set_virtual(space(h5py, one.here, self.stored, limit), other.encode(), dataset.encode(), there)
            for block, source in enumerate(one.sources):
                if source.missing:
                    continue
                source.write(h5py, path if inside else os.path.join(folder, other.replace('%b', str(block))), dataset)
        with h5py.File(path, 'a', libver='latest') as f:
            kind = h5py.h5t.py_create(np.dtype(self.kind), logical=True)
            limits = tuple(h5py.h5s.UNLIMITED if n is None else n for n in limit)
            h5py.h5d.create(f.id, name.encode(), kind, h5py.h5s.create_simple(tuple(self.stored), limits), creation)


def space(h5py, slabs, shape=None, limit=None):
    """A dataspace with these progressions selected."""
    endless = h5py.h5s.UNLIMITED
    if shape is None:
        shape = [1 if ENDLESS in slab else coordinates(slab, 0)[-1] + 1 for slab in slabs]
        limit = [None if ENDLESS in slab else n for slab, n in zip(slabs, shape)]
    made = h5py.h5s.create_simple(tuple(shape), tuple(endless if n is None else n for n in limit))
    start, stride, count, block = ([endless if n is ENDLESS else n for n in one] for one in zip(*slabs))
    made.select_hyperslab(tuple(start), tuple(count), tuple(stride), tuple(block))
    return made


class Case:
    """A growing dataset `v` in a file of its own, under every view and gap."""

    def __init__(self, rng, folder, number):
        self.rng, self.folder, self.number, self.name = rng, folder, number, 'v%d.h5' % number
        self.top = Growing(rng, rng.choice([0, 0, 1, 3]))

    def write(self):
        import h5py
        self.top.write(h5py, os.path.join(self.folder, self.name), 'v')

    def wrong(self, reader):
        """None, or how a read differs from the model."""
        path = os.path.join(self.folder, self.name)
        for view, gap in ACCESSES:
            model = self.top.read(view, gap)
            for at in self.slices(model.shape):
                text = ','.join('%d:%d:%d' % (s.start, s.stop, s.step) for s in at)
                got, want = reader.read(path, '/v', text, '%s:%d' % (view, gap)), model[at]
                if isinstance(got, str):
                    return '%s, gap %d: [%s]: %s, expected the shape %s' % (view, gap, text, got, model.shape)
                if got.shape != want.shape or not np.array_equal(got, want):
                    return '%s, gap %d: [%s]: got %s %s, expected %s %s' % (
                        view, gap, text, got.shape, got.ravel()[:12].tolist(), want.shape, want.ravel()[:12].tolist())
        return None

    def slices(self, shape):
        yield ()
        for _ in range(2):
            if 0 in shape:
                return
            starts = [self.rng.randint(0, n - 1) for n in shape]
            yield tuple(slice(s, self.rng.randint(s, n), self.rng.randint(1, 3)) for s, n in zip(starts, shape))
