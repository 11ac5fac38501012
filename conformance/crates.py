#!/usr/bin/env python3
"""The crates we build on are what deny.toml allows: their licences, where they come from, and none that is banned.

    crates.py

As much of `cargo deny check bans licenses sources` as needs no network; whether something is known to be broken is asked
of the RustSec database by `cargo deny check advisories`.
"""
import json
import os
import re
import subprocess
import sys
import tomllib

import common

REGISTRY = 'registry+https://github.com/rust-lang/crates.io-index'


def allowed(expression, licences):
    """Whether a licence expression leaves a choice of which all is allowed."""
    words = re.findall(r'[()]|[^()\s]+', expression.replace('/', ' OR '))
    words = re.sub(r' WITH ', '_WITH_', ' '.join(words)).split()

    def either():
        fine = both()
        while words and words[0] == 'OR':
            words.pop(0)
            fine = both() or fine
        return fine

    def both():
        fine = one()
        while words and words[0] == 'AND':
            words.pop(0)
            fine = one() and fine
        return fine

    def one():
        word = words.pop(0)
        if word != '(':
            return word.replace('_WITH_', ' WITH ') in licences
        fine = either()
        words.pop(0)
        return fine
    return either()


def main():
    with open(os.path.join(common.ROOT, 'deny.toml'), 'rb') as file:
        deny = tomllib.load(file)
    licences = set(deny['licenses']['allow'])
    banned = {one if isinstance(one, str) else one['name'] for one in deny['bans']['deny']}
    command = ['cargo', 'metadata', '--format-version', '1', '--locked', '--all-features']
    found = json.loads(subprocess.run(command, cwd=common.ROOT, stdout=subprocess.PIPE, check=True).stdout)
    passed, failures = 0, []
    for package in found['packages']:
        name = '%s %s' % (package['name'], package['version'])
        wrong = []
        if package['name'] in banned:
            wrong.append('is banned')
        if not package['license'] or not allowed(package['license'], licences):
            wrong.append('has the licence %s' % package['license'])
        if package['source'] not in (None, REGISTRY):
            wrong.append('comes from %s' % package['source'])
        for need in package['dependencies'] if package['source'] is None else []:
            if need['req'] == '*' and not need.get('path'):
                wrong.append('needs any %s' % need['name'])
        failures += ['%s %s' % (name, one) for one in wrong]
        passed += not wrong
    common.finish('crates', passed, failures)


if __name__ == '__main__':
    sys.exit(main())
