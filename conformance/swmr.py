#!/usr/bin/env python3
"""Every prefix of what a live writer does to its file is a file that opens, with everything that was flushed.

    swmr.py [--long] [--kind NAME...] [--readers h5py,hyperslab] [--writer hyperslab]

A library loaded before the C library (faults.c) records what our writer does: swmr_kinds.py says what. The operations
are done again, one after the other; after each, and after each write cut in two where a disk may cut it (512 and 4096
bytes; the head alone, the tail alone), the file is opened as a SWMR reader does, and plainly after its flags are cleared
and it is cut to the end it says it has, which is what `h5clear -s` does; `h5clear` itself is asked now and then. A
reader that has the file open all the time is asked as well. Of writers that wait for the disk, any of the last 16
writes since they last did are lost. A check that takes too long or kills its process is counted as a failure.
"""
import argparse
import json
import mmap
import multiprocessing
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from multiprocessing import connection

import common
import swmr_kinds

# A reader that takes longer hangs; the machine may stand still for a while.
SECONDS = 60
TORN = (512, 4096)
LOSABLE = 16
# So many failures of one kind with one reader.
ENOUGH = 5


# ---- recording

def record(module, folder, long, names):
    """Runs where the recording library is loaded."""
    h5 = __import__(module)
    for number, kind in enumerate(swmr_kinds.kinds(long)):
        if names and kind.name not in names:
            continue
        path = os.path.join(folder, '%d.h5' % number)
        trace = os.open(path + '.trace', os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

        def mark(what, state=None):
            text = json.dumps([what, state]).encode()
            os.write(trace, struct.pack('<cQQ', b'm', 0, len(text)) + text)
        try:
            kind.write(h5, path, mark)
        except Exception as error:
            mark('failed', '%s: %s' % (type(error).__name__, str(error)[:300]))
        os.close(trace)


def operations(path):
    with open(path, 'rb') as f:
        raw = f.read()
    at, found = 0, []
    while at < len(raw):
        letter, offset, length = struct.unpack_from('<cQQ', raw, at)
        at += 17
        letter = letter.decode()
        data = b''
        if letter in 'wm':
            data = raw[at:at + length]
            at += length
        found.append((letter, offset if letter == 'w' else length, json.loads(data) if letter == 'm' else data))
    return found


# ---- the file as it is after some of the operations

class Image:
    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def apply(self, op):
        letter, at, data = op
        if letter == 'w':
            os.pwrite(self.fd, data, at)
        elif letter == 't':
            os.ftruncate(self.fd, at)

    def torn(self, op, cut, head):
        """Only one part of a write arrives; what undoes it."""
        _, at, data = op
        length = os.fstat(self.fd).st_size
        old = os.pread(self.fd, len(data), at)
        os.pwrite(self.fd, data[:cut] if head else data[cut:], at if head else at + cut)

        def undo():
            os.pwrite(self.fd, old, at)
            os.ftruncate(self.fd, length)
        return undo

    def cleared(self):
        """Clears the flags and cuts the file to its end, as `h5clear -s` does; what undoes it."""
        length = os.fstat(self.fd).st_size
        old = os.pread(self.fd, 48, 0)
        new = bytearray(old)
        new[11] = 0
        new[44:48] = struct.pack('<I', lookup3(bytes(new[:44])))
        end = struct.unpack_from('<Q', old, 28)[0]
        rest = os.pread(self.fd, max(0, length - end), end)
        os.pwrite(self.fd, new, 0)
        os.ftruncate(self.fd, end)

        def undo():
            os.ftruncate(self.fd, length)
            os.pwrite(self.fd, rest, end)
            os.pwrite(self.fd, old, 0)
        return undo


def rotate(x, k):
    return (x << k | x >> 32 - k) & 0xffffffff


def lookup3(data):
    """Bob Jenkins' checksum, which HDF5 uses."""
    mask = 0xffffffff
    a = b = c = 0xdeadbeef + len(data) & mask
    while len(data) > 12:
        x, y, z = struct.unpack_from('<3I', data)
        a, b, c = a + x & mask, b + y & mask, c + z & mask
        for k1, k2, k3 in ((4, 6, 8), (16, 19, 4)):
            a = (a - c & mask) ^ rotate(c, k1)
            c = c + b & mask
            b = (b - a & mask) ^ rotate(a, k2)
            a = a + c & mask
            c = (c - b & mask) ^ rotate(b, k3)
            b = b + a & mask
        data = data[12:]
    if not data:
        return c
    x, y, z = struct.unpack('<3I', data.ljust(12, b'\0'))
    a, b, c = a + x & mask, b + y & mask, c + z & mask
    c = ((c ^ b) - rotate(b, 14)) & mask
    a = ((a ^ c) - rotate(c, 11)) & mask
    b = ((b ^ a) - rotate(a, 25)) & mask
    c = ((c ^ b) - rotate(b, 16)) & mask
    a = ((a ^ c) - rotate(c, 4)) & mask
    b = ((b ^ a) - rotate(a, 14)) & mask
    return ((c ^ b) - rotate(b, 24)) & mask


# ---- what is asked of it

class Enough(Exception):
    pass


class Asking:
    """Counts and asks; `start` is the first check that is not left out."""

    def __init__(self, module, job, path, start, progress):
        self.h5 = __import__(module)
        self.kind, self.path, self.start, self.progress = job.kind, path, start, progress
        self.number, self.done, self.states, self.closed = 0, 0, job.states, False
        self.passed, self.wrong = Counter(), []

    def note(self, op):
        what = op[2][0]
        self.done += what == 'done'
        self.closed |= what == 'closed'

    def ask(self, how, label, look):
        self.number += 1
        if self.number <= self.start:
            return
        self.progress[:8] = struct.pack('<Q', self.number)
        text = ('%s, %s' % (how, label)).encode()[:200]
        self.progress[8:208] = text.ljust(200)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            wrong = look()
        except Exception as error:
            wrong = '%s: %s' % (type(error).__name__, ' '.join(str(error).split())[:160])
        signal.setitimer(signal.ITIMER_REAL, 0)
        if wrong:
            self.wrong.append('%s, %s: %s' % (how, label, wrong))
            if len(self.wrong) > ENOUGH:
                raise Enough
        else:
            self.passed[how] += 1

    def opened(self, swmr, path=None):
        with self.h5.File(path or self.path, 'r', swmr=swmr) as f:
            return self.kind.check(lambda name: f[name], self.done, self.states)


def prefixes(ask, ops, image, first, real):
    """Every prefix and every torn write, followed and cleared."""
    real_at = set(random.Random(1).sample(range(first, len(ops)), min(real, len(ops) - first)))
    both = lambda label, how: asked_both(ask, image, label, how)
    for number, op in enumerate(ops):
        if op[0] == 'm':
            ask.note(op)
            continue
        live = number > first
        looked = live and (number % ask.kind.stride == 0 or ops[min(number + 1, len(ops) - 1)][0] == 'm')
        if op[0] == 'w' and looked:
            for unit in TORN:
                cuts = list(range(unit - op[1] % unit, len(op[2]), unit))
                for cut in cuts[::max(1, len(cuts) // 8)]:
                    for head in (True, False):
                        undo = image.torn(op, cut, head)
                        both('operation %d: %s %d of %d at %d' % (number, 'head' if head else 'tail', cut, len(op[2]), op[1]), 'torn at %d' % unit)
                        undo()
        image.apply(op)
        if looked:
            both('operation %d: %s %d' % (number, op[0], op[1]), 'prefix')
        if looked and number in real_at and not ask.closed:
            ask.ask('h5clear -s', 'operation %d' % number, lambda: h5clear(ask))


def asked_both(ask, image, label, how):
    if live_flags(image):
        ask.ask(how, label, lambda: ask.opened(True))
        undo = image.cleared()
        ask.ask(how + ', cleared', label, lambda: ask.opened(False))
        undo()
    else:
        ask.ask(how, label, lambda: ask.opened(False))


def live_flags(image):
    return os.pread(image.fd, 12, 0)[11:] == b'\x05'


def h5clear(ask):
    copy = ask.path + '.copy.h5'
    subprocess.run(['cp', '--sparse=always', ask.path, copy], check=True)
    done = subprocess.run(['h5clear', '-s', copy], capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ask.opened(False, copy)


def following(ask, ops, image, first, _):
    """One reader has the file open all the time."""
    for op in ops[:first]:
        image.apply(op)
    with ask.h5.File(ask.path, 'r', swmr=True) as f:
        known = {}

        def get(name):
            if name not in known:
                known[name] = f[name]
            known[name].refresh()
            return known[name]
        for number, op in enumerate(ops[first:], first):
            if op[0] == 'm':
                ask.note(op)
                continue
            image.apply(op)
            if number % ask.kind.stride == 0:
                ask.ask('followed', 'operation %d' % number, lambda: ask.kind.check(get, ask.done, ask.states))


def losing(ask, ops, image, first, samples):
    """The machine stops: of the last writes since the disk was waited for, some are missing."""
    some = random.Random(1)
    base, length, window, waited = bytearray(), 0, [], False

    def put(to, op):
        nonlocal length
        letter, at, data = op
        if letter == 't':
            length = at
            return
        if len(to) < at + len(data):
            to.extend(bytes(at + len(data) - len(to)))
        to[at:at + len(data)] = data
        length = max(length, at + len(data))
    for number, op in enumerate(ops):
        if op[0] == 'm':
            ask.note(op)
            continue
        if op[0] == 's':
            for old in window:
                put(base, old)
            window, waited = [], True
            continue
        window.append(op)
        while len(window) > LOSABLE:
            put(base, window.pop(0))
        # Before it waits for the disk for the first time, the file is like any new one.
        if number < first or not waited:
            continue
        writes = [at for at, old in enumerate(window) if old[0] == 'w']
        for _ in range(samples if writes else 0):
            lost = set(some.sample(writes, some.randint(1, len(writes))))
            now, keep = bytearray(base), length
            for at, old in enumerate(window):
                if at not in lost:
                    put(now, old)
            os.pwrite(image.fd, now, 0)
            os.ftruncate(image.fd, len(now))
            os.ftruncate(image.fd, max(length, len(now)))
            length = keep
            label = 'operation %d without %s of the last %d' % (number, sorted(lost), len(window))
            if live_flags(image):
                undo = image.cleared()
                ask.ask('lost', label, lambda: ask.opened(False))
                undo()
            else:
                ask.ask('lost', label, lambda: ask.opened(False))


# ---- running

class Job:
    """One trace, one way to look at it, one reader."""

    def __init__(self, kind, trace, way, module, extent):
        self.kind, self.trace, self.way, self.module, self.extent = kind, trace, way, module, extent
        self.ops = operations(trace)
        self.states = [op[2][1] for op in self.ops if op[0] == 'm' and op[2][0] in ('live', 'done')]
        self.start, self.passed, self.wrong = 0, Counter(), []
        self.progress = mmap.mmap(-1, 256)

    def first(self):
        return next(i for i, op in enumerate(self.ops) if op[0] == 'm' and op[2][0] == 'live')

    def __str__(self):
        return '%s, %s by %s' % (self.kind.name, self.way.__name__, self.module)

    def fork(self, folder):
        self.receive, send = multiprocessing.Pipe(False)
        self.child = multiprocessing.get_context('fork').Process(target=self.run, args=(folder, send))
        self.child.start()
        send.close()

    def run(self, folder, send):
        path = os.path.join(folder, 'image%d.h5' % os.getpid())
        try:
            ask = Asking(self.module, self, path, self.start, self.progress)
            try:
                self.way(ask, self.ops, Image(path), self.first(), self.extent)
            except Enough:
                pass
            send.send((ask.passed, ask.wrong, time.process_time()))
        finally:
            for name in (path, path + '.copy.h5'):
                if os.path.exists(name):
                    os.remove(name)

    def finished(self):
        """Whether nothing is left to do."""
        self.child.join()
        try:
            passed, wrong, self.seconds = self.receive.recv()
        except EOFError:
            passed, wrong, self.seconds = Counter(), [], 0
        self.passed += passed
        self.wrong += wrong
        if self.child.exitcode == 0:
            return True
        at = struct.unpack('<Q', self.progress[:8])[0]
        how = 'hangs' if self.child.exitcode == -signal.SIGALRM else 'ends with %d' % self.child.exitcode
        self.wrong.append('%s: the reader %s' % (self.progress[8:208].decode().strip(), how))
        # What was counted before is lost with the process; the failures are what matters.
        self.start = at
        return len(self.wrong) > ENOUGH


def run_all(jobs, folder, verbose, width=2):
    waiting, active = list(reversed(jobs)), []
    while waiting or active:
        while waiting and len(active) < width:
            active.append(waiting.pop())
            active[-1].fork(folder)
        ready = connection.wait([job.child.sentinel for job in active] + [job.receive for job in active], 60)
        for job in [job for job in active if job.child.sentinel in ready or job.receive in ready]:
            active.remove(job)
            if not job.finished():
                waiting.append(job)
            elif verbose:
                print('%6.2f s of the processor, %d passed, %d failed: %s' % (job.seconds, sum(job.passed.values()), len(job.wrong), job), flush=True)


def reads_live(module):
    """Whether a module follows live files."""
    code = 'import sys, %s as h5; h5.File(sys.argv[1], "r", swmr=True).close()' % module
    with tempfile.TemporaryDirectory() as folder:
        import h5py
        path = os.path.join(folder, 'a.h5')
        with h5py.File(path, 'w', libver=('v110', 'v110')) as f:
            f.swmr_mode = True
            return subprocess.run([sys.executable, '-c', code, path], capture_output=True).returncode == 0


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--long', action='store_true')
    ap.add_argument('--kind', action='append', help='only this one')
    ap.add_argument('--writer', default='hyperslab')
    ap.add_argument('--readers', default='h5py,hyperslab')
    ap.add_argument('--keep', action='store_true')
    ap.add_argument('--verbose', action='store_true', help='a line for each job that ends')
    ap.add_argument('--record', help=argparse.SUPPRESS)
    a = ap.parse_args()
    if a.record:
        return record(a.writer, a.record, a.long, a.kind)
    os.environ['HDF5_USE_FILE_LOCKING'] = 'FALSE'
    folder = tempfile.mkdtemp(prefix='hyperslab-swmr-', dir=common.temporary())
    command = [sys.executable, __file__, '--writer', a.writer, '--record', folder] + ['--long'] * a.long
    command += [word for name in a.kind or [] for word in ('--kind', name)]
    environment = dict(os.environ, LD_PRELOAD=common.shim('swmr', folder), FAULT_TRACE='1')
    subprocess.run(command, env=environment, check=True)
    real = 3 if shutil.which('h5clear') else 0
    if not real:
        print('h5clear is not there: only its effect is tried')
    jobs, failures = [], []
    readers = [module for module in a.readers.split(',') if module == 'h5py' or reads_live(module)]
    for number, kind in enumerate(swmr_kinds.kinds(a.long)):
        trace = os.path.join(folder, '%d.h5.trace' % number)
        if not os.path.exists(trace):
            continue
        ops = operations(trace)
        bad = [op[2][1] for op in ops if op[0] == 'm' and op[2][0] == 'failed']
        if bad:
            failures.append('%s: the writer failed: %s' % (kind.name, bad[0]))
            continue
        failures += whole(kind, trace, ops)
        for module in readers:
            jobs.append(Job(kind, trace, prefixes, module, real * (module == 'h5py') * (10 if a.long else 1)))
            if kind.follows:
                jobs.append(Job(kind, trace, following, module, 0))
            if kind.durable:
                jobs.append(Job(kind, trace, losing, module, 2))
    run_all(jobs, folder, a.verbose)
    table = {}
    for job in jobs:
        failures += ['%s, %s: %s' % (job.kind.name, job.module, wrong) for wrong in job.wrong]
        table.setdefault(job.kind.name, Counter()).update(job.passed)
    for name, counts in table.items():
        print('%-20s %s' % (name, ', '.join('%d %s' % (counts[how], how) for how in counts)))
    total = sum(table.values(), Counter())
    print('%-20s %s' % ('in all', ', '.join('%d %s' % (total[how], how) for how in total)))
    if not a.keep:
        shutil.rmtree(folder)
    else:
        print(folder)
    common.finish('swmr', sum(total.values()), failures, show=40)


def whole(kind, trace, ops):
    """The recorder saw all that was done to the file, and the closed file reads plainly."""
    path = trace[:-len('.trace')]
    copy = Image(path + '.again.h5')
    for op in ops:
        copy.apply(op)
    os.close(copy.fd)
    with open(path, 'rb') as one, open(path + '.again.h5', 'rb') as other:
        same = one.read() == other.read()
    os.remove(path + '.again.h5')
    if not same:
        return ['%s: the recorded operations do not make the file' % kind.name]
    if shutil.which('h5dump') and isinstance(kind, swmr_kinds.Additions):
        code, _, err = common.run(['h5dump', path], 60)
        if code != 0:
            return ['%s: h5dump ends with %s: %s' % (kind.name, code, err.decode()[-200:])]
    return []


if __name__ == '__main__':
    main()
