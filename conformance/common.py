"""What the conformance scripts share: where things are, running a command, the summary line."""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.environ.get('HYPERSLAB_SHARED', os.path.join(ROOT, '..', 'shared'))
TARGET = os.environ.get('CARGO_TARGET_DIR', os.path.join(ROOT, 'target'))
COMMAND = os.environ.get('HYPERSLAB_COMMAND', os.path.join(TARGET, 'release', 'hyperslab'))
READER = os.path.join(TARGET, 'release', 'examples', 'read_slices')
SCRIPT = os.path.join(TARGET, 'release', 'examples', 'script')
TIMER = os.path.join(TARGET, 'release', 'examples', 'time_read')

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
