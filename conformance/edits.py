#!/usr/bin/env python3
"""Random edit scripts: files changed by hyperslab, sometimes by h5py in between, and compared with a model in memory.

    edits.py --n 1000 --seed 1 [--only I]

Each script begins a file, by h5py in an old or a new format or by hyperslab with some bounds, and changes it in
several sessions: things are made, deleted, renamed, resized, overwritten whole and in parts, and get attributes and
links, few and many. After each session h5py and hyperslab read the whole file and find what the model has. Some of
what is asked for cannot be done; that is refused, and nothing changes. Script number i of a seed is always the same.
"""
import argparse
import multiprocessing
import multiprocessing.pool
import os
import random
import shutil
import signal
import tempfile

import hdf5plugin  # noqa: F401  (registers the filters)
import h5py
import numpy as np
from h5py import h5a, h5d, h5p, h5s, h5t

import common
import kinds

FIXED = ('<i4', '>f8', 'u1', '<u2', '<f2', 'bool', 'string nulls ascii', 'string spaces utf8', 'compound, nested', 'array', 'opaque')
VARIABLE = ('variable string', 'sequence of <i4')
KINDS = {kind.name.lstrip('<') if kind.name == '<u1' else kind.name: kind for kind in [*kinds.fixed(), *kinds.variable()]}
BEGUN = ('h5py earliest', 'h5py v110', 'h5py default', 'hyperslab v110', 'hyperslab earliest', 'hyperslab v18')
LIBVER = {'h5py earliest': ('earliest', 'v110'), 'h5py v110': ('v110', 'v110'), 'h5py default': None}
FILTERS = (['shuffle', 'deflate'], ['deflate'], ['fletcher32'], [[32000, [], True]], [[32008, [0, 4, 0, 0, 2]]])


class Group:
    def __init__(self, ordered=False):
        self.links, self.attributes, self.ordered = {}, {}, ordered


class Named:
    def __init__(self, kind):
        self.kind, self.attributes = kind, {}


class Data:
    """A dataset."""

    def __init__(self, kind, shape, made):
        self.kind, self.made, self.attributes = kind, made, {}
        self.fill = made.get('fill')
        self.elements = fresh(kind, shape, self.fill)

    def resize(self, shape):
        old, self.elements = self.elements, fresh(self.kind, shape, self.fill)
        both = tuple(slice(0, min(a, b)) for a, b in zip(old.shape, shape))
        self.elements[both] = old[both]


def fresh(kind, shape, fill=None):
    """Elements that were never written."""
    if kind.variable:
        out = np.empty(shape, object)
        for at in np.ndindex(*shape):
            out[at] = '' if 'string' in kind.name else []
        return out
    out = np.zeros(shape, 'V%d' % kind.size)
    if fill:
        out[...] = np.frombuffer(bytes.fromhex(fill), out.dtype)[0]
    return out


def payload(kind, elements):
    return {'values': list(elements.ravel())} if kind.variable else {'hex': elements.tobytes().hex()}


class ByHyperslab:
    """Does to a file what the model did, with the script."""

    def __init__(self, script, path):
        self.script, self.path = script, path

    def __call__(self, op, **request):
        return getattr(self, op, lambda **request: self.ask(op, **request))(**request)

    def ask(self, op, **request):
        return self.script.ask(op, self.path, **request)

    def begin(self, bounds, order):
        self.ask('open', path=self.path, mode='w', bounds=bounds, track_order=order)

    def reopen(self, libver):
        self.ask('open', path=self.path, mode='r+')

    def set_attribute(self, kind, elements, path, name):
        self.ask('set_attribute', path=path, name=name, type=kind.spec, shape=list(elements.shape), **payload(kind, elements))

    def create_dataset(self, kind, path, **made):
        self.ask('create_dataset', path=path, type=kind.spec, **made)

    def commit(self, kind, path):
        self.ask('commit', path=path, type=kind.spec)

    def write(self, kind, elements, path, at):
        self.ask('write', path=path, at=at, **payload(kind, elements))


