#!/usr/bin/env python3
"""Every mode of `hyperslab vds build`: what it composes is read by h5py and by h5dump with the values it should have.

Sources and expected arrays are made here with numpy; the virtual dataset is made by the command alone. h5dump is
asked for the raw values too, so that both see the same bytes. With --show, the commands are printed.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

import common

KIND = '<u2'


def frames(shape, start):
    return (np.arange(int(np.prod(shape))) + 1000 * start).astype(KIND).reshape(shape)


class Case:
    """Some sources, the arguments that compose them, and what the result should read as."""

    def __init__(self, name, options, sources, expected, late=False, glob=None):
        self.name, self.options, self.sources, self.expected = name, options, sources, expected
        self.late, self.glob = late, glob

    def write_sources(self, folder):
        for name, data in self.sources.items():
            with h5py.File(os.path.join(folder, name), 'w') as f:
                f.create_dataset('/entry/data', data=data, chunks=(1,) + data.shape[1:])

    def command(self):
        names = [n + '/entry/data' for n in ([self.glob] if self.glob else self.sources)]
        return [os.path.abspath(common.COMMAND), 'vds', 'build', 'all.h5', '--name', '/entry/all', *self.options, *names]


def interleaved(parts, length):
    out = np.zeros((length,) + parts[0].shape[1:], KIND)
    for i, part in enumerate(parts):
        out[i::len(parts)] = part
    return out


def tiled(parts, columns, gap, fill):
    rows = -(-len(parts) // columns)
    n, h, w = parts[0].shape
    out = np.full((n, rows * h + (rows - 1) * gap[0], columns * w + (columns - 1) * gap[1]), fill, KIND)
    for i, part in enumerate(parts):
        top, left = i // columns * (h + gap[0]), i % columns * (w + gap[1])
        out[:, top:top + h, left:left + w] = part
    return out


def cases():
    same = [frames((5, 4, 6), i) for i in range(4)]
    four = {'s%d.h5' % i: a for i, a in enumerate(same)}
    long = [frames((n, 4, 6), n) for n in (3, 1, 5)]
    three = {'t%d.h5' % i: a for i, a in enumerate(long)}
    wide = [frames((2, n, 6), n) for n in (3, 4)]
    two = {'w%d.h5' % i: a for i, a in enumerate(wide)}
    deal = [frames((n, 4, 6), n) for n in (4, 4, 3)]
    dealt = {'d%d.h5' % i: a for i, a in enumerate(deal)}
    yield Case('stack', ['--mode', 'stack'], four, np.stack(same))
    yield Case('stack on axis 1', ['--mode', 'stack', '--axis', '1'], four, np.stack(same, 1))
    yield Case('stack from a glob', [], four, np.stack(same), glob='s*.h5')
    yield Case('concatenate', ['--mode', 'concat'], three, np.concatenate(long))
    yield Case('concatenate on axis 1', ['--mode', 'concat', '--axis', '1'], two, np.concatenate(wide, 1))
    yield Case('interleave', ['--mode', 'interleave'], four, interleaved(same, 20))
    yield Case('interleave, one source shorter', ['--mode', 'interleave'], dealt, interleaved(deal, 11))
    yield Case('grid', ['--mode', 'grid', '--grid', '2x2'], four, tiled(same, 2, (0, 0), 0))
    yield Case('grid with gaps', ['--mode', 'grid', '--grid', '2x2', '--gap', '3,1', '--fill', '7'], four, tiled(same, 2, (3, 1), 7))
    yield Case('expected sources', ['--expect', '5,4,6', 'u2', '--fill', '9'], four, np.stack(same), late=True)


def read(folder):
    with h5py.File(os.path.join(folder, 'all.h5'), 'r') as f:
        return f['/entry/all'][()]


def dumped(folder, shape):
    """The values as h5dump writes them to a file."""
    out = os.path.join(folder, 'values.bin')
    done = subprocess.run(['h5dump', '-d', '/entry/all', '-b', 'LE', '-o', out, 'all.h5'], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0 or not os.path.exists(out):
        return 'h5dump: ' + (done.stderr.strip().splitlines() or ['status %d' % done.returncode])[-1]
    raw = np.fromfile(out, KIND)
    return raw.reshape(shape) if raw.size == int(np.prod(shape)) else 'h5dump gave %d elements' % raw.size


def differs(who, got, expected):
    if isinstance(got, str):
        return got
    if got.dtype != expected.dtype or got.shape != expected.shape or not np.array_equal(got, expected):
        return '%s reads %s %s %s…, expected %s %s %s…' % (
            who, got.dtype, got.shape, got.ravel()[:6].tolist(), expected.dtype, expected.shape, expected.ravel()[:6].tolist())
    return None


def check(case, folder, show):
    """None, or what is wrong."""
    if not case.late:
        case.write_sources(folder)
    command = case.command()
    if show:
        print(' '.join(command))
    code, out, err = common.run(command, 60, cwd=folder)
    if code != 0:
        return 'vds build: %s %s' % (common.ending(code) or 'exit status %s' % code, err.decode('utf8', 'replace').strip()[-300:])
    if case.late:
        wrong = differs('h5py, before the sources', read(folder), np.full(case.expected.shape, 9, KIND))
        if wrong:
            return wrong
        case.write_sources(folder)
    return differs('h5py', read(folder), case.expected) or differs('h5dump', dumped(folder, case.expected.shape), case.expected)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--show', action='store_true')
    a = ap.parse_args()
    common.need('compose', common.COMMAND)
    if not shutil.which('h5dump'):
        common.not_run('compose', 'h5dump is not installed')
    failures, passed = [], 0
    for case in cases():
        with tempfile.TemporaryDirectory(prefix='hyperslab-compose-', dir=common.temporary()) as folder:
            wrong = check(case, folder, a.show)
        passed += wrong is None
        if wrong:
            failures.append('%s: %s' % (case.name, wrong))
    common.finish('compose', passed, failures)


if __name__ == '__main__':
    sys.exit(main())
