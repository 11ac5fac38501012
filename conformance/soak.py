#!/usr/bin/env python3
"""Live files for a long time: every row is right, none goes away, nobody's memory or descriptors grow.

    soak.py [--seconds 60] [--records 200000] [--part one,six]

`one`: a writer of ours, three readers of ours and two of h5py's. `six`: six writers, ours and h5py's in turn, a virtual
dataset over their files, three readers of ours and two of h5py's. The records of a part come evenly over the time, a few
for each flush; a reader looks at the newest and at some older ones, again and again, and at all in the end. What a
process holds once a third of the time is over may be neither more descriptors nor much more memory at the end; of h5py's
processes that is only printed. With --seconds 3600 --records 4000000 it takes two hours.
"""
import argparse
import os
import random
import sys
import tempfile
import time

import numpy as np

import common
import races
from races import KINDS, WIDTH, rows

# Megabytes by which a process may grow: what an allocator keeps of what it was given back.
GROWTH = 12
# Rows for one flush at most, when a writer is late.
MOST = 64
# Rows that are compared at once in the end.
PIECE = 20000
READERS = ('hyperslab', 'hyperslab', 'hyperslab', 'h5py', 'h5py')


class Held:
    """What a process holds, a few times a second."""

    def __init__(self):
        self.samples, self.next = [], 0

    def sample(self):
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + 0.2
        with open('/proc/self/statm') as statm:
            pages = int(statm.read().split()[1])
        self.samples.append((pages * os.sysconf('SC_PAGE_SIZE') / (1 << 20), len(os.listdir('/proc/self/fd'))))

    def told(self):
        """Megabytes and descriptors at most, in the second third of the time and in the last."""
        third = max(1, len(self.samples) // 3)
        middle, last = self.samples[third:2 * third] or self.samples, self.samples[-third:]
        return {'megabytes': [round(max(s[0] for s in part), 1) for part in (middle, last)],
                'descriptors': [max(s[1] for s in part) for part in (middle, last)]}


def pieces(count):
    return [(first, min(count, first + PIECE)) for first in range(0, count, PIECE)]


def write(module, path, kind, seconds, records, live, begin, told):
    """Appends so many rows in so many seconds; then at once what is left."""
    h5 = __import__(module)
    per, filters, most = KINDS[kind]
    held = Held()
    with h5.File(path, 'w', libver=('v110', 'v110')) as file:
        data = file.create_dataset('d', (0, WIDTH), 'u4', maxshape=most, chunks=(per, WIDTH), **filters)
        file.swmr_mode = True
        live.set()
        begin.wait(300)
        count, begun, flushes = 0, time.monotonic(), 0
        while count < records:
            due = min(records, int(records * (time.monotonic() - begun) / seconds) + 1)
            more = min(due - count, MOST)
            if more <= 0:
                time.sleep(0.001)
                continue
            data.resize((count + more, WIDTH))
            data[count:count + more] = rows(count, count + more)
            data.flush()
            count, flushes = count + more, flushes + 1
            held.sample()
    told.put(('writer', module, dict(held.told(), rows=count, flushes=flushes)))


def follow(module, path, number, ready, done, told):
    """One dataset."""
    pick, held = random.Random(number), Held()

    def look(data, seen, last):
        count = races.grown(data, seen, module == 'hyperslab' and number == 0)
        some = pick.randrange(count + 1)
        for first, stop in pieces(count) if last else [(max(0, count - 20), count), (some, min(count, some + 30))]:
            seen.wrong += not np.array_equal(data[first:stop], rows(first, stop))
        seen.rows = max(seen.rows, count)
        if not last:
            held.sample()
            time.sleep(0.001)
    seen = races.watched(module, path, 'd', ready, done, look)
    told.put(('reader', module, dict(seen.told(), **held.told())))


def follow_virtual(module, path, number, ready, done, told):
    """A virtual dataset of columns from six."""
    pick, held, lengths = random.Random(number), Held(), [0] * len(races.SOURCES)

    def look(data, seen, last):
        count = races.grown(data, seen, False)
        for at in range(len(lengths)) if last else [pick.randrange(len(lengths))]:
            before, some = lengths[at], pick.randrange(lengths[at] + 1)
            for first, stop in pieces(count) if last else [(max(0, before - 20), before + 200), (some, some + 30)]:
                races.look_at_source(data, seen, at, lengths, min(first, count), min(stop, count))
        seen.rows = max(seen.rows, count)
        if not last:
            held.sample()
            time.sleep(0.001)
    seen = races.watched(module, path, 'v', ready, done, look)
    told.put(('reader', module, dict(seen.told(), lengths=lengths, **held.told())))


class Check(races.Check):
    def __init__(self, folder, seconds, records):
        super().__init__(folder, seconds)
        self.records = records

    def run(self, what, writers, readers):
        written, read = races.race(self.context, writers, readers, write, 4 * self.seconds + 900)
        counts = [found['rows'] for _, _, found in written]
        self.judge(what, read, max(counts))
        for role, module, found in written + read:
            line = '%s: a %s of %s holds %s MB, %s descriptors' % (what, role, module, found['megabytes'], found['descriptors'])
            print('  ' + line, flush=True)
            memory, descriptors = found['megabytes'], found['descriptors']
            flat = memory[1] <= memory[0] + GROWTH and descriptors[1] <= descriptors[0]
            if module == 'hyperslab':
                self.passed += flat
                self.failures += [] if flat else [line]
        return counts, read

    def one(self):
        path = os.path.join(self.folder, 'one.h5')
        readers = [(follow, module, path, number) for number, module in enumerate(READERS)]
        self.run('one writer', [('hyperslab', path, 'ea8', self.seconds, self.records)], readers)
        os.unlink(path)

    def six(self):
        paths = [os.path.join(self.folder, 'source%d.h5' % at) for at in range(len(races.SOURCES))]
        whole = os.path.join(self.folder, 'virtual.h5')
        races.side_by_side(whole, paths)
        # Not all of the same length.
        writers = [(races.WRITERS[at % 2], path, kind, self.seconds, self.records // len(paths) + 100 * at)
                   for at, (path, kind) in enumerate(zip(paths, races.SOURCES))]
        readers = [(follow_virtual, module, whole, number) for number, module in enumerate(READERS)]
        counts, read = self.run('six writers', writers, readers)
        for _, module, seen in read:
            if seen['lengths'] != [how[4] for how in writers]:
                self.failures.append('six writers, read by %s: sources end at %s' % (module, seen['lengths']))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--records', type=int, default=200000)
    parser.add_argument('--part', default='one,six')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=common.temporary()) as folder:
        check = Check(folder, arguments.seconds, arguments.records)
        for part in arguments.part.split(','):
            getattr(check, part)()
    common.finish('soak', check.passed, check.failures)


if __name__ == '__main__':
    sys.exit(main())
