"""Lines of each room that were run, from what llvm-cov says: coverage.py FILE [-v]. Called by conformance/coverage."""
import collections
import re
import sys

# What stands after this line in a file is a test of it.
TESTS = re.compile(r'^#\[cfg\(test\)\]\n(?:#\[.*\]\n)*mod \w+ \{', re.M)
ASKED = ('format', 'space', 'object', 'index', 'metadata', 'filter', 'vds')
LEAST = 90


def lines_before_tests(path):
    with open(path) as file:
        text = file.read()
    found = TESTS.search(text)
    return text[:found.start()].count('\n') if found else text.count('\n') + 1


def main():
    files, path = collections.defaultdict(dict), None
    with open(sys.argv[1]) as lcov:
        for line in lcov:
            if line.startswith('SF:'):
                path = line[3:].strip()
            elif line.startswith('DA:'):
                number, count = line[3:].strip().split(',')[:2]
                files[path][int(number)] = max(files[path].get(int(number), 0), int(count))
    rooms, each = collections.Counter(), []
    runs = collections.Counter()
    for path, lines in files.items():
        name = path.rpartition('/crates/hyperslab/src/')[2]
        if name == path:
            continue
        end = lines_before_tests(path)
        counted = {number: count for number, count in lines.items() if number <= end}
        room = name.split('/')[0].removesuffix('.rs')
        run = sum(count > 0 for count in counted.values())
        rooms[room] += len(counted)
        runs[room] += run
        each.append((len(counted) - run, len(counted), name, [number for number, count in counted.items() if not count]))
    low = 0
    for room, lines in sorted(rooms.items()):
        share = 100 * runs[room] / max(1, lines)
        low += room in ASKED and share < LEAST
        print('%-16s %6d of %6d lines, %5.1f %%' % (room, runs[room], lines, share))
    print('%-16s %6d of %6d lines, %5.1f %%' % ('all', sum(runs.values()), sum(rooms.values()), 100 * sum(runs.values()) / max(1, sum(rooms.values()))))
    if '-v' in sys.argv:
        for missing, lines, name, numbers in sorted(each, reverse=True)[:40]:
            print('%4d of %4d lines not run: %s: %s' % (missing, lines, name, ','.join(map(str, numbers[:60]))))
    return low > 0


if __name__ == '__main__':
    sys.exit(main())
