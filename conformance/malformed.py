#!/usr/bin/env python3
"""Hostile files and their sound twins through `hyperslab dump`: no crash, no panic, no hang, little memory."""
import json
import os
import sys
import tempfile

import common

MEMORY = 256        # MiB at the peak; nothing in these files is large


def main():
    common.need('malformed', common.TOOLS, common.COMMAND)
    with tempfile.TemporaryDirectory(prefix='hyperslab-malformed-', dir=common.temporary()) as folder:
        cases = os.path.join(folder, 'cases')
        report = os.path.join(folder, 'report.json')
        command = os.path.abspath(common.COMMAND)
        steps = [
            [sys.executable, os.path.join(common.TOOLS, 'malformed.py'), '--out', cases],
            [sys.executable, os.path.join(common.TOOLS, 'probe.py'), 'run', '--tool', command + ' dump {}', '--dir', cases,
             '--mem', str(MEMORY), '--json', report],
        ]
        for step in steps:
            code, out, err = common.run(step, timeout=900)
            if code != 0:
                print((out + err).decode('utf8', 'replace')[-2000:])
                common.finish('malformed', 0, ['%s ended with %s' % (os.path.basename(step[1]), code)])
        with open(report) as f:
            results = json.load(f)
    failures = [describe(r) for r in results if not r['passed'] or 'panicked at' in r['text']]
    common.finish('malformed', len(results) - len(failures), failures, show=300)


def describe(result):
    outcome = 'panic' if 'panicked at' in result['text'] else result['outcome']
    lines = result['text'].strip().splitlines() or ['']
    return '%s: expected %s, outcome is %s, %d MiB: %s' % (
        result['name'], result['verdict'], outcome, result['rss'], lines[-1][:160])


if __name__ == '__main__':
    main()
