#!/usr/bin/env python3
"""Damaged files, read by hyperslab and by h5py: neither may hurt, and what both read without an error must be the same.

    mutants.py --seeds DIR [--n 5000] [--seed 1] [--keep DIR] [--json FILE]

Mutant i of a seed is what `tools/mutate.py` makes of the files in DIR. Each is walked whole in a child process, because h5py may crash; hyperslab
may not crash, panic, hang, or take more than 1 GiB. Names, shapes, values, attributes and links are compared one by one, also in files of
which another part is refused by either. `--keep` keeps the files that differ or hurt; a difference is printed with both values.
"""
import argparse
import collections
import hashlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time

import common

MEMORY = 1024               # MiB at the peak
WHOLE = 4 << 20             # datasets up to this many bytes are compared whole, of others three elements
OBJECTS = 2000
SPACE = 4 << 30             # of addresses; more is a MemoryError


def canonical(value):
    """Something with a `repr` that depends on the value only: no padding, no addresses of objects."""
    import numpy
    if isinstance(value, numpy.ndarray):
        if value.dtype.names or value.dtype.hasobject:
            return [value.shape, [canonical(item) for item in value.ravel().tolist()]]
        if value.dtype.kind in 'fc':
            value = numpy.where(value == value, value, numpy.array('nan', value.dtype))     # a NaN is a NaN
        return [value.shape, value.dtype.str, hashlib.sha256(value.tobytes()).hexdigest()[:16], value.ravel()[:4].tolist()]
    if isinstance(value, (tuple, list)):
        return [canonical(item) for item in value]
    if isinstance(value, numpy.void) and value.dtype.names:
        return [canonical(item) for item in value.tolist()]
    if isinstance(value, numpy.generic):
        return [value.dtype.str, value.tobytes().hex()]
    if isinstance(value, (str, bytes, int, float, complex, bool)) or value is None:
        return repr(value)
    name = type(value).__name__
    return [name, bool(value)] if name.endswith('Reference') else [name]


