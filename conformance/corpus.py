#!/usr/bin/env python3
"""Every file of the corpus through `hyperslab dump`, compared with what h5py said is in it.

    corpus.py [WORD ...]     only files whose path contains one of the words; -v shows every difference

A file whose oracle is full must have no difference. Any other file must end in a right answer or
in an error message: exit status 0 or 1, within ten seconds, no panic and no signal.
"""
import json
import os
from concurrent.futures import ThreadPoolExecutor

import common

TIMEOUT = 10


def check(oracle, entry, verbose):
    """None when the file is right, else what is wrong with it."""
    path = os.path.join(common.CORPUS, 'files', entry['file'])
    code, out, err = common.run([common.COMMAND, 'dump', path], TIMEOUT)
    wrong = common.ending(code)
    if wrong is None and code not in (0, 1):
        wrong = 'exit status %d' % code
    if wrong is None and code == 1 and not err.strip() and b'"fails"' not in out:
        wrong = 'failed without a message'
    full = entry['oracle'] == 'full'
    if wrong is None and full:
        wrong = differences(oracle, entry, out, err, verbose)
    return wrong and '%s (%s): %s' % (entry['file'], entry['oracle'], wrong)


def differences(oracle, entry, out, err, verbose):
    with open(os.path.join(common.CORPUS, 'expect', entry['id'] + '.json')) as f:
        expect = json.load(f)
    try:
        got = json.loads(out)
    except ValueError:
        return 'no JSON: ' + err.decode('utf8', 'replace').strip()[-200:]
    return common.differences(oracle, expect, got, verbose)


def main():
    oracle, entries, a = common.corpus('corpus')
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda e: check(oracle, e, a.verbose), entries))
    full = sum(e['oracle'] == 'full' for e in entries)
    print('corpus: %d files, %d of them compared value by value' % (len(entries), full))
    common.finish('corpus', sum(r is None for r in results), [r for r in results if r], show=300 if a.verbose else 40)


if __name__ == '__main__':
    main()
