"""What a live writer does in the traces of swmr.py, and what a reader may see after any part of it.

A kind is a sequence of steps, each ended by a flush. When `done` steps were acknowledged, a reader sees the state after
`done` steps or, since the flush of the next may be under way, after one more; never anything else.
"""
import json

import numpy as np

WIDTH = 64
GZIP = dict(compression='gzip', compression_opts=1)


def row(i, width=WIDTH):
    return np.arange(width, dtype='u4') * 7 + np.uint32(13 * i + 1)


def rows(count, width=WIDTH):
    i = np.arange(count, dtype='u4')[:, None]
    return np.arange(width, dtype='u4')[None, :] * 7 + i * 13 + 1


class Kind:
    """One file; `get` gives a checked file's dataset of a name."""

    #: Whether flushes wait for the disk, and the loss of writes is tried as well.
    durable = False
    #: Every so many states are looked at, besides those after a step.
    stride = 1
    #: Whether a reader that has the file open all the time is asked too.
    follows = True

    def __init__(self, name):
        self.name = name

    def open(self, h5, path):
        return h5.File(path, 'w', libver=('v110', 'v110'))

    def write(self, h5, path, mark):
        with self.open(h5, path) as f:
            self.create(f)
            f.swmr_mode = True
            mark('live', self.state(f))
            for number in range(self.count):
                self.step(f, number)
                self.flush(f)
                mark('done', self.state(f))
            mark('closing')
        mark('closed')

    def create(self, f):
        raise NotImplementedError

    def step(self, f, number):
        """One of `count` steps."""
        raise NotImplementedError

    def state(self, f):
        """What is noted of a step for the check."""
        return None

    def flush(self, f):
        f['d'].flush(**({'durable': True} if self.durable else {}))

    def check(self, get, done, states):
        """None, or what is wrong."""
        raise NotImplementedError


class Rows(Kind):
    """Row after row along an axis."""

    def __init__(self, name, per=1, axis=0, count=100, before=0, durable=False, record=False, both=False, width=WIDTH,
                 stride=1, **options):
        super().__init__(name)
        self.per, self.axis, self.count, self.before, self.durable = per, axis, count, before, durable
        self.width, self.options, self.stride, self.both = width, options, stride, both
        self.record = np.dtype([('a field with a long name, number %03d' % i, 'u4') for i in range(width)]) if record else None

    def shape(self, length):
        if self.record:
            return (length,)
        return (length, self.width) if self.axis == 0 else (self.width, length)

    def create(self, f):
        most = (None, None) if self.both else tuple(None if at == self.axis else n for at, n in enumerate(self.shape(0)))
        d = f.create_dataset('d', self.shape(self.before), self.record or 'u4', maxshape=most, chunks=self.shape(self.per), **self.options)
        if self.before:
            d[...] = rows(self.before, self.width)

    def step(self, f, number):
        d, i = f['d'], self.before + number
        d.resize(i + 1, axis=self.axis)
        new = row(i, self.width)
        d[(slice(None),) * self.axis + (i,)] = new.view(self.record)[0] if self.record else new

    def check(self, get, done, states):
        d = get('d')
        n, done = d.shape[self.axis], done + self.before
        if not done <= n <= done + 1:
            return '%d rows, not %d or the next' % (n, done)
        first = max(0, n - 40) if self.before else 0
        found = d[(slice(None),) * self.axis + (slice(first, n),)]
        if self.record:
            found = np.ascontiguousarray(found).view('u4').reshape(-1, self.width)
        found = found if self.axis == 0 else found.T
        wrong = np.nonzero((found != rows(n, self.width)[first:]).any(axis=1))[0]
        if len(wrong):
            return 'row %d of %d is wrong (%d flushed)' % (wrong[0] + first, n, done)


