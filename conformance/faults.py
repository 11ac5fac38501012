#!/usr/bin/env python3
"""Every system call of a script of 200 operations fails once; what an earlier flush wrote is still there.

    faults.py --seed 1 --stride 1 [--begun 'hyperslab v110']

The script makes and changes a file as `edits.py` does and flushes it now and then. A library loaded before the C
library (faults.c, compiled here) lets call number i fail: reads and writes with EIO, writes and truncations with
ENOSPC, all with EINTR, and reads and writes move fewer bytes than asked for. After EINTR and short transfers all goes
on as if nothing had been. After the others an operation fails, nothing that is to write succeeds after a failed write,
the program does not panic, and h5py reads what the last flush before left: elements written since may be new or old.
"""
import argparse
import copy
import json
import multiprocessing
import os
import shutil
import subprocess
import tempfile

import h5py
import numpy as np
from h5py import h5s

import common
import edits

OPERATIONS = 200
KINDS = {'r': ('EIO', 'EINTR', 'SHORT'), 'w': ('ENOSPC', 'EIO', 'EINTR', 'SHORT'), 't': ('ENOSPC', 'EIO', 'EINTR'),
         's': ('EIO', 'ENOSPC', 'EINTR')}
WRITING = ('w', 't', 's')


class Recorder(edits.ByHyperslab):
    """Writes down the requests instead of asking."""

    def __init__(self, path):
        self.path, self.requests = path, []

    def ask(self, op, **request):
        self.requests.append(dict(request, op=op, file='f'))


class Plan(edits.Script):
    """The requests, and the model after each flush."""

    def __init__(self, seed, begun):
        super().__init__(seed, 0, '.', None)
        self.begun, self.by_h5py, self.uid, self.fresh = begun, False, 0, set()
        self.root, self.do = edits.Group(), Recorder('FILE')
        self.do('begin', bounds=begun.split()[1], order=False)
        self.flushes, self.models, self.later = [], [], [{}]
        while len(self.do.requests) < OPERATIONS:
            before = len(self.do.requests)
            self.step()
            if before // 20 != len(self.do.requests) // 20:
                self.flush()
        self.do('close')
        self.note()

    def note(self):
        self.flushes.append(len(self.do.requests) - 1)
        self.models.append(copy.deepcopy(self.root))
        self.later.append({})
        self.fresh = set()

    def flush(self):
        self.do('flush')
        self.note()

    def create_dataset(self):
        before = {id(data) for _, data in self.all(edits.Data)}
        super().create_dataset()
        for _, data in self.all(edits.Data):
            if id(data) not in before:
                self.uid += 1
                data.uid = self.uid
                self.fresh.add(data.uid)

    def changed(self, data):
        """Elements that were flushed before may be found as they are from now on."""
        self.later[-1].setdefault(data.uid, []).append(data.elements.copy())

    def write_to(self, path, data):
        # What is in a heap is reached through elements: old ones go when new ones are written.
        if data.kind.variable and getattr(data, 'uid', None) not in self.fresh and hasattr(data, 'uid'):
            return
        super().write_to(path, data)
        if hasattr(data, 'uid'):
            self.changed(data)

    def resize(self):
        super().resize()
        for _, data in self.all(edits.Data):
            self.changed(data)

    def refused(self):
        return None


def adopt(node, found, later):
    """Puts the elements that h5py finds into the model, where they are ones that were written since."""
    for name, target in node.links.items():
        if isinstance(target, edits.Group):
            if isinstance(found.get(name), h5py.Group):
                adopt(target, found[name], later)
        elif isinstance(target, edits.Data) and not target.kind.variable and isinstance(found.get(name), h5py.Dataset):
            others, data = later.get(target.uid, []), found[name]
            if not others or data.shape != target.elements.shape or not target.elements.size:
                continue
            there = np.zeros(target.elements.shape, target.elements.dtype)
            data.id.read(h5s.ALL, h5s.ALL, there, mtype=data.id.get_type())
            for other in others:
                new = edits.fresh(target.kind, target.elements.shape, target.fill)
                both = tuple(slice(0, min(a, b)) for a, b in zip(other.shape, new.shape))
                new[both] = other[both]
                for at in np.ndindex(*there.shape):
                    if bytes(there[at]) == bytes(new[at]):
                        target.elements[at] = new[at]


