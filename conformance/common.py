"""What the conformance scripts share: where things are, running a command, the summary line."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.environ.get('HYPERSLAB_SHARED', os.path.join(ROOT, '..', 'shared'))
TARGET = os.environ.get('CARGO_TARGET_DIR', os.path.join(ROOT, 'target'))
COMMAND = os.path.join(TARGET, 'release', 'hyperslab')
READER = os.path.join(TARGET, 'release', 'examples', 'read_slices')
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


def finish(name, passed, failures, show=20):
    """Prints the failures and the summary line, and exits with what they say."""
    for line in failures[:show]:
        print('  ' + line)
    if len(failures) > show:
        print('  … and %d more' % (len(failures) - show))
    print('%s: %d passed, %d failed' % (name, passed, len(failures)))
    sys.exit(1 if failures else 0)
