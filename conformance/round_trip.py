#!/usr/bin/env python3
"""Files that hyperslab makes, read back by h5py, by h5dump and by hyperslab.

    round_trip.py --n 2400 --seed 1 [--only I] [--keep]

Each file has one dataset and attributes of one datatype. First every datatype meets every layout and every bound,
then every filter every chunk index; the rest are random combinations. File number i of a seed is always the same.
"""
import argparse
import itertools
import multiprocessing
import os
import random
import shutil
import tempfile

import numpy as np

import common

BOUNDS = {'v110': 3, 'earliest': 0, 'v18': 2}
#: Filters as the script takes them, their numbers, and what they can be used for.
LZF, LZ4, ZSTD, SZIP = [32000, [], True], [32004, [0]], [32015, [3]], [4, [32 | 1 | 128, 8]]
FILTERS = {
    'deflate': ([['deflate', [1]]], [1]),
    'deflate 9': ([['deflate', [9]]], [1]),
    'shuffle': (['shuffle'], [2]),
    'shuffle, deflate': (['shuffle', ['deflate', [4]]], [2, 1]),
    'fletcher32': (['fletcher32'], [3]),
    'shuffle, deflate, fletcher32': (['shuffle', 'deflate', 'fletcher32'], [2, 1, 3]),
    'fletcher32, deflate': (['fletcher32', 'deflate'], [3, 1]),
    'lzf': ([LZF], [32000]),
    'shuffle, lzf': (['shuffle', LZF], [2, 32000]),
    'lz4': ([LZ4], [32004]),
    'zstd': ([ZSTD], [32015]),
    'shuffle, zstd, fletcher32': (['shuffle', ZSTD, 'fletcher32'], [2, 32015, 3]),
    'bitshuffle': ([[32008, [0, 4, 0, 0, 0]]], [32008]),
    'bitshuffle lz4': ([[32008, [0, 4, 0, 0, 2]]], [32008]),
    'bitshuffle zstd': ([[32008, [0, 4, 0, 0, 3, 5]]], [32008]),
    'n-bit': ([[5, []]], [5]),
    'n-bit, deflate': ([[5, []], 'deflate'], [5, 1]),
    'scale-offset': ([[6, [2, 0]]], [6]),
    'scale-offset, shuffle, deflate': ([[6, [2, 0]], 'shuffle', 'deflate'], [6, 2, 1]),
    'scale-offset, 3 digits': ([[6, [0, 3]]], [6]),
    'szip': ([SZIP], [4]),
    'szip, fletcher32': ([SZIP, 'fletcher32'], [4, 3]),
}
SCALED = ('i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8')
#: h5dump of Debian has no plugins.
PLUGINS = ('lzf', 'lz4', 'zstd', 'bitshuffle')


def suits(filters, kind):
    if filters is None:
        return True
    if kind.variable or 'reference' in kind.name:
        return filters.split()[0] not in ('scale-offset', 'n-bit', 'szip', 'n-bit,', 'scale-offset,', 'szip,')
    if 'digits' in filters:
        return kind.name[1:] in ('f4', 'f8')
    if filters.startswith('scale'):
        return kind.name[1:] in SCALED
    if filters.startswith('szip'):
        return kind.name[1:] in SCALED + ('f4', 'f8')
    if filters.startswith('n-bit'):
        return kind.cls not in (3, 9)
    return True


def compact(rng, size):
    return {'layout': 'compact', 'shape': [rng.randint(1, 6) for _ in range(rng.randint(1, 3))]}


def contiguous(rng, size):
    return {'layout': 'contiguous', 'shape': [rng.randint(1, 9) for _ in range(rng.randint(1, 4))],
            'allocation': rng.choice(['early', 'late', None])}


def scalar(rng, size):
    return {'layout': rng.choice(['contiguous', 'compact', None]), 'shape': []}


def null(rng, size):
    return {'shape': None}