def run(at, kind, path, names=None):
    """The answers to the requests up to the first error and a few more, and how the program ended."""
    environment = dict(os.environ, LD_PRELOAD=LIBRARY, FAULT_AT=str(at), FAULT_KIND=kind, HDF5_USE_FILE_LOCKING='FALSE')
    if names:
        environment['FAULT_LIST'] = names
    requests = [dict(request, path=path) if request['op'] == 'open' else request for request in PLAN.do.requests]
    text = ''.join(json.dumps(request) + '\n' for request in requests)
    done = subprocess.run([PROGRAM], input=text, capture_output=True, text=True, env=environment, timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode, done.stderr


def check(job):
    """None, or what is wrong."""
    at, letter, kind = job
    path = os.path.join(FOLDER, '%d-%s.h5' % (at, kind))
    try:
        wrong = outcome(at, letter, kind, path)
    except Exception as error:              # whatever h5py does not like about the file
        wrong = '%s: %s' % (type(error).__name__, error)
    if os.path.exists(path) and not KEEP:
        os.remove(path)
    return job, wrong and 'call %d (%s), %s: %s' % (at, letter, kind, wrong)


def outcome(at, letter, kind, path):
    answers, code, err = run(at, kind, path)
    if code != 0 or len(answers) != len(PLAN.do.requests):
        return 'the program ended with %s: %s' % (code, err.strip()[-300:])
    errors = [i for i, answer in enumerate(answers) if 'error' in answer]
    if kind in ('EINTR', 'SHORT'):
        if errors:
            return '%s failed: %s' % (PLAN.do.requests[errors[0]]['op'], answers[errors[0]]['error'])
        return compare(len(PLAN.models) - 1, path)
    if not errors:
        return 'no operation failed'
    first = errors[0]
    if not answers[first]['error'].startswith('Io: '):
        return '%s is said to fail as %s' % (PLAN.do.requests[first]['op'], answers[first]['error'])
    if PLAN.do.requests[first]['op'] == 'open':
        return None
    if letter in WRITING:
        pretend = [i for i in range(first, len(answers)) if i not in errors]
        if pretend:
            return '%s failed, then %s (request %d) succeeded' % (PLAN.do.requests[first]['op'], PLAN.do.requests[pretend[0]]['op'], pretend[0])
    acknowledged = [number for number, flush in enumerate(PLAN.flushes) if flush < first]
    if letter == 'r':
        # What failed was not done, and later requests may need it: only that the file is sound is known.
        with h5py.File(path, 'r') as f:
            f.visititems(read)
        return None
    if not acknowledged:
        return None
    wrong = compare(acknowledged[-1], path)
    if wrong and PLAN.do.requests[first]['op'] in ('flush', 'close') and letter != 'w':
        return compare(acknowledged[-1] + 1, path)      # all was written when the last call failed
    return wrong


def read(_, node):
    if isinstance(node, h5py.Dataset) and node.size:
        raw = np.zeros(node.shape, 'V%d' % node.id.get_type().get_size())
        if node.dtype.kind == 'O':
            node[()]
        else:
            node.id.read(h5s.ALL, h5s.ALL, raw, mtype=node.id.get_type())


def compare(number, path):
    model = copy.deepcopy(PLAN.models[number])
    with h5py.File(path, 'r') as f:
        adopt(model, f, PLAN.later[number + 1])
        return edits.compare_h5py(model, f, '/')


def main():
    global PLAN, PROGRAM, FOLDER, LIBRARY, KEEP
    ap = argparse.ArgumentParser()
    ap.add_argument('--seed', default='1')
    ap.add_argument('--stride', type=int, default=1, help='only every so many calls')
    ap.add_argument('--begun', help='the form of the file: "hyperslab v110" or "hyperslab earliest"; both by default')
    ap.add_argument('--script', help='the program, when it is not the one of the release build')
    ap.add_argument('--keep', action='store_true')
    a = ap.parse_args()
    PROGRAM, KEEP = os.path.abspath(a.script or common.SCRIPT), a.keep
    common.need('faults', PROGRAM)
    FOLDER = tempfile.mkdtemp(prefix='hyperslab-faults-', dir=common.temporary())
    LIBRARY = common.shim('faults', FOLDER)
    failures, passed = [], 0
    for begun in [a.begun] if a.begun else ['hyperslab v110', 'hyperslab earliest']:
        PLAN = Plan(a.seed, begun)
        names = os.path.join(FOLDER, 'calls')
        path = os.path.join(FOLDER, 'whole.h5')
        answers, code, err = run(-1, 'none', path, names)
        errors = [(r['op'], answer['error']) for r, answer in zip(PLAN.do.requests, answers) if 'error' in answer]
        wrong = 'without a fault: %s' % (errors[0],) if errors else compare(len(PLAN.models) - 1, path) if code == 0 else err
        if wrong:
            failures.append('%s: %s' % (begun, wrong))
            continue
        with open(names) as f:
            calls = f.read()
        jobs = [(i, letter, kind) for i, letter in enumerate(calls) for kind in KINDS[letter] if i % a.stride == 0]
        print('%s: %d requests, %d calls (%s), %d faults' % (
            begun, len(PLAN.do.requests), len(calls), ', '.join('%d %s' % (calls.count(c), c) for c in 'rwts'), len(jobs)))
        with multiprocessing.get_context('fork').Pool(2) as pool:
            for job, wrong in pool.imap_unordered(check, jobs, 8):
                passed += wrong is None
                if wrong:
                    failures.append('%s: %s' % (begun, wrong))
    if not a.keep:
        shutil.rmtree(FOLDER)
    else:
        print(FOLDER)
    common.finish('faults', passed, failures)


if __name__ == '__main__':
    main()
