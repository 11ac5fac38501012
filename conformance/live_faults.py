#!/usr/bin/env python3
"""Every system call of a flush of a live file fails once; readers see what was published, and the writer goes on.

    live_faults.py [--kind NAME...] [--long]

A library loaded before the C library (faults.c) lets call number i of a step and its flush fail: with EIO or ENOSPC,
with all writes from there on refused as on a full disk, half done and then refused, interrupted (EINTR) or half done.
The last two are not errors. Of the others one is told, once for each attempt; then h5py and we, as readers who follow
the file and as such who open it once its flags are cleared, see the state of the last flush or the whole of the one
under way; and when there is room again the same is done again, more is written, and the file is closed as if nothing
had been.
"""
import argparse
import ctypes
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile

import common
import swmr
import swmr_kinds
from swmr_kinds import GZIP, WIDTH, Additions, Fixed, Rows, rewriting, row, shrinking

KINDS = ('EIO', 'ENOSPC', 'FULL', 'TORN', 'EINTR', 'SHORT')
GOES_ON = ('EINTR', 'SHORT')


def additions():
    """Steps that may be done twice."""
    def data(f):
        d = f.require_dataset('g/new', (20,), 'u4', chunks=(8,), maxshape=(None,))
        d[:] = range(20)

    def beyond(f):
        f.require_dataset('large', (80 << 20,), 'u1')[:10] = range(10)

    def words(f):
        f['words'].resize(3, axis=0)
        f['words'][:] = ['a', 'word' * 2000, '']

    def attributes(f):
        for i in range(12):
            f['d'].attrs['attribute %d' % i] = 'value %d' % i
    return [data, lambda f: f.require_group('h/i'), words, attributes, beyond, lambda f: f['d'].attrs.__setitem__('old', 'longer than it was')]


def kinds():
    """Each kind, and the steps in which something fails."""
    return [
        (Rows('ea1', count=30), (0, 4, 20, 21)), (Rows('eaz8', per=8, count=12, **GZIP), (0, 3, 8)),
        (Rows('durable ea1', durable=True, count=12), (0, 5)), (Rows('durable eaz1', durable=True, before=1500, count=4, **GZIP), (0, 1)),
        (Rows('b2', both=True, count=60), (0, 30, 52)), (Fixed('fa', length=90, order=range(6)), (0, 4)),
        (Fixed('fa, pages', length=3000, order=[5, 1500, 6, 1501]), (0, 1, 2, 3)),
        (shrinking('shrink', 1), (0, 1, 2, 3)), (shrinking('shrink gzip 4', 4, **GZIP), (1, 2, 3)),
        (rewriting('rewrite gzip', **GZIP), (0, 5)), (rewriting('contiguous', loose=True, make=contiguous), (1,)),
        (Additions('additions', additions()), tuple(range(6))),
    ]


def contiguous(f):
    f.create_dataset('d', (4, WIDTH), 'u4')


# ---- the writer, where the library is loaded

class Writer:
    def __init__(self, module):
        self.h5, self.library = __import__(module), ctypes.CDLL(None)

    def begin(self, number, path, step):
        self.kind = kinds()[number][0]
        self.file = self.kind.open(self.h5, path)
        self.kind.create(self.file)
        self.file.swmr_mode = True
        self.states = [self.kind.state(self.file)]
        for done in range(step):
            self.go(done)

    def go(self, step):
        self.part = 'step'
        self.again(step)

    def again(self, step):
        """Goes on where it failed."""
        if self.part == 'step':
            self.kind.step(self.file, step)
        self.part = 'flush'
        self.kind.flush(self.file)
        self.part = 'done'
        self.states.append(self.kind.state(self.file))

    def attempt(self, step, at, fault, again):
        """What became of a step of which a call fails."""
        self.library.fault_at(ctypes.c_long(at), fault.encode())
        error = None
        try:
            (self.again if again else self.go)(step)
        except OSError as found:
            error = str(found) or repr(found)
        calls = self.library.fault_calls()
        self.library.fault_at(ctypes.c_long(-1), b'none')
        return {'calls': calls, 'error': error, 'states': self.states + [self.kind.state(self.file)]}

    def end(self, step):
        for more in range(step, min(step + 2, self.kind.count)):
            self.go(more)
        self.file.close()
        return {'done': more + 1 if step < self.kind.count else step, 'states': self.states}

    def serve(self):
        for line in sys.stdin:
            name, *request = json.loads(line)
            try:
                answer = getattr(self, name)(*request)
            except Exception as error:
                answer = {'failed': '%s: %s' % (type(error).__name__, str(error)[:200])}
            print(json.dumps(answer), flush=True)