class Fixed(Kind):
    """Rows of a dataset that has all its length from the start; what was not written reads as the fill value."""

    def __init__(self, name, length=100, order=None, durable=False, stride=1, **options):
        super().__init__(name)
        self.length, self.durable, self.options, self.stride = length, durable, options, stride
        self.order = list(order or range(length))
        self.count = len(self.order)

    def create(self, f):
        f.create_dataset('d', (self.length, WIDTH), 'u4', chunks=(1, WIDTH), fillvalue=5, **self.options)

    def step(self, f, number):
        i = self.order[number]
        f['d'][i] = row(i)

    def check(self, get, done, states):
        d = get('d')
        expected = np.full((self.length, WIDTH), 5, 'u4')
        for i in self.order[:done]:
            expected[i] = row(i)
        some = sorted(set(self.order[max(0, done - 40):done + 3]) | set(self.order[:3])) if self.length > 500 else slice(None)
        found, expected = d[some], expected[some]
        if (found == expected).all():
            return None
        if done < len(self.order):
            at = self.order[done] if some == slice(None) else some.index(self.order[done])
            if (found[at] == row(self.order[done])).all():
                expected[at] = found[at]
        wrong = np.nonzero((found != expected).any(axis=1))[0]
        return 'row %s is wrong (%d flushed)' % (wrong[0], done) if len(wrong) else None


class States(Kind):
    """Whole states of one small dataset.

    In `loose` ones elements that readers know are overwritten where they are, or in several chunks, so are new one by one.
    """

    def __init__(self, name, make, plan, loose=False, repeat=1):
        super().__init__(name)
        self.make, self.loose = make, loose
        steps = [step for turn in range(repeat) for step in plan(turn)]
        self.changes, self.states = [change for change, _ in steps], [np.array(state) for _, state in steps]
        self.count = len(steps)

    def create(self, f):
        self.make(f)

    def step(self, f, number):
        self.changes[number](f['d'])

    def check(self, get, done, states):
        found = get('d')[()]
        near = self.states[max(0, done - 1):done + 1] if done else self.states[:1] + [np.zeros_like(found)]
        if any(found.shape == state.shape and (found == state).all() for state in near):
            return None
        if not done and not found.size:
            return None
        if self.loose and found.shape in [state.shape for state in near]:
            # A sector may end within an element.
            known = np.zeros(found.shape + (4,), bool)
            for state in near:
                both = tuple(slice(0, min(a, b)) for a, b in zip(found.shape, state.shape))
                known[both] |= parts(found[both]) == parts(state[both])
            if known.all():
                return None
        return 'neither the state after step %d nor the next: shape %s, first row %s' % (
            done, found.shape, found.reshape(-1, WIDTH)[:1, :2].tolist())


def parts(elements):
    """The bytes of elements."""
    return np.ascontiguousarray(elements).view('u1').reshape(elements.shape + (4,))


def shrinking(name, per, **options):
    """Grows to six rows, is cut to two, grows to five of which three are new."""
    def make(f):
        f.create_dataset('d', (0, WIDTH), 'u4', maxshape=(None, options.pop('second', WIDTH)), chunks=(per, WIDTH), **options)

    def plan(turn):
        old, new = rows(6) + np.uint32(1000 * turn), rows(5) + np.uint32(1000 * turn + 500)
        kept = old[:2]

        def grow(d):
            d.resize(6, axis=0)
            d[...] = old

        def put(d):
            d[2:] = new[2:]
        blank = np.concatenate([kept, np.zeros((3, WIDTH), 'u4')])
        return [(grow, old), (lambda d: d.resize(2, axis=0), kept), (lambda d: d.resize(5, axis=0), blank),
                (put, np.concatenate([kept, new[2:]])), (lambda d: d.resize(1, axis=0), kept[:1])]
    return States(name, make, plan, loose=True, repeat=6)


def rewriting(name, chunk=(1, WIDTH), loose=False, count=4, make=None, **options):
    """Row after row gets another value, which takes as many bytes."""
    def create(f):
        if make:
            make(f)
        else:
            f.create_dataset('d', (count, WIDTH), 'u4', chunks=chunk, **options)
    now = np.zeros((count, WIDTH), 'u4')

    def plan(turn):
        steps = []
        for i in range(count):
            value = 1 + turn * count + i
            now[i] = value

            def put(d, i=i, value=value):
                d[i] = np.full(WIDTH, value, 'u4')
            steps.append((put, now.copy()))
        return steps
    return States(name, create, plan, loose=loose, repeat=8)


def early(f):
    """Chunks without an index: all have their places from the start."""
    import sys
    h5 = sys.modules[type(f).__module__.split('.')[0]]
    dcpl = h5.h5p.create(h5.h5p.DATASET_CREATE)
    dcpl.set_alloc_time(h5.h5d.ALLOC_TIME_EARLY)
    f.create_dataset('d', (4, WIDTH), 'u4', chunks=(1, WIDTH), dcpl=dcpl)


