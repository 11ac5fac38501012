#!/usr/bin/env python3
"""The 54 cases that live files have to pass: what each one asks, and where it is asked.

    swmr_cases.py [--case 17,18] [--long] [--list]

Some have a step of ./test of their own, or are tests of the engine: ELSEWHERE says which, and that it is there is looked
up. The others are functions in swmr_cases_file.py, swmr_cases_live.py and swmr_cases_time.py, named by their number. In
them both packages work on one file, h5py as it is and hyperslab beside it. --long asks as much as was first asked.
"""
import argparse
import os
import re
import sys
import tempfile
import time
import traceback

import common
import swmr_cases_file
import swmr_cases_live
import swmr_cases_time

TESTS = 'crates/hyperslab/tests/'
# Case: what is asked, the file that asks it, and words that stand there.
ELSEWHERE = {
    4: ('who may open what, both ways, with locks and without', 'conformance/locks.py', 'def matrix'),
    5: ('`w` on a file that somebody has', 'conformance/locks.py', 'def truncating'),
    7: ('HDF5_USE_FILE_LOCKING', 'conformance/locks.py', 'def environment'),
    14: ('ours writes, h5py follows', 'conformance/races.py', 'def ours'),
    15: ('h5py writes, ours follows', 'conformance/live.py', 'def run'),
    36: ('files of libhdf5 whose writer was killed, recovered', 'conformance/recover.py', 'def live'),
    37: ('recover while the writer lives', 'conformance/recover.py', 'def alive'),
    39: ('a file in pages, followed', 'conformance/live.py', 'paged'),
    40: ('a virtual dataset over live sources', TESTS + 'swmr_reader.rs',
         'a_source_shorter_than_its_mapping_reads_as_the_fill_value_until_it_grows'),
    52: ('two live writers', 'conformance/locks.py', "'SW': [MARK, MARK, MARK, OK]"),
    49: ('a full disk at every call of a flush', 'conformance/live_faults.py', "KINDS = ('EIO', 'ENOSPC', 'FULL', 'TORN', 'EINTR', 'SHORT')"),
    50: ('short writes and interruptions', 'conformance/live_faults.py', "GOES_ON = ('EINTR', 'SHORT')"),
    54: ('pairs of programs like those of the HDF Group', 'conformance/swmr_pairs.py', 'def run'),
    53: ('a file that was replaced or deleted', TESTS + 'swmr_reader.rs', 'a_file_that_was_replaced_or_deleted_is_read_on'),
}
# Every prefix of a writer's operations, torn and lost writes, groups that are flushed together: one program for all.
REPLAYED = {
    9: 'every prefix', 10: 'after h5clear -s', 11: 'torn writes', 12: 'lost writes', 13: 'a reader that stays',
    47: 'many datasets, one flush', 48: 'a counter behind its data',
}
REPLAY = 'conformance/swmr.py'


def functions():
    """The cases that are functions here."""
    found = {}
    for module in (swmr_cases_file, swmr_cases_live, swmr_cases_time):
        for name, function in vars(module).items():
            match = re.match(r'case_(\d+)_', name)
            if match:
                found[int(match.group(1))] = function
    return found


def table():
    """Number, what is asked, where: of all cases."""
    asked = {number: (what, '%s: %s' % (file, words)) for number, (what, file, words) in ELSEWHERE.items()}
    asked.update({number: (what, REPLAY) for number, what in REPLAYED.items()})
    for number, function in functions().items():
        here = ((function.__doc__ or '').split('\n')[0], '%s.py: %s' % (function.__module__, function.__name__))
        asked[number] = here
    return dict(sorted(asked.items()))


def pointers(check):
    """What is said to be asked elsewhere is there."""
    for number, (what, file, words) in ELSEWHERE.items():
        path = os.path.join(common.ROOT, file)
        with open(path) as text:
            check.expect(words in text.read(), 'case %d, %s: %s is not in %s' % (number, what, words, file))
    missing = sorted(set(range(1, 55)) - set(table()))
    check.expect(not missing, 'nobody asks cases %s' % missing)


class Check:
    """Where a case works, and what it found."""

    def __init__(self, folder, long):
        self.folder, self.long, self.passed, self.failures, self.count, self.case = folder, long, 0, [], 0, 0

    def path(self, name='file'):
        self.count += 1
        return os.path.join(self.folder, '%s_%d_%d.h5' % (name, self.case, self.count))

    def expect(self, fine, what='', *found):
        if fine:
            self.passed += 1
        else:
            self.failures.append('case %d: %s%s' % (self.case, what, ''.join(': %s' % (one,) for one in found)))

    def equal(self, got, wanted, what=''):
        self.expect(got == wanted, '%s: %r, expected %r' % (what, got, wanted))

    def raises(self, kinds, words, work):
        try:
            work()
        except kinds as error:
            self.expect(words in str(error), 'the error says %r' % str(error))
        else:
            self.expect(False, 'no error that says %r' % words)

    def run(self, number, function):
        self.case = number
        begun = time.monotonic()
        try:
            function(self)
        except Exception:
            self.failures.append('case %d: %s' % (number, traceback.format_exc(limit=-3)))
        for name in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, name))
        return time.monotonic() - begun


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--case', help='only these numbers')
    parser.add_argument('--long', action='store_true')
    parser.add_argument('--list', action='store_true', help='only says where each case is')
    arguments = parser.parse_args()
    if arguments.list:
        for number, (what, where) in table().items():
            print('%2d  %s\n      %s' % (number, what, where))
        return 0
    chosen = arguments.case and [int(number) for number in arguments.case.split(',')]
    with tempfile.TemporaryDirectory(dir=common.temporary()) as folder:
        check = Check(folder, arguments.long)
        pointers(check)
        for number, function in sorted(functions().items()):
            if chosen and number not in chosen:
                continue
            took = check.run(number, function)
            if took > 1:
                print('  case %d took %.1f s' % (number, took), flush=True)
    common.finish('cases of live files', check.passed, check.failures)


if __name__ == '__main__':
    sys.exit(main())