class ByH5py:
    """Does to a file what the model did, with h5py."""

    def __init__(self, path):
        self.path = path

    def __call__(self, op, **request):
        return getattr(self, op)(**request)

    def begin(self, libver, order):
        self.f = h5py.File(self.path, 'w', libver=libver, track_order=order)

    def reopen(self, libver):
        self.f = h5py.File(self.path, 'r+', libver=libver)

    def close(self):
        self.f.close()

    def flush(self):
        self.f.flush()

    def create_group(self, path, track_order):
        self.f.create_group(path, track_order=track_order)

    def create_dataset(self, kind, path, shape, max=None, chunk=None, fill=None, filters=None, layout=None, allocation=None):
        plist = h5p.create(h5p.DATASET_CREATE)
        if layout == 'compact':
            plist.set_layout(h5d.COMPACT)
        if chunk:
            plist.set_chunk(tuple(chunk))
        if allocation:
            plist.set_alloc_time(h5d.ALLOC_TIME_EARLY)
        for name in filters or ():
            if name == 'deflate':
                plist.set_deflate(4)
            elif name == 'shuffle':
                plist.set_shuffle()
            elif name == 'fletcher32':
                plist.set_fletcher32()
            else:
                plist.set_filter(name[0], h5py.h5z.FLAG_OPTIONAL, tuple([0, 2] if name[0] == 32008 else name[1]))
        plist.set_fill_time(h5d.FILL_TIME_ALLOC)        # else what is not written is what was there before
        if fill:
            plist.set_fill_value(np.frombuffer(bytes.fromhex(fill), kind.dtype)[0:1].reshape(()))
        top = None if max is None else tuple(h5s.UNLIMITED if n is None else n for n in max)
        space = h5s.create_simple(tuple(shape), top) if shape else h5s.create(h5s.SCALAR)
        h5d.create(self.f.id, path.encode(), kind.tid, space, plist)

    def set_attribute(self, kind, elements, path, name):
        attributes = self.f[path].attrs
        if name in attributes:
            del attributes[name]
        space = h5s.create_simple(elements.shape) if elements.shape else h5s.create(h5s.SCALAR)
        attribute = h5a.create(self.f[path].id, name.encode(), kind.tid, space)
        attribute.write(values(kind, elements), mtype=memory(kind))

    def delete_attribute(self, path, name):
        del self.f[path].attrs[name]

    def rename_attribute(self, path, **names):
        h5a.rename(self.f[path].id, names['from'].encode(), names['to'].encode())

    def write(self, kind, elements, path, at):
        data = self.f[path]
        space = data.id.get_space()
        if at and 'points' in at:
            space.select_elements(at['points'])
        elif at:
            space.select_hyperslab(*zip(*[(start, count, stride, block) for start, stride, count, block in at['slabs']]))
        here = h5s.create_simple((elements.size,)) if elements.shape else h5s.create(h5s.SCALAR)
        data.id.write(here, space, values(kind, elements.ravel() if elements.shape else elements), mtype=memory(kind))

    def resize(self, path, shape):
        self.f[path].id.set_extent(tuple(shape))

    def link_soft(self, path, target):
        self.f[path] = h5py.SoftLink(target)

    def link_hard(self, path, target):
        self.f[path] = self.f[target]

    def link_external(self, path, target_file, target):
        self.f[path] = h5py.ExternalLink(target_file, target)

    def unlink(self, path):
        del self.f[path]

    def rename(self, **names):
        self.f.move(names['from'], names['to'])

    def commit(self, kind, path):
        kind.tid.copy().commit(self.f.id, path.encode())


def memory(kind):
    return h5t.py_create(kind.dtype) if kind.variable else kind.tid


def values(kind, elements):
    """Elements as h5py takes them."""
    if not kind.variable:
        return np.ascontiguousarray(elements)
    out = np.empty(elements.shape, object)
    for at in np.ndindex(*elements.shape):
        out[at] = np.array(elements[at], '<i4') if 'sequence' in kind.name else elements[at]
    return out