class Together(Kind):
    """Many datasets flushed at once; the last of them counts the others."""

    def __init__(self, name, many=20, count=12, stride=1, **options):
        super().__init__(name)
        self.many, self.count, self.stride, self.options = many, count, stride, options

    def create(self, f):
        for i in range(self.many):
            f.create_dataset('d%d' % i, (0, WIDTH), 'u4', maxshape=(None, WIDTH), chunks=(1 + i % 3, WIDTH), **self.options)
        f.create_dataset('counter', (0,), 'u4', maxshape=(None,), chunks=(16,))

    def step(self, f, number):
        for i in range(self.many):
            f['d%d' % i].append(row(number))
        f['counter'].append(np.array([number + 1], 'u4'))

    def flush(self, f):
        f.flush_together([f['d%d' % i] for i in range(self.many)] + [f['counter']])

    def check(self, get, done, states):
        counter = get('counter')[()]
        if counter.tolist() != list(range(1, len(counter) + 1)) or not done <= len(counter) <= done + 1:
            return 'the counter is %s (%d flushed)' % (counter.tolist(), done)
        some = range(self.many) if self.many < 50 else sorted({0, 1, self.many // 2, self.many - 1, (done * 37) % self.many})
        for i in some:
            found = get('d%d' % i)[()]
            if not len(counter) <= len(found) <= done + 1:
                return 'dataset %d has %d rows, the counter says %d (%d flushed)' % (i, len(found), len(counter), done)
            if (found != rows(len(found))).any():
                return 'dataset %d has a wrong row of %d' % (i, len(found))


def describe(node):
    """All that is to be seen of a group: links, shapes, values, attributes."""
    found = {'attributes': attributes(node)}
    for name in sorted(node):
        child = node[name]
        if hasattr(child, 'shape'):
            value = child[()] if child.size < 1 << 16 else child[:20]
            value = value.tolist() if hasattr(value, 'tolist') else value
            found[name] = [list(child.shape), repr(value), attributes(child)]
        else:
            found[name] = describe(child)
    return found


def merged(before, after):
    """What moves from one group to another is seen in both for a moment."""
    both = {**before, **after}
    for name in set(before) & set(after):
        if isinstance(before[name], dict) and name != 'attributes':
            both[name] = merged(before[name], after[name])
    return both


def attributes(node):
    return {name: repr(np.asarray(node.attrs[name]).tolist()) for name in sorted(node.attrs)}


class Additions(Kind):
    """New objects, links, attributes and strings; every step changes one object."""

    follows = False

    def __init__(self, name, steps, stride=1):
        super().__init__(name)
        self.stride = stride
        self.adds, self.count = steps, len(steps)

    def create(self, f):
        f.create_dataset('d', (0, WIDTH), 'u4', maxshape=(None, WIDTH), chunks=(1, WIDTH))
        f.create_dataset('words', (0,), np.dtype('O', metadata={'vlen': str}), maxshape=(None,), chunks=(4,))
        f.create_group('g')
        f['d'].attrs['old'] = 1
        f['d'].attrs['word'] = 'short'

    def step(self, f, number):
        self.adds[number](f)

    def flush(self, f):
        f.flush()

    def state(self, f):
        return json.loads(json.dumps(describe(f)))

    def check(self, get, done, states):
        found = describe(get('/'))
        near = states[done]
        if found in states[done:done + 2] or found == merged(near, states[min(done + 1, len(states) - 1)]):
            return None
        keys = [key for key in sorted(set(found) | set(near)) if found.get(key) != near.get(key)]
        return 'neither the state after step %d nor the next: %s' % (
            done, '; '.join('%s: %s, was %s' % (key, str(found.get(key))[:90], str(near.get(key))[:90]) for key in keys[:3]))


def additions():
    def data(name, **options):
        return lambda f: f.create_dataset(name, data=np.arange(40, dtype='u4'), **options)

    def attributed(name, count):
        def add(f):
            d = f.create_dataset(name, (3,), 'i4', maxshape=(None,), chunks=(2,))
            for i in range(count):
                d.attrs['attribute %d' % i] = i
        return add

    def setting(path, name, value):
        return lambda f: f[path].attrs.__setitem__(name, value)

    def said(*words):
        def add(f):
            d = f['words']
            d.append(np.array(words, dtype=object))
        return add
    steps = [data('new'), lambda f: f.create_group('h'), data('g/inside', chunks=(8,)), data('h/packed', chunks=(8,), **GZIP)]
    steps += [data('link %d' % i) for i in range(14)]
    steps += [data('h/a link with a rather long name, so that the header is soon full, number %d' % i) for i in range(12)]
    steps += [setting('d', 'old', 2), setting('d', 'word', 'longer than it was'), setting('d', 'word', 'x'), setting('d', 'array', list(range(50)))]
    steps += [setting('d', 'number %d' % i, i) for i in range(20)]
    steps += [setting('d', 'number %d' % i, 'now %d' % i) for i in (0, 7, 19)]
    steps += [lambda f: f['d'].attrs.modify('old', 3), lambda f: f['d'].attrs.__delitem__('number 3'), setting('g', 'of a group', 1), setting('/', 'of the root', 'r')]
    steps += [attributed('three', 3), attributed('nine', 9), attributed('twenty', 20), setting('three', 'fourth', 4), setting('nine', 'tenth', 10)]
    steps += [said('a', 'word'), said('ü' * 3000, ''), said(*['%d' % i for i in range(30)]), said('last')]
    steps += [lambda f: f.__setitem__('hard', f['d']), lambda f: f.__setitem__('soft', f['d'][0:0].size and None or _soft(f)),
              lambda f: f.__delitem__('link 3'), lambda f: f.move('link 4', 'g/moved')]
    return steps


def _soft(f):
    import sys
    return sys.modules[type(f).__module__.split('.')[0]].SoftLink('/d')


def kinds(long):
    more, few = (150, {}) if long else (30, dict(stride=3))
    scattered = [(i * 701) % 3000 for i in range(40 if long else 12)]
    every = [
        Rows('ea1', count=more), Rows('ea8', per=8, count=more), Rows('eaz1', count=more, **GZIP), Rows('eaz8', per=8, count=more, **GZIP),
        Rows('eaf8', per=8, count=more, fletcher32=True, shuffle=True, **GZIP),
        Rows('b2', both=True, count=120, **few), Rows('b2z8', per=8, both=True, count=more, **GZIP),
        Rows('axis 1', axis=1, count=more), Rows('long record', record=True, count=40), Rows('long record, gzip', per=8, record=True, count=40, **GZIP),
        Fixed('fa', length=more), Fixed('faz', length=more, **GZIP),
        Fixed('fa, pages', length=3000, order=scattered),
        Fixed('faz, pages', length=3000, order=scattered, **GZIP),
        Rows('durable ea1', durable=True, count=40), Rows('durable eaz8', per=8, durable=True, count=40, **GZIP),
        Rows('durable b2', both=True, durable=True, count=40), Fixed('durable fa', length=100, order=range(0, 100, 3), durable=True),
        Rows('durable ea1, many', before=800, durable=True, count=more // 3), Rows('durable eaz1, many', before=1500, durable=True, count=more // 3, **GZIP),
        Rows('ea1, many', before=1500, count=more // 2), Rows('eaz1, many', before=1500, count=more // 2, **GZIP),
        Rows('b2, many', both=True, before=3000, count=60, width=2, **few),
        shrinking('shrink 1', 1), shrinking('shrink 8', 8), shrinking('shrink gzip 1', 1, **GZIP), shrinking('shrink gzip 4', 4, **GZIP),
        shrinking('shrink b2', 1, second=None), shrinking('shrink b2 gzip 4', 4, second=None, **GZIP),
        rewriting('rewrite gzip', **GZIP), rewriting('rewrite gzip 2', chunk=(2, WIDTH), **GZIP),
        rewriting('rewrite b2 gzip', maxshape=(None, None), **GZIP), rewriting('rewrite ea gzip', maxshape=(None, WIDTH), **GZIP),
        rewriting('single', chunk=(4, WIDTH), loose=True), rewriting('single gzip', chunk=(4, WIDTH), **GZIP), rewriting('implicit', loose=True, make=early),
        rewriting('contiguous', loose=True, make=lambda f: f.create_dataset('d', (4, WIDTH), 'u4')),
        Together('together', **few), Together('together gzip', many=6, count=more // 5, **few, **GZIP), Additions('additions', additions(), stride=1 if long else 5),
        Rows('pages', before=131060 - more // 5, count=more // 2, width=1), Rows('pages gzip', before=131060 - more // 5, count=more // 2, width=1, **few, **GZIP),
        Together('many together', many=4000 if long else 300, count=2, stride=37),
    ]
    return every
