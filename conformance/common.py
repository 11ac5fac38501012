"""What the conformance scripts share: where things are, running a command, the summary line."""
import argparse
import json
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.environ.get('HYPERSLAB_SHARED', os.path.join(ROOT, '..', 'shared'))
TARGET = os.environ.get('CARGO_TARGET_DIR', os.path.join(ROOT, 'target'))
COMMAND = os.environ.get('HYPERSLAB_COMMAND', os.path.join(TARGET, 'release', 'hyperslab'))
READER = os.path.join(TARGET, 'release', 'examples', 'read_slices')
SCRIPT = os.path.join(TARGET, 'release', 'examples', 'script')
FOLLOWER = os.path.join(TARGET, 'release', 'examples', 'live')
TIMER = os.path.join(TARGET, 'release', 'examples', 'time_read')

CORPUS = os.path.join(SHARED, 'corpus')
TOOLS = os.path.join(SHARED, 'tools')

PANIC = 101


def not_run(what, why):
    """Says that a check was left out; such a check counts neither as passed nor as failed."""
    print('not run: %s: %s' % (what, why))
    sys.exit(0)


def need(what, *paths):
    for path in paths:
        if not os.path.exists(path):
            not_run(what, '%s is not there' % os.path.relpath(path, ROOT))


def temporary():
    return '/dev/shm' if os.access('/dev/shm', os.W_OK) else None


def shim(what, folder):
    """The library of faults.c, compiled into a folder."""
    compiler = shutil.which('cc') or shutil.which('gcc')
    if not compiler:
        not_run(what, 'there is no C compiler')
    library = os.path.join(folder, 'faults.so')
    source = os.path.join(ROOT, 'conformance', 'faults.c')
    subprocess.run([compiler, '-O1', '-shared', '-fPIC', '-o', library, source, '-ldl'], check=True)
    return library


def run(args, timeout, cwd=None):
    """(exit code or None on a hang, standard output, standard error); negative codes are signals."""
    try:
        done = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, cwd=cwd)
    except subprocess.TimeoutExpired as late:
        return None, late.stdout or b'', late.stderr or b''
    return done.returncode, done.stdout, done.stderr


def ending(code):
    """How a process ended that should have said what is wrong, or None when it ended well."""
    if code is None:
        return 'hangs'
    if code < 0:
        return 'ended by signal %d' % -code
    if code == PANIC:
        return 'panicked'
    return None


def corpus(what):
    """(the oracle, the entries of the corpus that the command line asks for, the command line)."""
    ap = argparse.ArgumentParser()
    ap.add_argument('words', nargs='*')
    ap.add_argument('-v', '--verbose', action='store_true')
    a = ap.parse_args()
    need(what, CORPUS, TOOLS)
    sys.path.insert(0, TOOLS)
    import oracle
    with open(os.path.join(CORPUS, 'index.json')) as f:
        entries = [e for e in json.load(f)['files'] if e['role'] == 'file']
    return oracle, [e for e in entries if not a.words or any(w in e['file'] for w in a.words)], a


def differences(oracle, expect, got, verbose):
    """What differs between two dumps, or None."""
    found = []
    oracle.compare(expect, got, show=found.append)
    if not found:
        return None
    return '%d differences: %s' % (len(found), '; '.join(found if verbose else found[:2]))


class Script:
    """The program `script`, which does to HDF5 files what it is asked to."""

    def __init__(self, path=None):
        self.process = subprocess.Popen([path or SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, op, file, **request):
        """What the operation answers; Refused with what is wrong, EOFError when the program has died."""
        request.update(op=op, file=file)
        self.process.stdin.write(json.dumps(request) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise EOFError('script %s' % (ending(self.process.wait()) or 'ended'))
        answer = json.loads(line)
        if 'error' in answer:
            raise Refused(answer['error'])
        return answer['ok']

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Refused(Exception):
    """An operation that failed."""


def finish(name, passed, failures, show=20):
    """Prints the failures and the summary line, and exits with what they say."""
    for line in failures[:show]:
        print('  ' + line)
    if len(failures) > show:
        print('  … and %d more' % (len(failures) - show))
    print('%s: %d passed, %d failed' % (name, passed, len(failures)))
    sys.exit(1 if failures else 0)