def walk(module, path):
    """What there is in a file, by place; errors have their place too."""
    found, errors = {}, {}

    def note(place, read):
        try:
            value = read()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:      # a panic is not an Exception
            errors[place] = '%s: %s' % (type(error).__name__, str(error)[:300])
            return None
        return value

    def keep(place, read):
        value = note(place, lambda: repr(canonical(read())))
        if value is not None:
            found[place] = value if len(value) < 400 else value[:300] + '... ' + hashlib.sha256(value.encode()).hexdigest()[:16]

    def attributes(place, item):
        names = note(place + '@', lambda: list(item.attrs.keys()))
        found[place + '@'] = repr(sorted(map(repr, names))) if names is not None else None
        for name in (names or [])[:200]:
            keep('%s@%s' % (place, name), lambda: item.attrs[name])

    def dataset(place, item):
        shape, dtype = note(place + ':shape', lambda: item.shape), note(place + ':dtype', lambda: item.dtype)
        if dtype is None or place + ':shape' in errors:
            return
        found[place + ':shape'] = repr(shape)
        count = 1
        for length in shape or ():
            count *= length
        if count * max(1, dtype.itemsize) <= WHOLE:
            keep(place, lambda: item[()])
        else:
            for at in ((0,) * len(shape), tuple(n // 2 for n in shape), tuple(n - 1 for n in shape)):
                keep('%s%r' % (place, at), lambda: item[at])

    def visit():
        with module.File(path, 'r') as file:
            attributes('/', file)
            todo, seen = [('', file, 0)], []
            while todo:
                place, group, depth = todo.pop()
                names = note(place + '/', lambda: list(group.keys()))
                found[place + '/'] = repr(sorted(map(shortened, names))) if names is not None else None
                for name in names or []:
                    if len(found) > OBJECTS:
                        return
                    below = '%s/%s' % (place, name if isinstance(name, str) else repr(name))
                    keep(below + ':link', lambda: link(group, name))
                    item = note(below, lambda: group[name])
                    if item is None:
                        continue
                    attributes(below, item)
                    if hasattr(item, 'create_group'):
                        if depth < 20 and not any(item == other for other in seen):
                            seen.append(item)
                            todo.append((below, item, depth + 1))
                    elif hasattr(item, 'shape'):
                        dataset(below, item)

    note('', visit)
    return {'found': {k: v for k, v in found.items() if v is not None}, 'errors': errors}


def shortened(name):
    """A name up to a zero byte in it, where it ends for libhdf5."""
    return repr(name.split('\0' if isinstance(name, str) else b'\0')[0])


def link(group, name):
    found = group.get(name, getlink=True)
    if found is None:
        # Names in a wrong order are listed, but whether a search finds them is luck.
        raise KeyError(name)
    return [type(found).__name__, shortened(getattr(found, 'path', '')), shortened(getattr(found, 'filename', ''))]


def forked(module, path, report, seconds):
    """How a child that walks the file ended, and what it saw."""
    started = time.time()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            with open(report, 'w') as out:
                json.dump(walk(module, path), out)
        finally:
            os._exit(0)
    while True:
        ended, status, used = os.wait4(child, os.WNOHANG)
        if ended:
            break
        # A busy machine may take long for little work.
        if time.time() - started > 30 * seconds:
            os.kill(child, signal.SIGKILL)
            os.wait4(child, 0)
            return 'timeout', {}
        time.sleep(0.001)
    if os.WIFSIGNALED(status):
        return 'timeout' if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL) else 'abort', {}
    try:
        with open(report) as text:
            seen = json.load(text)
    except ValueError:
        return 'abort', {}
    if any(said.startswith('PanicException') for said in seen['errors'].values()):
        return 'panic', seen
    if used.ru_maxrss >> 10 > MEMORY or any(said.startswith('MemoryError') for said in seen['errors'].values()):
        return 'mem', seen
    return ('error' if seen['errors'] else 'ok'), seen


def differences(ours, theirs):
    """Places that both read, and read differently."""
    return {place: (ours['found'][place], theirs['found'][place]) for place in sorted(set(ours['found']) & set(theirs['found']))
            if ours['found'][place] != theirs['found'][place]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--seeds', required=True, help='folder of files to damage')
    parser.add_argument('--n', type=int, default=5000)
    parser.add_argument('--start', type=int, default=0)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--max-size', type=int, default=256 << 10, help='larger files are left out')
    parser.add_argument('--alone', action='store_true', help='only hyperslab, which is three times faster')
    parser.add_argument('--keep', help='folder for the files that differ or hurt')
    parser.add_argument('--json', help='file for the outcome')
    args = parser.parse_args()
    common.need('mutants', common.TOOLS)
    sys.path.insert(0, common.TOOLS)
    import hyperslab
    import mutate
    import h5py
    paths = sorted(os.path.join(root, name) for root, _, names in os.walk(args.seeds) for name in names if name.endswith(('.h5', '.hdf5', '.nc')))
    paths = [path for path in paths if 0 < os.path.getsize(path) <= args.max_size]
    for module in (hyperslab, h5py):
        walk(module, paths[0])
    outcomes, shown, seeds = collections.Counter(), [], {}
    with tempfile.TemporaryDirectory(dir=common.temporary()) as folder:
        path, report = os.path.join(folder, 'm.h5'), os.path.join(folder, 'seen')
        for number in range(args.start, args.start + args.n):
            rng = random.Random('%d/%d' % (args.seed, number))
            origin = rng.choice(paths)
            if origin not in seeds:
                seeds[origin] = mutate.Seed(origin)
            kind, data = mutate.mutate(seeds[origin], rng)
            with open(path, 'wb') as out:
                out.write(data)
            outcome, ours = forked(hyperslab, path, report, 5)
            outcomes[outcome] += 1
            what = {'': [outcome, str(list(ours.get('errors', {}).values())[:1])]} if outcome not in ('ok', 'error') else {}
            if not what and ours['found'] and not args.alone:
                other, theirs = forked(h5py, path, report, 5)
                outcomes['h5py ' + other] += 1
                what = differences(ours, theirs) if theirs else {}
                outcomes['differ'] += bool(what)
            if what:
                shown.append({'mutant': '%d/%d' % (args.seed, number), 'kind': kind, 'seed': os.path.relpath(origin, args.seeds), 'what': what})
                print(json.dumps(shown[-1])[:2000], flush=True)
                if args.keep:
                    os.makedirs(args.keep, exist_ok=True)
                    with open(os.path.join(args.keep, '%d-%06d-%s.h5' % (args.seed, number, kind)), 'wb') as out:
                        out.write(data)
            if args.json and number % 500 == 499:
                save(args.json, outcomes, shown)
    if args.json:
        save(args.json, outcomes, shown)
    print('%d mutants of %d files, seed %d: %s' % (args.n, len(paths), args.seed, dict(outcomes)))
    return 1 if shown else 0


def save(path, outcomes, shown):
    with open(path, 'w') as out:
        json.dump({'outcomes': outcomes, 'shown': shown}, out, indent=1)


if __name__ == '__main__':
    sys.exit(main())