class Script:
    """One file and what is done to it."""

    def __init__(self, seed, number, folder, script):
        self.rng = random.Random('%s/%d' % (seed, number))
        self.path = os.path.join(folder, '%d.h5' % number)
        self.begun = self.rng.choice(BEGUN)
        self.script, self.root, self.log, self.made = script, None, [], 0
        self.by_h5py = self.begun.startswith('h5py')

    def run(self):
        """None, or what is wrong."""
        rng = self.rng
        order = rng.random() < .2
        self.root = Group(order)
        for session in range(rng.randint(2, 4)):
            self.by_h5py = self.begun.startswith('h5py') if session == 0 else session > 1 and rng.random() < .3
            self.do = ByH5py(self.path) if self.by_h5py else ByHyperslab(self.script, self.path)
            self.log.append('— %s' % type(self.do).__name__)
            if session == 0:
                self.do('begin', **({'libver': LIBVER[self.begun]} if self.by_h5py else {'bounds': self.begun.split()[1]}), order=order)
            else:
                self.do('reopen', libver=rng.choice([None, ('v110', 'v110')]) if 'v110' in self.begun else None)
            for _ in range(rng.choice([3, 8, 16])):
                wrong = self.step() or (STRICT and not self.by_h5py and compare_hyperslab(self.root, self.script.ask('tree', self.path, path='/'), '/'))
                if wrong:
                    return wrong
            self.do('close')
            wrong = self.check_h5py() or self.check_hyperslab()
            if wrong:
                return wrong
        return None

    def step(self):
        """One random operation, on the file and on the model."""
        if not self.by_h5py and self.rng.random() < .05:
            return self.refused()
        steps = [self.create_group, self.create_dataset, self.create_dataset, self.write, self.write, self.write, self.resize,
                 self.attribute, self.attribute, self.delete_attribute, self.rename_attribute, self.link, self.unlink, self.rename,
                 self.commit, self.many_attributes, self.fewer_attributes, self.many_links, self.fewer_links, self.flush]
        self.rng.choice(steps)()
        return None

    def ask(self, op, **request):
        self.log.append('%s %s' % (op, {k: v if len(str(v)) < 80 else '…' for k, v in request.items() if k != 'kind'}))
        self.do(op, **request)

    def all(self, of, found=None, group=None, path=''):
        """Paths of the objects of a class and the objects."""
        found, group = ([], self.root) if group is None else (found, group)
        if path == '' and isinstance(self.root, of):
            found.append(('/', self.root))
        for name, node in group.links.items():
            if isinstance(node, of):
                found.append((path + '/' + name, node))
            if isinstance(node, Group):
                self.all(of, found, node, path + '/' + name)
        return found

    def pick(self, of):
        return self.rng.choice(self.all(of) or [(None, None)])

    def place(self, prefix):
        """A group, and a new name in it."""
        path, group = self.pick(Group)
        self.made += 1
        name = '%s%d%s' % (prefix, self.made, self.rng.choice(['', '', 'ä', ' long name ' * self.rng.randint(1, 9)]))
        return group, name, (path + '/' + name).replace('//', '/')

    def create_group(self):
        group, name, path = self.place('g')
        order = self.rng.random() < .3
        self.ask('create_group', path=path, track_order=order)
        group.links[name] = Group(order)

    def create_dataset(self):
        rng = self.rng
        group, name, path = self.place('d')
        kind = KINDS[rng.choice(FIXED + FIXED + VARIABLE)]
        made = {'shape': [rng.randint(1, 9) for _ in range(rng.randint(0, 3))]}
        how = rng.choice(['contiguous', 'compact', 'chunked', 'chunked', 'chunked'])
        if how == 'chunked' and made['shape']:
            made['chunk'] = [rng.randint(1, n) for n in made['shape']]
            made['max'] = [rng.choice([n, None, None, n + 5]) for n in made['shape']]
            made['filters'] = None if kind.variable else rng.choice([None, None, *FILTERS])
            if rng.random() < .15:
                made['allocation'] = 'early'
        elif how == 'compact':
            made['layout'] = 'compact'
        if not kind.variable and kind.dtype is not None and kind.dtype.kind in 'iuf' and rng.random() < .5:
            made['fill'] = bytes(kind.elements(rng, 1)[0]).hex()
        self.ask('create_dataset', kind=kind, path=path, **made)
        group.links[name] = Data(kind, made['shape'], made)
        if rng.random() < .7:
            self.write_to(path, group.links[name])

    def write(self):
        path, data = self.pick(Data)
        if data is not None:
            self.write_to(path, data)

    def write_to(self, path, data):
        rng, shape = self.rng, data.elements.shape
        if data.elements.size == 0:
            return
        way = rng.choice(['all', 'slabs', 'points']) if shape else 'all'
        if way == 'all':
            elements = data.kind.elements(rng, data.elements.size).reshape(shape)
            self.ask('write', kind=data.kind, path=path, at=None, elements=elements)
            data.elements = elements
        elif way == 'points':
            points = list(dict.fromkeys(tuple(rng.randrange(n) for n in shape) for _ in range(rng.randint(1, 6))))
            elements = data.kind.elements(rng, len(points))
            self.ask('write', kind=data.kind, path=path, at={'points': points}, elements=elements)
            for point, element in zip(points, elements):
                data.elements[point] = element
        else:
            slabs = [slab(rng, n) for n in shape]
            grid = np.ix_(*[[s + c * stride + b for c in range(count) for b in range(block)] for s, stride, count, block in slabs])
            elements = data.kind.elements(rng, data.elements[grid].size).reshape(data.elements[grid].shape)
            self.ask('write', kind=data.kind, path=path, at={'slabs': slabs}, elements=elements)
            data.elements[grid] = elements

    def resize(self):
        path, data = self.pick(Data)
        if data is not None and data.made.get('max'):
            most = [n if n is not None else 14 for n in data.made['max']]
            shape = [self.rng.randint(0, n) for n in most]
            self.ask('resize', path=path, shape=shape)
            data.resize(shape)

    def attribute(self, node=None, name=None):
        rng = self.rng
        path, node = node or self.pick((Group, Data, Named))
        kind = KINDS[rng.choice(FIXED + VARIABLE)]
        shape = rng.choice([[], [], [3], [0], [2, 2], [200]])
        elements = kind.elements(rng, int(np.prod(shape, dtype=int))).reshape(shape)
        name = name or rng.choice([*node.attributes, 'a', 'b', 'unit', 'ä', 'long' * 20])
        self.ask('set_attribute', kind=kind, path=path, name=name, elements=elements)
        node.attributes[name] = kind, elements

    def delete_attribute(self):
        path, node = self.pick((Group, Data, Named))
        if node.attributes:
            name = self.rng.choice(sorted(node.attributes))
            self.ask('delete_attribute', path=path, name=name)
            del node.attributes[name]

    def rename_attribute(self):
        path, node = self.pick((Group, Data, Named))
        if node.attributes:
            self.made += 1
            old, new = self.rng.choice(sorted(node.attributes)), 'renamed%d' % self.made
            self.ask('rename_attribute', path=path, **{'from': old, 'to': new})
            node.attributes[new] = node.attributes.pop(old)

    def many_attributes(self):
        node = self.pick((Group, Data, Named))
        for number in range(self.rng.choice([6, 9, 20, 60])):
            self.attribute(node, 'many %d' % number)

    def fewer_attributes(self):
        path, node = max(self.all((Group, Data, Named)), key=lambda found: len(found[1].attributes))
        for name in list(node.attributes):
            if self.rng.random() < .8:
                self.ask('delete_attribute', path=path, name=name)
                del node.attributes[name]

    def link(self):
        group, name, path = self.place('l')
        way = self.rng.choice(['soft', 'external', 'hard'])
        if way == 'soft':
            target = self.rng.choice(['/nowhere', 'l1', *[path for path, _ in self.all(Data)]])
            self.ask('link_soft', path=path, target=target)
            group.links[name] = ('soft', target)
        elif way == 'external':
            self.ask('link_external', path=path, target_file='other.h5', target='/there')
            group.links[name] = ('external', 'other.h5', '/there')
        else:
            target, node = self.pick((Data, Named))
            if node is not None:
                self.ask('link_hard', path=path, target=target)
                group.links[name] = node

    def many_links(self):
        group_path, group = self.pick(Group)
        soft = self.rng.random() < .6
        for _ in range(self.rng.choice([6, 10, 40])):
            self.made += 1
            name = 'm%d' % self.made
            path = (group_path + '/' + name).replace('//', '/')
            if soft:
                self.ask('link_soft', path=path, target='/to/%d' % self.made)
                group.links[name] = ('soft', '/to/%d' % self.made)
            else:
                self.ask('create_group', path=path, track_order=False)
                group.links[name] = Group()

    def fewer_links(self):
        path, group = max(self.all(Group), key=lambda found: len(found[1].links))
        for name in list(group.links):
            if self.rng.random() < .7:
                self.ask('unlink', path=(path + '/' + name).replace('//', '/'))
                del group.links[name]

    def any_link(self):
        """A group, a name in it, and the path."""
        path, group = self.rng.choice([found for found in self.all(Group) if found[1].links] or [(None, None)])
        if group is None:
            return None, None, None
        name = self.rng.choice(list(group.links))
        return group, name, (path + '/' + name).replace('//', '/')

    def unlink(self):
        group, name, path = self.any_link()
        if group is not None and self.rng.random() < .6:
            self.ask('unlink', path=path)
            del group.links[name]

    def rename(self):
        group, name, path = self.any_link()
        if group is None:
            return
        other, new, target = self.place('r')
        if (target + '/').startswith(path + '/'):
            return
        self.ask('rename', **{'from': path, 'to': target})
        other.links[new] = group.links.pop(name)

    def commit(self):
        group, name, path = self.place('t')
        kind = KINDS[self.rng.choice(FIXED)]
        self.ask('commit', kind=kind, path=path)
        group.links[name] = Named(kind)

    def flush(self):
        self.ask('flush')

    def refused(self):
        """Something that cannot be done."""
        group, name, path = self.any_link()
        kind = KINDS['<i4']
        wishes = [('unlink', {'path': '/nothing'}), ('delete_attribute', {'path': '/', 'name': 'nothing'}),
                  ('rename', {'from': '/nothing', 'to': '/something'}), ('resize', {'path': '/nothing', 'shape': [1]})]
        if group is not None:
            wishes += [('create_group', {'path': path, 'track_order': False}), ('link_soft', {'path': path, 'target': 'x'}),
                       ('create_dataset', {'path': path, 'kind': kind, 'shape': [3]}), ('commit', {'path': path, 'kind': kind})]
        op, request = self.rng.choice(wishes)
        try:
            self.ask(op, **request)
        except common.Refused as refused:
            kind = str(refused).split(':')[0]
            return None if kind in ('Usage', 'NotFound') else 'it is refused as %s' % refused
        return 'it is not refused'

    def check_h5py(self):
        with h5py.File(self.path, 'r') as f:
            return compare_h5py(self.root, f, '/')

    def check_hyperslab(self):
        self.script.ask('open', self.path, path=self.path, mode='r')
        found = self.script.ask('tree', self.path, path='/')
        self.script.ask('drop', self.path)
        return compare_hyperslab(self.root, found, '/')


