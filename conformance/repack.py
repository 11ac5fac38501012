#!/usr/bin/env python3
"""Every file of the corpus through `hyperslab repack`, and h5py on what came out.

    repack.py [WORD ...]     only files whose path contains one of the words; -v shows every difference

What h5py finds in the new file must be what it found in the old one. Each is repacked three ways: as
it is, for the oldest readers, and with other chunks and filters.
"""
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import common

TIMEOUT = 300

WAYS = [
    ('as it is', []),
    ('earliest', ['--bounds', 'earliest']),
    ('chunks and filters', ['--chunk', 'auto', '--filter', 'shuffle+gzip:1']),
]


def beside(path, directory):
    """Links to all that is beside the file: sources, raw files, the targets of links."""
    for name in os.listdir(os.path.dirname(path)):
        if name != os.path.basename(path):
            os.symlink(os.path.join(os.path.dirname(path), name), os.path.join(directory, name))


def dump(path):
    """What h5py says is in a file; in a process of its own, since libhdf5 may crash."""
    oracle = os.path.join(common.TOOLS, 'oracle.py')
    env = dict(os.environ, HDF5_USE_FILE_LOCKING='FALSE')
    done = subprocess.run([sys.executable, oracle, 'dump', os.path.basename(path)], capture_output=True,
                          timeout=TIMEOUT, cwd=os.path.dirname(path), env=env)
    if done.returncode:
        raise ValueError('h5py: ' + done.stderr.decode('utf8', 'replace').strip()[-200:])
    return json.loads(done.stdout)


def check(oracle, entry, way, verbose):
    """None when the new file has what the old one has, else what differs."""
    name, options = way
    path = os.path.abspath(os.path.join(common.CORPUS, 'files', entry['file']))
    with open(os.path.join(common.CORPUS, 'expect', entry['id'] + '.json')) as f:
        expect = json.load(f)
    with tempfile.TemporaryDirectory(dir=common.temporary()) as directory:
        beside(path, directory)
        new = os.path.join(directory, os.path.basename(path))
        try:
            wrong = repacked(oracle, [common.COMMAND, 'repack', *options, path, new], expect, new, verbose)
        except (ValueError, subprocess.TimeoutExpired) as error:
            wrong = str(error)
    return wrong and '%s (%s): %s' % (entry['file'], name, wrong)


def repacked(oracle, command, expect, new, verbose):
    code, _, err = common.run(command, TIMEOUT, cwd=os.path.dirname(new))
    wrong = common.ending(code)
    if wrong is None and code != 0:
        wrong = err.decode('utf8', 'replace').strip()[-300:]
    if wrong is not None:
        return wrong
    return common.differences(oracle, expect, dump(new), verbose)


def main():
    oracle, entries, a = common.corpus('repacked corpus')
    entries = [e for e in entries if e['oracle'] == 'full']
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        work = [(e, way) for way in WAYS for e in entries]
        results = list(pool.map(lambda job: check(oracle, *job, a.verbose), work))
    print('repacked corpus: %d files, %d ways' % (len(entries), len(WAYS)))
    failures = [r for r in results if r]
    common.finish('repacked corpus', len(results) - len(failures), failures, show=300 if a.verbose else 40)


if __name__ == '__main__':
    main()
