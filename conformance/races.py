#!/usr/bin/env python3
"""Live files in both directions at full speed: every row that is seen is right, none goes away, nothing is an error.

    races.py [--seconds 2] [--part ours,theirs,virtual] [--kind ea1,eaz8]

`ours`: hyperslab writes, three readers of h5py's and two of ours follow. `theirs`: h5py writes and three of ours follow.
`virtual`: a virtual dataset over six live files, two of them gzip, ours and h5py's writers in turn, followed by a reader
of ours and one of h5py's. Row i has 7 j + 13 i + 1 in column j, which is never the fill value. Where both packages are
installed; with --seconds 60 and all kinds it takes eleven minutes.
"""
import argparse
import multiprocessing
import os
import sys
import tempfile
import time
import traceback

import numpy as np

import common

WIDTH = 64
CHECKED = 20
# Rows of a source that are looked for beyond those that were there.
AHEAD = 200
KINDS = {
    'ea1': (1, {}, (None, WIDTH)),
    'ea8': (8, {}, (None, WIDTH)),
    'eaz1': (1, {'compression': 'gzip', 'compression_opts': 1}, (None, WIDTH)),
    'eaz8': (8, {'compression': 'gzip', 'compression_opts': 1}, (None, WIDTH)),
    'b2': (1, {}, (None, None)),
}
# Of the six sources; the second, of h5py's, and the fifth, of ours, are compressed. Of chunks of several rows that stay as
# long as they were h5py writes the new over the old, which nobody can read in between.
SOURCES = ('ea1', 'eaz1', 'ea8', 'ea1', 'eaz8', 'ea8')
WRITERS = ('hyperslab', 'h5py')


def rows(start, stop):
    return (7 * np.arange(WIDTH) + 13 * np.arange(start, stop)[:, None] + 1).astype('u4')


def write(module, path, kind, seconds, live, begin, told):
    """Appends a row and flushes, for so long."""
    h5 = __import__(module)
    per, filters, most = KINDS[kind]
    with h5.File(path, 'w', libver=('v110', 'v110')) as file:
        data = file.create_dataset('d', (0, WIDTH), 'u4', maxshape=most, chunks=(per, WIDTH), **filters)
        file.swmr_mode = True
        live.set()
        begin.wait(300)
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            data.resize((count + 1, WIDTH))
            data[count] = rows(count, count + 1)[0]
            data.flush()
            count += 1
    told.put(('writer', module, {'rows': count}))


class Seen:
    """What a reader saw of one dataset."""

    def __init__(self):
        self.looks = self.wrong = self.back = self.errors = self.rows = 0
        self.message = ''

    def failed(self):
        self.errors += 1
        self.message = traceback.format_exc(limit=-2)

    def told(self):
        return dict(vars(self))


def watched(module, path, name, ready, done, look):
    """Looks at a dataset again and again, and for the last time once the writers are done; what was seen."""
    h5 = __import__(module)
    seen = Seen()
    with h5.File(path, 'r', swmr=True) as file:
        data = file[name]
        ready.release()
        last = False
        while not last:
            last = done.is_set()
            try:
                look(data, seen, last)
            except Exception:
                seen.failed()
            seen.looks += 1
    return seen


def grown(data, seen, waits):
    """How many rows there are; it is noted when there were more."""
    if waits:
        data.wait(seen.rows + 1, 0.05)
    else:
        data.refresh()
    count = len(data)
    seen.back += count < seen.rows
    return count


def follow(module, path, waits, ready, done, told):
    """Looks at the newest rows of a file, again and again, and at all of them in the end."""
    def look(data, seen, last):
        count = grown(data, seen, waits)
        first = 0 if last else max(0, count - CHECKED)
        seen.wrong += not np.array_equal(data[first:count], rows(first, count))
        seen.rows = max(seen.rows, count)
    told.put(('reader', module, watched(module, path, 'd', ready, done, look).told()))


def look_at_source(data, seen, at, lengths, first, stop):
    """The rows of one source, which may end at another row than the others, in a virtual dataset of their columns."""
    part = data[first:stop, at * WIDTH:(at + 1) * WIDTH]
    there = int((part[:, 0] != 0).sum())
    seen.wrong += not (np.array_equal(part[:there], rows(first, first + there)) and not part[there:].any())
    # What was there once is there in every range.
    seen.back += there < min(stop, lengths[at]) - first
    lengths[at] = max(lengths[at], first + there) if there else lengths[at]


def follow_virtual(module, path, ready, done, told):
    """The same of a virtual dataset; each source may end at another row."""
    lengths = [0] * len(SOURCES)

    def look(data, seen, last):
        count = grown(data, seen, False)
        for at, before in enumerate(lengths):
            first, stop = (0, count) if last else (max(0, before - CHECKED), min(count, before + AHEAD))
            look_at_source(data, seen, at, lengths, first, stop)
        seen.rows = max(seen.rows, count)
    seen = watched(module, path, 'v', ready, done, look)
    told.put(('reader', module, dict(seen.told(), lengths=lengths)))