def slab(rng, size):
    block = rng.randint(1, max(1, size // 2))
    stride = block + rng.randint(0, 2)
    start = rng.randint(0, size - block)
    return [start, stride, rng.randint(1, (size - start - block) // stride + 1), block]


def compare_h5py(node, found, path):
    """None, or where what h5py reads is not what the model has."""
    wrong = attributes_h5py(node, found, path)
    if wrong:
        return wrong
    if isinstance(node, Group):
        names = list(found)
        if (names if node.ordered else sorted(names)) != (list(node.links) if node.ordered else sorted(node.links)):
            return 'h5py reads %s: links %s, expected %s' % (path, names, list(node.links))
        for name, target in node.links.items():
            wrong = compare_link(target, found, name, (path + '/' + name).replace('//', '/'))
            if wrong:
                return wrong
    elif isinstance(node, Named):
        if not found.id.equal(node.kind.tid):
            return 'h5py reads %s: another datatype' % path
    else:
        return data_h5py(node, found, path)
    return None


def compare_link(target, group, name, path):
    link = group.get(name, getlink=True)
    if isinstance(target, tuple):
        told = ('soft', link.path) if isinstance(link, h5py.SoftLink) else \
            ('external', link.filename, link.path) if isinstance(link, h5py.ExternalLink) else ('hard',)
        return None if told == target else 'h5py reads %s: %s, expected %s' % (path, told, target)
    if not isinstance(link, h5py.HardLink):
        return 'h5py reads %s: %r' % (path, link)
    return compare_h5py(target, group[name], path)


def data_h5py(node, found, path):
    most = node.made.get('max')
    expected = (node.elements.shape, tuple(most) if most else tuple(node.made['shape']))
    if (found.shape, found.maxshape) != expected:
        return 'h5py reads %s: shape and maximum %s, expected %s' % (path, (found.shape, found.maxshape), expected)
    if found.chunks != (tuple(node.made['chunk']) if node.made.get('chunk') else None):
        return 'h5py reads %s: chunks %s' % (path, found.chunks)
    return elements_h5py(node.kind, found.id, node.elements, path, lambda out, of: found.id.read(h5s.ALL, h5s.ALL, out, mtype=of))


def elements_h5py(kind, there, elements, path, read):
    tid = there.get_type()
    if kinds.spec(tid) != kind.spec if kind.variable else not tid.equal(kind.tid):
        return 'h5py reads %s: another datatype' % path
    out = np.empty(elements.shape, object) if kind.variable else np.zeros(elements.shape, elements.dtype)
    if out.size:
        read(out, h5t.py_create(kind.dtype) if kind.variable else tid)
    found = [kinds.plain(v) for v in out.ravel()] if kind.variable else [bytes(v) for v in out.ravel()]
    return unequal('h5py', path, found, kind, elements)


def unequal(who, path, found, kind, elements):
    expected = list(elements.ravel()) if kind.variable else [bytes(v) for v in elements.ravel()]
    if found == expected:
        return None
    at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
    return '%s reads %s: %d elements of %s, %d expected; number %d is %s, expected %s' % (
        who, path, len(found), kind.name, len(expected), at, found[at:at + 1], expected[at:at + 1])


def attributes_h5py(node, found, path):
    if sorted(found.attrs) != sorted(node.attributes):
        return 'h5py reads %s: attributes %s, expected %s' % (path, sorted(found.attrs), sorted(node.attributes))
    for name, (kind, elements) in node.attributes.items():
        attribute = h5a.open(found.id, name.encode())
        where = '%s: attribute %s' % (path, name)
        if attribute.shape != elements.shape:
            return 'h5py reads %s: shape %s, expected %s' % (where, attribute.shape, elements.shape)
        wrong = elements_h5py(kind, attribute, elements, where, lambda out, of: attribute.read(out, mtype=of))
        if wrong:
            return wrong
    return None


def compare_hyperslab(node, found, path):
    """None, or where what hyperslab reads is not what the model has."""
    if sorted(found['attributes']) != sorted(node.attributes):
        return 'hyperslab reads %s: attributes %s, expected %s' % (path, sorted(found['attributes']), sorted(node.attributes))
    for name, (kind, elements) in node.attributes.items():
        wrong = elements_hyperslab(kind, found['attributes'][name], elements, '%s: attribute %s' % (path, name))
        if wrong:
            return wrong
    if isinstance(node, Data):
        if found['shape'] != list(node.elements.shape):
            return 'hyperslab reads %s: shape %s, expected %s' % (path, found['shape'], node.elements.shape)
        return elements_hyperslab(node.kind, found['elements'], node.elements, path)
    if isinstance(node, Named):
        return None
    if sorted(found['links']) != sorted(node.links):
        return 'hyperslab reads %s: links %s, expected %s' % (path, sorted(found['links']), sorted(node.links))
    for name, target in node.links.items():
        where, there = (path + '/' + name).replace('//', '/'), found['links'][name]
        if isinstance(target, tuple):
            expected = {'soft': target[1]} if target[0] == 'soft' else {'external': list(target[1:])}
            if there != expected:
                return 'hyperslab reads %s: %s, expected %s' % (where, there, expected)
            continue
        wrong = compare_hyperslab(target, there, where)
        if wrong:
            return wrong
    return None


def elements_hyperslab(kind, found, elements, path):
    if kind.variable:
        return unequal('hyperslab', path, found['values'], kind, elements)
    raw = bytes.fromhex(found['hex'])
    return unequal('hyperslab', path, [raw[i:i + kind.size] for i in range(0, len(raw), kind.size)], kind, elements)


def run(job):
    seed, number, folder, program, keep = job
    global PROGRAM
    if PROGRAM is None:
        PROGRAM = common.Script(program)
    script = Script(seed, number, folder, PROGRAM)
    signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    try:
        wrong = script.run()
    except TimeoutError:
        wrong = 'hangs'
        PROGRAM.process.kill()
        PROGRAM = None
    except EOFError as died:
        wrong, PROGRAM = str(died), None
    except common.Refused as refused:
        wrong = str(refused)
    except Exception as error:              # whatever h5py does not like about the file
        wrong = 'h5py: %s: %s' % (type(error).__name__, error)
    signal.alarm(0)
    if wrong and PROGRAM is not None:
        try:
            PROGRAM.ask('drop', script.path)
        except (EOFError, common.Refused):
            PROGRAM = None
    if keep:
        print('\n'.join(script.log))
        print(script.path)
    elif os.path.exists(script.path):
        os.remove(script.path)
    return number, wrong and 'script %d, begun by %s, after "%s": %s' % (number, script.begun, script.log[-1], wrong)


def in_batches(jobs):
    """Failures; a batch whose process dies is done again, one script in a process, to find the one that does it."""
    size = 1 if len(jobs) < 20 else 20
    batches = [jobs[i:i + size] for i in range(0, len(jobs), size)]
    with multiprocessing.pool.ThreadPool(2) as threads:
        for batch, found in threads.imap_unordered(in_a_process, batches):
            if found is not None:
                yield from found
            elif len(batch) == 1:
                yield batch[0][1], 'script %d: the process, h5py in it, is ended by a signal' % batch[0][1]
            else:
                for job in batch:
                    yield from in_batches([job])


def in_a_process(batch):
    """The failures of some scripts, or None when their process dies."""
    here, there = multiprocessing.Pipe(False)
    process = multiprocessing.get_context('fork').Process(target=run_all, args=(batch, there))
    process.start()
    there.close()
    try:
        found = here.recv()
    except EOFError:
        found = None
    process.join()
    return batch, found


def run_all(batch, answer):
    found = [run(job) for job in batch]
    answer.send([(number, wrong) for number, wrong in found if wrong])


def late(*_):
    raise TimeoutError


PROGRAM = None
LONGEST = 60        # seconds for one script
STRICT = False


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--n', type=int, default=1000)
    ap.add_argument('--seed', default='1')
    ap.add_argument('--only', type=int, help='one script, whose steps are shown and whose file is kept')
    ap.add_argument('--strict', action='store_true', help='hyperslab reads all after each operation, not only after each session')
    ap.add_argument('--script', help='the program, when it is not the one of the release build')
    a = ap.parse_args()
    global STRICT
    STRICT = a.strict
    if not a.script:
        common.need('edits', common.SCRIPT)
    folder = tempfile.mkdtemp(prefix='hyperslab-edits-', dir=common.temporary())
    numbers = range(a.n) if a.only is None else [a.only]
    jobs = [(a.seed, number, folder, a.script, a.only is not None) for number in numbers]
    failures = sorted(in_batches(jobs))
    if a.only is None:
        shutil.rmtree(folder)
    common.finish('edits', len(jobs) - len(failures), [wrong for _, wrong in failures])


if __name__ == '__main__':
    main()