class Asked:
    """The writer, as the one who looks at its file knows it."""

    def __init__(self, writer, library):
        command = [sys.executable, __file__, '--serve', '--writer', writer]
        environment = dict(os.environ, LD_PRELOAD=library)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def __call__(self, *request):
        self.process.stdin.write(json.dumps(request) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Wrong('the writer %s' % (common.ending(self.process.wait()) or 'ended'))
        answer = json.loads(line)
        if isinstance(answer, dict) and 'failed' in answer:
            raise Wrong('%s: %s' % (request[0], answer['failed']))
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Wrong(Exception):
    pass


# ---- what readers see

def look(kind, path, done, states, when):
    image = swmr.Image(path)
    live = swmr.live_flags(image)
    for module in READERS:
        see(module, kind, path, live, done, states, when)
    if live:
        undo = image.cleared()
        for module in READERS:
            see(module, kind, path, False, done, states, when + ', cleared')
        undo()
    os.close(image.fd)


def see(module, kind, path, live, done, states, when):
    try:
        with __import__(module).File(path, 'r', swmr=live) as f:
            wrong = kind.check(lambda name: f[name], done, states)
    except Exception as error:
        wrong = '%s: %s' % (type(error).__name__, ' '.join(str(error).split())[:160])
    if wrong:
        raise Wrong('%s, %s sees: %s' % (when, module, wrong))


def one(ask, path, number, step, at, fault):
    """How many calls there were."""
    kind = kinds()[number][0]
    try:
        ask('begin', number, path, step)
        answer = ask('attempt', step, at, fault, False)
        calls, failed = answer['calls'], answer['error'] is not None
        if at >= calls or fault in GOES_ON:
            if failed:
                raise Wrong('is an error: %s' % answer['error'])
        elif failed:
            look(kind, path, step, answer['states'], 'after the error')
            if fault == 'FULL':
                answer = ask('attempt', step, 0, fault, True)
                if answer['error'] is None:
                    raise Wrong('a second attempt without room succeeds')
                look(kind, path, step, answer['states'], 'after the second error')
            answer = ask('attempt', step, -1, 'none', True)
            if answer['error'] is not None:
                raise Wrong('there is room, and still: %s' % answer['error'])
        elif fault not in ('TORN', 'FULL'):
            raise Wrong('is not told')
        look(kind, path, step + 1, answer['states'], 'after the flush')
        answer = ask('end', step + 1)
        look(kind, path, answer['done'], answer['states'], 'after the end')
        return calls
    finally:
        if os.path.exists(path):
            os.remove(path)


def all_of(job):
    """(how many passed, what is wrong) of one step of one kind and one fault."""
    number, step, fault, writer, library, folder = job
    ask, at, passed, wrong = Asked(writer, library), 0, 0, []
    name = '%s, step %d, %s' % (kinds()[number][0].name, step, fault)
    while len(wrong) < 3:
        try:
            calls = one(ask, os.path.join(folder, '%d-%d-%s.h5' % (number, step, fault)), number, step, at, fault)
            passed += at < calls
            if at >= calls:
                break
        except Wrong as found:
            wrong.append('%s at call %d: %s' % (name, at, found))
            ask.close()
            ask = Asked(writer, library)
        at += 1
    ask.close()
    return name, passed, wrong


def main():
    global READERS
    ap = argparse.ArgumentParser()
    ap.add_argument('--kind', action='append', help='only this one')
    ap.add_argument('--long', action='store_true', help='every fault at every step')
    ap.add_argument('--writer', default='hyperslab')
    ap.add_argument('--readers', default='h5py,hyperslab')
    ap.add_argument('--verbose', action='store_true', help='a line for each kind of fault that is through')
    ap.add_argument('--serve', action='store_true', help=argparse.SUPPRESS)
    a = ap.parse_args()
    os.environ['HDF5_USE_FILE_LOCKING'] = 'FALSE'
    if a.serve:
        return Writer(a.writer).serve()
    READERS = a.readers.split(',')
    folder = tempfile.mkdtemp(prefix='hyperslab-live-faults-', dir=common.temporary())
    library = common.shim('live faults', folder)
    jobs = []
    for number, (kind, steps) in enumerate(kinds()):
        if a.kind and kind.name not in a.kind:
            continue
        for step in range(kind.count) if a.long and kind.count < 40 else steps:
            # The last step meets every fault; the others those that leave the most behind.
            faults = KINDS if a.long or step == steps[-1] else ('FULL', 'TORN')
            jobs += [(number, step, fault, a.writer, library, folder) for fault in faults]
    passed, failures = 0, []
    with multiprocessing.get_context('fork').Pool(2) as pool:
        for name, good, wrong in pool.imap_unordered(all_of, jobs):
            passed += good
            if a.verbose:
                print('%d passed, %d failed: %s' % (good, len(wrong), name), flush=True)
            failures += wrong
    shutil.rmtree(folder)
    common.finish('live faults', passed, failures)


if __name__ == '__main__':
    main()
