#!/usr/bin/env python3
"""`hyperslab watch` on a terminal: fills it, follows its size, and gives it back however it ends.

    terminal.py

h5py writes frames; the command runs on a pseudo-terminal, whose bytes are looked at.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

import common

# Writes frames until it is told to end: by closing the file, or by a signal it cannot catch.
WRITER = '''
import sys, time, h5py, numpy as np
file = h5py.File(sys.argv[1], 'w', libver=('v110', 'v110'))
frames = file.create_dataset('frames', (0, 40, 60), 'u2', maxshape=(None, 40, 60), chunks=(1, 40, 60))
file.swmr_mode = True
print('live', flush=True)
import select
while not select.select([sys.stdin], [], [], 0.02)[0]:
    frames.resize(len(frames) + 1, axis=0)
    frames[-1] = np.arange(2400).reshape(40, 60)
    frames.flush()
file.close()
'''
ENTER, LEAVE = b'\x1b[?1049h\x1b[?25l', b'\x1b[?25h\x1b[?1049l'
PATIENCE = 120


class Terminal:
    """The command, watching."""

    def __init__(self, path, lines, columns):
        self.child, self.fd = pty.fork()
        if self.child == 0:
            os.environ.update(TERM='xterm-256color', LINES='', COLUMNS='')
            os.environ.pop('COLORTERM', None)
            self.size(lines, columns, 1)
            os.execv(common.COMMAND, ['hyperslab', 'watch', path])
        self.said, self.ended = b'', False

    def size(self, lines, columns, fd=None):
        fcntl.ioctl(fd or self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))

    def read(self, until):
        """Reads until something is true of what was said; whether it was."""
        end = time.monotonic() + PATIENCE
        while not until(self.said) and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self.fd, 65536)
                except OSError:
                    self.ended = True
                    return until(self.said)
        return until(self.said)

    def end(self):
        """How it ended, and what it said after the screen was given back."""
        self.read(lambda _: False)
        if not self.ended:
            os.kill(self.child, signal.SIGKILL)
        status = os.waitpid(self.child, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status), self.said.rpartition(LEAVE)[2].decode()


def pictures(said):
    """What was drawn, each as lines without their colours."""
    text = re.sub(r'\x1b\[[0-9;]*[mK]', '', said.decode('utf-8', 'replace'))
    return [one.replace('\r', '').split('\n') for one in text.split('\x1b[H')[1:]]


class Check:
    def __init__(self, folder):
        self.folder, self.passed, self.failures, self.count = folder, 0, [], 0

    def expect(self, fine, what, found=''):
        if fine:
            self.passed += 1
        else:
            self.failures.append('%s: %s' % (what, str(found)[-400:]))

    def run(self, name, act, status, words):
        path = os.path.join(self.folder, name + '.h5')
        writer = subprocess.Popen([sys.executable, '-c', WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        writer.stdout.readline()
        terminal = Terminal(path + '/frames', 24, 80)
        self.expect(terminal.read(lambda said: said.count(b'\x1b[J') > 3), name + ': draws', terminal.said)
        act(self, terminal, writer)
        code, rest = terminal.end()
        said = terminal.said
        self.expect(code == status, '%s: ends with %s' % (name, code), rest)
        self.expect(said.count(ENTER) == said.count(LEAVE) == 1 and said.startswith(ENTER), name + ': gives the screen back', said)
        self.expect(words in rest, name + ': says how it ended', rest)
        if writer.poll() is None:
            writer.communicate()


def closed(check, terminal, writer):
    writer.communicate()


def died(check, terminal, writer):
    writer.kill()
    writer.wait()


def interrupted(check, terminal, writer):
    os.write(terminal.fd, b'\x03')


def resized(check, terminal, writer):
    """No line is longer than the terminal is wide, and there are no more of them than fit."""
    for lines, columns in ((24, 80), (9, 30), (50, 132), (3, 12)):
        terminal.size(lines, columns)
        os.kill(terminal.child, signal.SIGWINCH)
        # What is under way may still be of the old size.
        terminal.said = ENTER
        terminal.read(lambda said: said.count(b'\x1b[J') > 3)
        for drawn in pictures(terminal.said)[2:-1]:
            widest = max(map(len, drawn))
            check.expect(widest <= columns and len(drawn) <= lines, 'on %d x %d' % (lines, columns), (len(drawn), widest))
    os.write(terminal.fd, b'\x03')


def main():
    common.need('terminal', common.COMMAND)
    with tempfile.TemporaryDirectory(dir=common.temporary()) as folder:
        check = Check(folder)
        check.run('closed', closed, 0, 'closed')
        check.run('died', died, 1, 'hyperslab recover')
        check.run('interrupted', interrupted, 130, 'still written')
        check.run('resized', resized, 130, 'still written')
    common.finish('terminal', check.passed, check.failures)


if __name__ == '__main__':
    main()
