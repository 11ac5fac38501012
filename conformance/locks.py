#!/usr/bin/env python3
"""Who may open a file that another program has open, asked of hyperslab and of h5py, each against each.

    locks.py            in an environment where both packages are installed

Every pair of a plain writer (W), a live one (SW), a plain reader (R) and one that follows (SR), in both orders, with
locking and without; what HDF5_USE_FILE_LOCKING and locking= mean together; file systems whose locks fail (a library
loaded before the C library lets them); and that whoever is refused leaves the file as it was, `w` too.
"""
import errno
import fcntl
import itertools
import json
import os
import subprocess
import sys
import tempfile
import warnings

import common

KINDS = ('W', 'SW', 'R', 'SR')
OK, LOCK, MARK = 'ok', 'BlockingIOError 11', 'OSError None'

LOCKED = {'W': [LOCK] * 4, 'SW': [MARK, MARK, MARK, OK], 'R': [LOCK, LOCK, OK, OK], 'SR': [LOCK, LOCK, OK, OK]}
UNLOCKED = {'W': [MARK] * 4, 'SW': [MARK, MARK, MARK, OK], 'R': [OK] * 4, 'SR': [OK] * 4}
SHIM = r"""
#include <errno.h>
#include <stdlib.h>
int flock(int fd, int operation) { errno = atoi(getenv("FLOCK_ERRNO")); return -1; }
"""
NO_LOCKS = ('ENOSYS', 'ENOLCK', 'EOPNOTSUPP', 'EINVAL', '524')


def worker(module):
    """Opens and closes files as it is told, one request a line."""
    warnings.simplefilter('ignore')
    h5 = __import__(module)
    files = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request['op'] == 'close':
                files.pop(request['path']).close()
            else:
                files[request['path']] = opened(h5, **request['how'])
            answer = OK
        except NotImplementedError:
            answer = 'not there'
        except OSError as error:
            answer = '%s %s' % (type(error).__name__, error.errno)
        except Exception as error:
            answer = '%s: %s' % (type(error).__name__, error)
        print(json.dumps(answer), flush=True)


def opened(h5, path, kind, locking):
    if kind == 'w':
        return h5.File(path, 'w', locking=locking)
    if kind in ('R', 'SR'):
        return h5.File(path, 'r', swmr=kind == 'SR', locking=locking)
    file = h5.File(path, 'r+', libver='latest', locking=locking)
    if kind == 'SW':
        try:
            file.swmr_mode = True
        except BaseException:
            file.close()
            raise
    return file