def zero(rng, size):
    if rng.random() < .5:
        shape = rng.choice([[0], [0, 3], [2, 0], [0, 0, 4]])
        return {'layout': rng.choice(['contiguous', 'compact']), 'shape': shape}
    shape = rng.choice([[0], [0, 3], [0, 0, 4]])
    return {'shape': shape, 'max': [None] + [n if n else 5 for n in shape[1:]], 'chunk': [rng.randint(1, 3) for _ in shape]}


def single(rng, size):
    shape = [rng.randint(1, 8) for _ in range(rng.randint(1, 3))]
    return {'shape': shape, 'chunk': shape}


def dealt(rng):
    shape = [rng.randint(3, 14) for _ in range(rng.randint(1, 3))]
    return shape, [rng.randint(1, n - 1) for n in shape]


def implicit(rng, size):
    shape, chunk = dealt(rng)
    return {'shape': shape, 'chunk': chunk, 'allocation': 'early'}


def fixed_array(rng, size):
    shape, chunk = dealt(rng)
    grown = rng.random() < .3
    return {'shape': shape, 'chunk': chunk, 'max': [n + rng.randint(0, 9) for n in shape] if grown else None}


def paged_array(rng, size):
    return {'shape': [rng.randint(1100, 3100), 2], 'chunk': [1, 2]}


def extensible_array(rng, size):
    shape, chunk = dealt(rng)
    axis = rng.randrange(len(shape))
    return {'shape': shape, 'chunk': chunk, 'max': [None if i == axis else n for i, n in enumerate(shape)]}


def long_array(rng, size):
    return {'shape': [rng.choice([40, 300, 2500])], 'chunk': [1], 'max': [None]}


def btree(rng, size):
    shape, chunk = [rng.randint(3, 14) for _ in range(2)], [rng.randint(1, 4) for _ in range(2)]
    return {'shape': shape, 'chunk': chunk, 'max': [None, None]}


def deep_btree(rng, size):
    return {'shape': [rng.randint(20, 60), rng.randint(20, 60)], 'chunk': [1, 1], 'max': [None, None]}


def grown(rng, size):
    """Made small, then resized."""
    shape, chunk = dealt(rng)
    axes = [rng.random() < .6 for _ in shape]
    first = [rng.randint(0, n + 2) if grows else n for n, grows in zip(shape, axes)]
    return {'shape': first, 'grown': shape, 'chunk': chunk, 'max': [None if grows else n for n, grows in zip(shape, axes)]}


LAYOUTS = {'compact': compact, 'contiguous': contiguous, 'scalar': scalar, 'null': null, 'zero': zero, 'single': single,
           'implicit': implicit, 'fixed array': fixed_array, 'paged array': paged_array, 'extensible array': extensible_array,
           'long array': long_array, 'B-tree': btree, 'deep B-tree': deep_btree, 'grown': grown}
CHUNKED = ('single', 'fixed array', 'paged array', 'extensible array', 'long array', 'B-tree', 'deep B-tree', 'grown')


def combinations(seed):
    """Numbers of cases, without end."""
    names = [kind.name for kind in KINDS]
    for layout, kind, bounds in itertools.product(LAYOUTS, names, ('v110', 'earliest')):
        if layout not in ('paged array', 'long array', 'deep B-tree') or kind in ('<i4', '>f8', 'compound', 'variable string'):
            yield kind, layout, bounds, None
    for layout, filters, bounds in itertools.product(CHUNKED, FILTERS, BOUNDS):
        rng = random.Random('%s/%s/%s/%s' % (seed, layout, filters, bounds))
        if layout in ('paged array', 'long array', 'deep B-tree') and rng.random() < .7:
            continue
        yield rng.choice([kind.name for kind in KINDS if suits(filters, kind)]), layout, bounds, filters
    for number in itertools.count():
        rng = random.Random('%s/%d' % (seed, number))
        filters = rng.choice([None, None, *FILTERS])
        kind = rng.choice([kind.name for kind in KINDS if suits(filters, kind)])
        if filters:
            layout = rng.choice(CHUNKED)
        else:
            layout = rng.choice(list(LAYOUTS))
        if layout in ('paged array', 'long array', 'deep B-tree') and rng.random() < .8:
            layout = 'grown'
        yield kind, layout, rng.choice(list(BOUNDS)), filters