def side_by_side(path, sources):
    """A file with a virtual dataset of columns from each of the sources, as long as they are."""
    import h5py
    from h5py import h5d, h5p, h5s

    def rows_of(columns, first):
        space = h5s.create_simple((0, columns), (h5s.UNLIMITED, columns))
        space.select_hyperslab((0, first), (h5s.UNLIMITED, 1), (1, 1), (1, WIDTH))
        return space

    width = WIDTH * len(sources)
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_fill_value(np.array(0, 'u4'))
    for at, source in enumerate(sources):
        plist.set_virtual(rows_of(width, at * WIDTH), source.encode(), b'd', rows_of(WIDTH, 0))
    with h5py.File(path, 'w', libver='latest') as file:
        space = h5s.create_simple((0, width), (h5s.UNLIMITED, width))
        h5d.create(file.id, b'v', h5py.h5t.STD_U32LE, space, plist)


def race(context, writers, readers, write=write, patience=600):
    """Starts all at once; gives what everybody told. Readers end after the last writer."""
    told, begin, done = context.Queue(), context.Event(), context.Event()
    ready = context.Semaphore(0)
    lives = [context.Event() for _ in writers]
    working = [context.Process(target=write, args=(*how, live, begin, told)) for how, live in zip(writers, lives)]
    for process in working:
        process.start()
    for live in lives:
        if not live.wait(300):
            raise TimeoutError('a writer did not begin')
    reading = [context.Process(target=target, args=(*how, ready, done, told)) for target, *how in readers]
    for process in reading:
        process.start()
    for _ in reading:
        if not ready.acquire(timeout=300):
            raise TimeoutError('a reader did not begin')
    begin.set()
    written = [told.get(timeout=patience) for _ in working]
    done.set()
    read = [told.get(timeout=patience) for _ in reading]
    for process in working + reading:
        process.join()
    return written, read


class Check:
    def __init__(self, folder, seconds):
        self.folder, self.seconds, self.passed, self.failures = folder, seconds, 0, []
        self.context = multiprocessing.get_context('spawn')

    def judge(self, what, read, count):
        for _, module, seen in read:
            fine = not (seen['wrong'] or seen['back'] or seen['errors']) and seen['rows'] == count
            line = '%s, read by %s: %s of %d rows' % (what, module, seen, count)
            print('  ' + line, flush=True)
            if fine:
                self.passed += 1
            else:
                self.failures.append(line)

    def one_way(self, what, kind, writer, readers):
        path = os.path.join(self.folder, '%s_%s.h5' % (what, kind))
        readers = [(follow, module, path, waits) for module, waits in readers]
        written, read = race(self.context, [(writer, path, kind, self.seconds)], readers)
        self.judge('%s, written by %s' % (kind, writer), read, written[0][2]['rows'])
        os.unlink(path)

    def ours(self, kinds):
        readers = [('h5py', False)] * 3 + [('hyperslab', False), ('hyperslab', True)]
        for kind in kinds:
            self.one_way('ours', kind, 'hyperslab', readers)

    def theirs(self, kinds):
        readers = [('hyperslab', False), ('hyperslab', True), ('hyperslab', False)]
        for kind in kinds:
            self.one_way('theirs', kind, 'h5py', readers)

    def virtual(self):
        import h5py
        paths = [os.path.join(self.folder, 'source%d.h5' % at) for at in range(len(SOURCES))]
        whole = os.path.join(self.folder, 'virtual.h5')
        side_by_side(whole, paths)
        writers = [(WRITERS[at % 2], path, kind, self.seconds) for at, (path, kind) in enumerate(zip(paths, SOURCES))]
        readers = [(follow_virtual, module, whole) for module in ('hyperslab', 'h5py')]
        written, read = race(self.context, writers, readers)
        counts = [told['rows'] for _, _, told in written]
        print('  virtual: the writers wrote %s rows' % counts)
        self.judge('virtual', read, max(counts))
        for _, module, seen in read:
            if sorted(seen['lengths']) != sorted(counts):
                self.failures.append('virtual, read by %s: sources end at %s' % (module, seen['lengths']))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=float, default=2)
    parser.add_argument('--part', default='ours,theirs,virtual')
    parser.add_argument('--kind', default='ea1,eaz8')
    arguments = parser.parse_args()
    parts, kinds = arguments.part.split(','), arguments.kind.split(',')
    with tempfile.TemporaryDirectory(dir=common.temporary()) as folder:
        check = Check(folder, arguments.seconds)
        for part in parts:
            if part == 'virtual':
                check.virtual()
            else:
                getattr(check, part)(kinds)
    common.finish('races', check.passed, check.failures)


if __name__ == '__main__':
    main()