class Worker:
    def __init__(self, module, **environment):
        full = dict(os.environ, **environment)
        if 'HDF5_USE_FILE_LOCKING' not in environment:
            full.pop('HDF5_USE_FILE_LOCKING', None)
        self.process = subprocess.Popen([sys.executable, __file__, '--worker', module], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=full)

    def ask(self, op, path, **how):
        self.process.stdin.write(json.dumps(dict(op=op, path=path, how=dict(how, path=path))) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else 'died'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class Check:
    def __init__(self, folder):
        self.folder, self.passed, self.failures, self.left_out, self.count = folder, 0, [], 0, 0

    def file(self, libver='v110'):
        import h5py
        self.count += 1
        path = os.path.join(self.folder, '%d.h5' % self.count)
        with h5py.File(path, 'w', libver=(libver, libver) if libver != 'earliest' else None) as file:
            file.create_dataset('d', data=range(100), maxshape=(None,), chunks=(10,))
        return path

    def expect(self, what, got, wanted):
        if got == wanted:
            self.passed += 1
        else:
            self.failures.append('%s: %s, expected %s' % (what, got, wanted))

    def pair(self, ours, first, second, locking, libver, table):
        """Two programs, one after the other; the second changes nothing when it is refused."""
        path = self.file(libver)
        (one, kind), (two, then) = first, second
        what = '%s %s, then %s %s, locking=%s, %s' % (one, kind, two, then, locking, libver)
        wanted = table[kind][KINDS.index(then)]
        got = ours[one][0].ask('open', path, kind=kind, locking=locking)
        if got != OK:
            self.missing(what, got)
            return
        with open(path, 'rb') as file:
            before = file.read()
        got = ours[two][1].ask('open', path, kind=then, locking=locking)
        if got == 'not there':
            self.missing(what, got)
        else:
            self.expect(what, got, wanted)
        if got == OK:
            ours[two][1].ask('close', path)
        elif got != 'not there':
            with open(path, 'rb') as file:
                self.expect(what + ': the file', file.read() == before, True)
        ours[one][0].ask('close', path)

    def missing(self, what, got):
        if got == 'not there':
            self.left_out += 1
        else:
            self.failures.append('%s: the first open: %s' % (what, got))


def matrix(check):
    modules = ('hyperslab', 'h5py')
    with Worker('hyperslab') as a, Worker('hyperslab') as b, Worker('h5py') as c, Worker('h5py') as d:
        workers = {'hyperslab': (a, b), 'h5py': (c, d)}
        pairs = itertools.product(itertools.product(modules, KINDS), repeat=2)
        for first, second in pairs:
            check.pair(workers, first, second, True, 'v110', LOCKED)
            check.pair(workers, first, second, False, 'v110', UNLOCKED)
        # Files without marks: nobody can go live, and without locks everybody gets in.
        for first, second in itertools.product(itertools.product(modules, 'WR'), repeat=2):
            for libver in ('earliest', 'v108'):
                check.pair(workers, first, second, False, libver, {'W': [OK] * 4, 'R': [OK] * 4})
                check.pair(workers, first, second, True, libver, LOCKED)


def truncating(check):
    """`w` on a file that somebody has leaves it whole."""
    for one, two, kind in itertools.product(('hyperslab', 'h5py'), ('hyperslab',), ('R', 'SR', 'W')):
        path = check.file()
        with Worker(one) as first, Worker(two) as second:
            check.expect('open', first.ask('open', path, kind=kind, locking=None), OK)
            with open(path, 'rb') as file:
                before = file.read()
            what = '%s %s, then %s w' % (one, kind, two)
            check.expect(what, second.ask('open', path, kind='w', locking=None), LOCK)
            with open(path, 'rb') as file:
                check.expect(what + ': the file', file.read() == before, True)


def environment(check):
    """The environment has the last word, in exactly these spellings."""
    values = (None, 'FALSE', '0', 'TRUE', '1', 'BEST_EFFORT', '', 'true', 'false', 'off', 'best-effort', 'garbage')
    for value, locking in itertools.product(values, (None, True, 'true', False, 'false', 'best-effort')):
        said = {} if value is None else {'HDF5_USE_FILE_LOCKING': value}
        path, answers = check.file(), []
        with open(path, 'rb') as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            for module in ('h5py', 'hyperslab'):
                with Worker(module, **said) as one:
                    answers.append(one.ask('open', path, kind='R', locking=locking))
        check.expect('HDF5_USE_FILE_LOCKING=%s, locking=%s' % (value, locking), answers[1], answers[0])


def without_locks(check):
    """Where a file system has no locks, best effort does without, and a demand is refused."""
    source, shim = os.path.join(check.folder, 'shim.c'), os.path.join(check.folder, 'shim.so')
    with open(source, 'w') as file:
        file.write(SHIM)
    if subprocess.run(['cc', '-shared', '-fPIC', '-o', shim, source]).returncode:
        check.failures.append('cannot compile the library without locks')
        return
    for name in NO_LOCKS + ('EIO',):
        code = int(name) if name.isdigit() else getattr(errno, name)
        for said, locking in (('', None), ('', True), ('', False), ('BEST_EFFORT', True), ('TRUE', None), ('FALSE', True)):
            path = check.file()
            settings = {'FLOCK_ERRNO': str(code), 'LD_PRELOAD': shim, 'HDF5_USE_FILE_LOCKING': said}
            demanded = said == 'TRUE' or not said and locking is True
            fine = said == 'FALSE' or not said and locking is False or name != 'EIO' and not demanded
            for kind in 'RW':
                with Worker('hyperslab', **settings) as one:
                    got = one.ask('open', path, kind=kind, locking=locking)
                wanted = OK if fine else 'OSError %d' % code
                check.expect('%s, HDF5_USE_FILE_LOCKING=%s, locking=%s, %s' % (name, said, locking, kind), got, wanted)


def main():
    if sys.argv[1:2] == ['--worker']:
        return worker(sys.argv[2])
    with tempfile.TemporaryDirectory(dir=common.temporary()) as folder:
        check = Check(folder)
        matrix(check)
        truncating(check)
        environment(check)
        without_locks(check)
    if check.left_out:
        print('%d pairs need what is not there yet' % check.left_out)
    common.finish('locks', check.passed, check.failures)


if __name__ == '__main__':
    main()