class Case:
    """One file: what it is made with, and what should be in it."""

    def __init__(self, seed, number, combination):
        self.number = number
        self.rng = rng = random.Random('%s/case %d' % (seed, number))
        kind, self.layout, self.bounds, self.filters = combination
        self.kind = BY_NAME[kind]
        self.made = LAYOUTS[self.layout](rng, self.kind.size)
        self.shape = self.made.get('grown', self.made['shape'])
        if self.layout == 'compact' and self.count() * self.kind.size > 60000:
            self.made['shape'] = self.shape = [2]
        if self.filters in ('szip', 'szip, fletcher32') and np.prod(self.made['chunk']) < 8:
            self.filters = 'fletcher32'         # szip has blocks of 8 elements
        self.path = None
        self.made.setdefault('max', None)
        self.user_block = rng.choice([None] * 9 + [512, 1024])
        self.choose_fill()
        self.elements = self.model()
        self.attributes = self.attribute_models()

    def describe(self):
        more = ''.join(' %s %s' % (name, value) for name, value in self.made.items() if value is not None and name not in ('layout', 'fill'))
        return 'file %d: %s, %s%s, %s, %s' % (self.number, self.kind.name, self.layout, more, self.filters or 'no filter', self.bounds)

    def count(self):
        return 0 if self.shape is None else int(np.prod(self.shape, dtype=int))

    def choose_fill(self):
        rng, made = self.rng, self.made
        self.fill = None
        self.writes = rng.choice(['all', 'all', 'slab', 'points', 'none', 'parts'])
        if self.kind.variable or 'reference' in self.kind.name:
            self.writes = rng.choice(['all', 'all', 'slab', 'none'])
        elif rng.random() < .5:
            self.fill = bytes(self.kind.elements(rng, 1)[0])
            made['fill'] = self.fill.hex()
        made['fill_time'] = rng.choice([None, None, 'alloc', 'never']) if self.fill or self.kind.variable else None
        if made['fill_time'] == 'never':
            if self.writes != 'all' or self.layout in ('contiguous', 'compact', 'grown', 'implicit'):
                made['fill_time'] = None
        if self.layout in ('deep B-tree', 'paged array', 'long array') and self.writes == 'points':
            self.writes = 'slab'
        if self.layout in ('single', 'fixed array', 'extensible array', 'B-tree') and 'allocation' not in made:
            made['allocation'] = rng.choice([None, None, 'early', 'incremental', 'late'])

    def fresh(self, shape):
        """Unwritten elements."""
        if self.kind.variable:
            out = np.empty(shape, object)
            for at in np.ndindex(*shape):
                out[at] = EMPTY.get(self.kind.name, '' if 'string' in self.kind.name else [])
            return out
        out = np.zeros(shape, 'V%d' % self.kind.size)
        if self.fill:
            out[...] = np.frombuffer(self.fill, out.dtype)[0]
        return out

    def model(self):
        """The elements, and in `self.steps` what is written to get them."""
        self.steps = []
        if self.shape is None:
            return None
        out = self.fresh(self.shape)
        if self.count() == 0 or self.writes == 'none':
            return out
        if self.writes == 'all' or not self.shape:
            self.write(out, None, self.kind.elements(self.rng, self.count()))
        elif self.writes == 'points':
            count = self.rng.randint(1, 8)
            points = [[self.rng.randrange(n) for n in self.shape] for _ in range(count)]
            points = [list(p) for p in dict.fromkeys(map(tuple, points))]
            self.write(out, {'points': points}, self.kind.elements(self.rng, len(points)))
        else:
            for _ in range(1 if self.writes == 'slab' else 3):
                slabs = [slab(self.rng, n) for n in self.shape]
                self.write(out, {'slabs': slabs}, self.kind.elements(self.rng, int(np.prod([s[2] * s[3] for s in slabs]))))
        return out

    def write(self, out, at, elements):
        """One write: into the model, and as a request."""
        if at is None:
            out[...] = elements.reshape(out.shape)
        elif 'points' in at:
            for point, element in zip(at['points'], elements):
                out[tuple(point)] = element
        else:
            grid = np.ix_(*[[s + c * stride + b for c in range(count) for b in range(block)] for s, stride, count, block in at['slabs']])
            out[grid] = elements.reshape(out[grid].shape)
        self.steps.append(dict(payload(self.kind, elements), at=at))

    def attribute_models(self):
        """Names, shapes and elements."""
        rng, made = self.rng, {}
        for name, shape in [('one', []), ('some', [rng.randint(0, 4)]), ('many', [2, 2]), ('none', None)]:
            if rng.random() < .5:
                count = 0 if shape is None else int(np.prod(shape, dtype=int))
                made[name] = shape, self.kind.elements(rng, count)
        return made

    def make(self, script, folder):
        """Makes the file."""
        name = self.path = os.path.join(folder, '%d.h5' % self.number)
        ask = lambda op, **request: script.ask(op, name, **request)
        ask('open', path=name, mode='w', bounds=self.bounds, user_block=self.user_block)
        if 'reference' in self.kind.name:
            self.refer(ask)
        request = {key: value for key, value in self.made.items() if key != 'grown'}
        filters = FILTERS[self.filters][0] if self.filters else None
        ask('create_dataset', path='/x', type=self.kind.spec, filters=filters, **request)
        if 'grown' in self.made:
            ask('resize', path='/x', shape=self.shape)
        for step in self.steps:
            ask('write', path='/x', **step)
        for attribute, (shape, elements) in self.attributes.items():
            ask('set_attribute', path='/x', name=attribute, type=self.kind.spec, shape=shape, **payload(self.kind, elements))
        ask('close')

    def refer(self, ask):
        """Puts references to what is in the file where there were only null ones."""
        ask('create_group', path='/entry/group')
        ask('create_dataset', path='/entry/plain', type='<i4', shape=[8, 6])
        if self.kind.name == 'object reference':
            known = [bytes(8)] + [bytes.fromhex(ask('reference', path=path)['hex']) for path in ('/', '/entry/group', '/entry/plain')]
        else:
            regions = [{'slabs': [[1, 2, 2, 1], [0, 1, 3, 1]]}, {'points': [[0, 0], [7, 5], [3, 3]]}, {'boxes': [[2, 1, 4, 3], [6, 0, 7, 5]]}]
            known = [bytes(12)] + [bytes.fromhex(ask('reference', path='/entry/plain', at=at)['hex']) for at in regions]
        self.known = known
        self.kind = type('Known', (), dict(vars(self.kind), elements=lambda _, rng, n: np.frombuffer(
            b''.join(rng.choice(known) for _ in range(n)), 'V%d' % self.kind.size, n).copy()))()
        self.elements = self.model()
        self.attributes = self.attribute_models()

    def check_own(self, script):
        """What hyperslab itself reads."""
        script.ask('open', self.path, path=self.path, mode='r')
        found = script.ask('tree', self.path, path='/x')
        script.ask('drop', self.path)
        if found['shape'] != self.shape:
            return 'hyperslab reads the shape %s' % found['shape']
        wrong = self.compare_own('elements', found['elements'], self.elements)
        if sorted(found['attributes']) != sorted(self.attributes):
            return 'hyperslab reads the attributes %s' % sorted(found['attributes'])
        for name, (shape, elements) in self.attributes.items():
            if found['attributes'][name]['shape'] != shape:
                wrong = wrong or 'hyperslab reads attribute %s with shape %s' % (name, found['attributes'][name]['shape'])
            wrong = wrong or self.compare_own('attribute ' + name, found['attributes'][name], elements)
        return wrong

    def compare_own(self, what, found, expected):
        if expected is None:
            return None
        if self.kind.variable:
            return unequal('hyperslab', what, found['values'], list(expected.ravel()))
        bytes_found = bytes.fromhex(found['hex'])
        return self.compare_raw('hyperslab', what, bytes_found, expected)

    def compare_raw(self, who, what, found, expected):
        if found == expected.tobytes():
            return None
        if self.filters == 'scale-offset, 3 digits' and what == 'elements':
            a, b = np.frombuffer(found, self.kind.dtype), np.frombuffer(expected.tobytes(), self.kind.dtype)
            if np.allclose(a, b, rtol=0, atol=.002, equal_nan=True):
                return None
        size = self.kind.size
        at = next((i for i in range(0, len(found), size) if found[i:i + size] != expected.tobytes()[i:i + size]), 0)
        return '%s reads %s: %d bytes, %d expected; element %d is %s, expected %s' % (
            who, what, len(found), expected.nbytes, at // size, found[at:at + size].hex(), expected.tobytes()[at:at + size].hex())

    def check_h5py(self):
        """What h5py reads."""
        import h5py
        from h5py import h5p, h5s
        with h5py.File(self.path, 'r') as f:
            with open(self.path, 'rb') as raw:
                raw.seek((self.user_block or 0) + 8)
                version = raw.read(1)[0]
            if version != BOUNDS[self.bounds]:
                return 'superblock version %d' % version
            x = f['x']
            maxshape = self.made['max'] if self.made['max'] is not None else self.shape
            expected = (None if self.shape is None else tuple(self.shape), None if maxshape is None else tuple(maxshape))
            if (x.shape, x.maxshape if x.shape is not None else None) != expected:
                return 'h5py reads shape and maximum %s, expected %s' % ((x.shape, x.maxshape), expected)
            chunk = tuple(self.made['chunk']) if 'chunk' in self.made else None
            if x.chunks != chunk:
                return 'h5py reads chunks %s, expected %s' % (x.chunks, chunk)
            plist = x.id.get_create_plist()
            filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
            if filters != (FILTERS[self.filters][1] if self.filters else []):
                return 'h5py reads filters %s' % filters
            wrong = self.check_fill(plist) or self.check_type('the dataset', x)
            if wrong or self.shape is None:
                return wrong or self.check_attributes(x)
            if self.kind.variable:
                return unequal('h5py', 'elements', self.flat(x[()]), list(self.elements.ravel())) or self.check_attributes(x)
            found = np.zeros(self.shape, self.elements.dtype)
            if found.size:
                x.id.read(h5s.ALL, h5s.ALL, found, mtype=x.id.get_type())
            return self.compare_raw('h5py', 'elements', found.tobytes(), self.elements) or self.check_values(f, x) or self.check_attributes(x)

    def check_fill(self, plist):
        from h5py import h5d
        times = {h5d.FILL_TIME_IFSET: None, h5d.FILL_TIME_ALLOC: 'alloc', h5d.FILL_TIME_NEVER: 'never'}
        if times[plist.get_fill_time()] != self.made['fill_time']:
            return 'h5py reads fill time %s' % times[plist.get_fill_time()]
        when = {h5d.ALLOC_TIME_EARLY: 'early', h5d.ALLOC_TIME_LATE: 'late', h5d.ALLOC_TIME_INCR: 'incremental'}
        allocated = when[plist.get_alloc_time()]
        wanted = self.made.get('allocation')
        if wanted and wanted != allocated:
            return 'h5py reads allocation %s' % allocated
        if self.fill is not None:
            value = np.zeros(1, 'V%d' % self.kind.size)
            if plist.fill_value_defined() != 2 and not self.kind.variable:
                return 'h5py says that no fill value was set'
            if self.kind.dtype is not None and self.kind.dtype.kind in 'iuf' and self.kind.dtype.itemsize <= 8:
                value = np.zeros((), self.kind.dtype)
                plist.get_fill_value(value)
                if value.tobytes() != self.fill:
                    return 'h5py reads fill value %r' % value
        return None

    def check_type(self, what, there):
        tid = there.id.get_type() if hasattr(there, 'id') and not hasattr(there, 'get_type') else there.get_type()
        if self.kind.variable:
            if kinds.spec(tid) != self.kind.spec:
                return '%s: h5py reads datatype %s, expected %s' % (what, kinds.spec(tid), self.kind.spec)
        elif not tid.equal(self.kind.tid):
            return '%s: h5py reads another datatype' % what
        if self.kind.dtype is None or self.kind.dtype.subdtype is not None or self.kind.name.startswith('compound with'):
            return None
        if there.dtype != self.kind.dtype:
            return '%s: h5py reads dtype %s' % (what, there.dtype)
        return None

    def flat(self, value):
        """A list of what h5py reads."""
        if self.kind.dtype.subdtype is not None:
            return kinds.plain(np.asarray(value, object).reshape((-1,) + self.kind.dtype.subdtype[1]))
        if isinstance(value, np.ndarray) and value.dtype == object and 'sequence' in self.kind.name and value.ndim == 0:
            value = value[()]
        if '>' in self.kind.name:               # h5py calls the bytes of the file numbers of this machine
            value = np.array([None if v is None else v.byteswap() for v in np.atleast_1d(np.asarray(value, object)).ravel()] + [None], object)[:-1] \
                if isinstance(value, np.ndarray) and value.dtype == object else value.byteswap()
        is_many = isinstance(value, np.ndarray) and (value.dtype == object or self.kind.dtype.names)
        return [kinds.plain(v) for v in value.ravel()] if is_many else [kinds.plain(value)]

    def check_values(self, f, x):
        """The same as h5py gives it to those who do not ask for bytes."""
        import h5py
        if self.kind.name == 'object reference':
            names = [None, '/', '/entry/group', '/entry/plain']
            for ref, raw in zip(np.atleast_1d(x[()]).ravel(), self.elements.ravel()):
                name = names[self.known.index(bytes(raw))]
                if (f[ref].name if ref else None) != name:
                    return 'h5py follows a reference to %s, not %s' % (f[ref].name, name)
        elif self.kind.name == 'region reference':
            for ref, raw in zip(np.atleast_1d(x[()]).ravel(), self.elements.ravel()):
                points = [0, 6, 3, 21][self.known.index(bytes(raw))]
                found = h5py.h5r.get_region(ref, f.id).get_select_npoints() if ref else 0
                if found != points:
                    return 'h5py finds a region of %d elements, not %d' % (found, points)
        elif self.kind.dtype is not None and self.kind.dtype.kind != 'V' and self.filters != 'scale-offset, 3 digits':
            found = np.asarray(x[()])
            base = self.kind.dtype
            if self.kind.name != 'long double' and found.astype(base.base).tobytes() != self.elements.tobytes():
                return 'h5py reads other values: %s' % found.ravel()[:4]
        return None

    def check_attributes(self, x):
        from h5py import h5a
        found = sorted(x.attrs)
        if found != sorted(self.attributes):
            return 'h5py reads the attributes %s, expected %s' % (found, sorted(self.attributes))
        for name, (shape, elements) in self.attributes.items():
            attribute = h5a.open(x.id, name.encode())
            there = None if attribute.get_space().get_simple_extent_type() == 2 else list(attribute.shape)
            if there != shape:
                return 'h5py reads attribute %s with shape %s, expected %s' % (name, there, shape)
            wrong = self.check_type('attribute ' + name, attribute)
            if wrong:
                return wrong
            if shape is None:
                continue
            if self.kind.variable:
                wrong = unequal('h5py', 'attribute ' + name, self.flat(x.attrs[name]), list(elements.ravel()))
            else:
                raw = np.zeros(shape, 'V%d' % self.kind.size)
                if raw.size:
                    attribute.read(raw, mtype=attribute.get_type())
                wrong = self.compare_raw('h5py', 'attribute ' + name, raw.tobytes(), elements)
            if wrong:
                return wrong
        return None


EMPTY = {'compound with variable members': [0, '', []], 'array of variable strings': ['', '']}


def slab(rng, size):
    """Start, stride, count and block of a regular selection of an axis."""
    block = rng.randint(1, max(1, size // 3))
    stride = block + rng.randint(0, 2)
    start = rng.randint(0, size - block)
    return [start, stride, rng.randint(1, (size - start - block) // stride + 1), block]


def payload(kind, elements):
    if kind.variable:
        return {'values': list(elements.ravel())}
    return {'hex': elements.tobytes().hex()}


def unequal(who, what, found, expected):
    if found == expected:
        return None
    first = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
    return '%s reads %s: element %d is %s, expected %s' % (who, what, first, found[first:first + 1], expected[first:first + 1])


def checked_by_h5py(case):
    try:
        return case.number, case.check_h5py()
    except Exception as error:              # whatever h5py does not like about the file
        return case.number, 'h5py: %s: %s' % (type(error).__name__, error)


def dumped(cases):
    """Those of some files that h5dump does not read, and what it says."""
    paths = [case.path for case in cases]
    code, _, err = common.run(['h5dump', *paths], 300)
    if code == 0 and not err.strip():
        return []
    if len(cases) > 1:
        half = len(cases) // 2
        return dumped(cases[:half]) + dumped(cases[half:])
    lines = err.decode('utf8', 'replace').strip().splitlines()
    return [(cases[0].number, 'h5dump: status %s, %s' % (code, ' / '.join(lines)[-300:]))]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--n', type=int, default=2400)
    ap.add_argument('--seed', default='1')
    ap.add_argument('--only', type=int, help='one file, which is kept')
    ap.add_argument('--script', help='the program, when it is not the one of the release build')
    ap.add_argument('--show', type=int, default=20)
    a = ap.parse_args()
    if not a.script:
        common.need('round trip', common.SCRIPT)
    folder = tempfile.mkdtemp(prefix='hyperslab-round-trip-', dir=common.temporary())
    chosen = itertools.islice(enumerate(combinations(a.seed)), a.n)
    cases = [Case(a.seed, i, c) for i, c in chosen if a.only in (None, i)]
    wrong = {}
    script = common.Script(a.script)
    for case in cases:
        try:
            case.make(script, folder)
            message = case.check_own(script)
            if message:
                wrong[case.number] = message
        except common.Refused as refused:
            wrong[case.number] = str(refused)
        except EOFError as died:
            wrong[case.number] = str(died)
            script = common.Script(a.script)
    script.close()
    made = [case for case in cases if case.number not in wrong]
    others = [case for case in made if not (case.filters and any(name in case.filters for name in PLUGINS))]
    if not shutil.which('h5dump'):
        others = []
    global MADE
    MADE = {case.number: case for case in made}
    with multiprocessing.get_context('fork').Pool(2) as pool:
        for number, message in pool.imap_unordered(by_number, [case.number for case in made], 16):
            if message:
                wrong[number] = message
        groups = [[case.number for case in others[i:i + 40]] for i in range(0, len(others), 40)]
        for found in pool.imap_unordered(dumped_numbers, groups):
            for number, message in found:
                wrong.setdefault(number, message)
    failures = ['%s: %s' % (case.describe(), wrong[case.number]) for case in cases if case.number in wrong]
    if a.only is None:
        shutil.rmtree(folder)
    else:
        print(os.path.join(folder, '%d.h5' % a.only))
    print('%d files read by h5py and hyperslab, %d of them by h5dump' % (len(made), len(others)))
    common.finish('round trip', len(cases) - len(failures), failures, a.show)


def by_number(number):
    return checked_by_h5py(MADE[number])


def dumped_numbers(numbers):
    return dumped([MADE[number] for number in numbers])


if __name__ == '__main__':
    import hdf5plugin  # noqa: F401  (registers the filters)
    import kinds
    KINDS = [*kinds.fixed(), *kinds.variable(), *kinds.references()]
    BY_NAME = {kind.name: kind for kind in KINDS}
    main()
