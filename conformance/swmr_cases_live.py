"""Cases of live files that need a writer and a reader at the same time. See swmr_cases.py."""
import concurrent.futures
import contextlib
import ctypes
import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import warnings

import h5py
import hyperslab
import numpy as np

import common
import swmr
import swmr_bytes as raw
from swmr_cases_file import WIDTH, grow, made, right, rows

BOTH = (h5py, hyperslab)


def polls(path, stop):
    """Opens a file as a reader that follows, as often as it can."""
    while not stop.is_set():
        with contextlib.suppress(OSError), h5py.File(path, 'r', swmr=True):
            pass


def case_6_readers_do_not_keep_a_writer_from_starting(check):
    """three readers of h5py's open the file again and again while it is made and goes live, 500 times (--long: 10,000)"""
    context = multiprocessing.get_context('spawn')
    stop, folder = context.Event(), check.folder
    # One name after the other would leave the readers behind.
    path = os.path.join(folder, 'started.h5')
    readers = [context.Process(target=polls, args=(path, stop)) for _ in range(3)]
    for reader in readers:
        reader.start()
    time.sleep(1)
    failed = []
    for turn in range(10000 if check.long else 500):
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            with hyperslab.File(path, 'x', libver='v110') as file:
                file.create_dataset('d', (0, WIDTH), 'u4', maxshape=(None, WIDTH), chunks=(1, WIDTH))
                file.swmr_mode = True
        except Exception as error:
            failed.append('%d: %s: %s' % (turn, type(error).__name__, error))
    stop.set()
    for reader in readers:
        reader.join()
    check.equal(failed[:5], [], '%d starts failed' % len(failed))


def surface(h5, path):
    """What a program sees of live files through a package, as text."""
    told = []

    def tried(work):
        try:
            told.append(repr(work()))
        except Exception as error:
            told.append('%s %s' % (type(error).__name__, getattr(error, 'errno', None)))

    def says(words, work):
        try:
            work()
            told.append('no error')
        except Exception as error:
            told.append('%s %s' % (type(error).__name__, bool(re.search(words, str(error)))))

    def switch(file, value):
        file.swmr_mode = value

    with h5.File(path, 'w', libver='latest') as file:
        data = file.create_dataset('d', (0, WIDTH), 'u4', maxshape=(None, WIDTH), chunks=(1, WIDTH))
        tried(lambda: file.swmr_mode)
        switch(file, True)
        tried(lambda: (file.swmr_mode, file.mode, file.id.get_intent()))
        says('forcibly switch SWMR mode off', lambda: switch(file, False))
        says('already in SWMR writing mode', lambda: switch(file, True))
        tried(lambda: (data.refresh(), data.flush(), file.flush()))
        tried(lambda: (data.resize((2, WIDTH)), data.shape))
    with h5.File(path, 'r', swmr=True) as file:
        data = file['d']
        tried(lambda: (file.swmr_mode, file.mode, file.id.get_intent(), data.shape))
        tried(lambda: (data.flush(), data.refresh(), file.flush()))
        says('no write intent', lambda: switch(file, True))
        tried(lambda: data.__setitem__(0, 1))
        tried(lambda: data.resize((3, WIDTH)))
    with h5.File(path, 'r') as file:
        tried(lambda: (file.swmr_mode, file['d'].refresh()))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        with h5.File(path, 'r+', swmr=True) as file:
            tried(lambda: file.swmr_mode)
        told.append([(one.category.__name__, 'swmr=True only affects' in str(one.message)) for one in caught])
    writer = h5.h5f.open(os.fsencode(path), h5.h5f.ACC_RDWR | h5.h5f.ACC_SWMR_WRITE)
    tried(writer.get_intent)
    writer.close()
    return told


def case_8_programs_see_what_h5py_shows(check):
    """modes, intents, errors and warnings, as with h5py"""
    theirs, ours = (surface(h5, check.path(h5.__name__)) for h5 in BOTH)
    check.equal(ours, theirs, 'what is seen')


def torn_states(ops, first):
    """Where a write may be cut in two: the number of its operation, the place, whether the head arrives."""
    found = []
    for number, (letter, at, data) in enumerate(ops):
        if letter == 'w' and number > first:
            for unit in swmr.TORN:
                found += [(number, cut, head) for cut in range(unit - at % unit, len(data), unit) for head in (True, False)]
    return found


def torn_seen(trace, path, states):
    """What our reader is not to do with a file in any of these states; it is given up on soon."""
    ops, image, wrong = swmr.operations(trace), swmr.Image(path), []
    for number, op in enumerate(ops):
        if op[0] == 'm':
            continue
        for _, cut, head in sorted(state for state in states if state[0] == number):
            undo = image.torn(op, cut, head)
            live = swmr.live_flags(image)
            done = common.run([common.FOLLOWER, path, 'd', '0', 'poll', '20'], 60)
            undo()
            found = json.loads(done[1] or 'null')
            label = '%s of operation %d, cut at %d' % ('head' if head else 'tail', number, cut)
            if found is None:
                # The file as a whole could not be opened.
                told = b'attempts' in done[2] if live else done[0] == 1
                wrong += [] if told else ['%s: %s %s' % (label, done[0], done[2][-200:])]
            elif found['wrong'] or not all('attempts' in error for error in found['errors']):
                wrong.append('%s: %s' % (label, found))
        image.apply(op)
    os.close(image.fd)
    return wrong


def case_16_what_libhdf5_wrote_torn(check):
    """torn in 60 places (--long: in all) of each kind: right rows or an error in time that says so, never a wrong one"""
    kinds = ('ea1', 'ea8', 'eaz8', 'b2')
    with tempfile.TemporaryDirectory(dir=common.temporary()) as folder:
        environment = dict(os.environ, LD_PRELOAD=common.shim('case 16', folder), FAULT_TRACE='1', HDF5_USE_FILE_LOCKING='FALSE')
        script = os.path.join(common.ROOT, 'conformance', 'swmr.py')
        chosen = [word for kind in kinds for word in ('--kind', kind)]
        subprocess.run([sys.executable, script, '--writer', 'h5py', '--record', folder, *chosen], env=environment, check=True)
        traces = [name for name in sorted(os.listdir(folder)) if name.endswith('.trace')]
        check.equal(len(traces), len(kinds), 'traces')

        def one(trace):
            path = os.path.join(folder, trace)
            ops = swmr.operations(path)
            first = next(number for number, op in enumerate(ops) if op[0] == 'm' and op[2][0] == 'live')
            states = torn_states(ops, first)
            some = states if check.long else random.Random(1).sample(states, min(60, len(states)))
            return len(some), torn_seen(path, path + '.image.h5', some)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for count, wrong in pool.map(one, traces):
                check.passed += count - len(wrong)
                for line in wrong:
                    check.expect(False, line)


def case_23_indexes_that_hardly_change(check):
    """implicit, single, single with gzip: a reader of h5py's sees new values after a refresh"""
    kinds = {'single': {'chunks': (20, WIDTH)}, 'gzip': {'chunks': (20, WIDTH), 'compression': 'gzip'}}
    path = check.path()
    with h5py.File(path, 'w', libver=('v110', 'v110')) as file:
        for name, options in kinds.items():
            file.create_dataset(name, (20, WIDTH), 'u4', **options)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4, WIDTH))
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        h5py.h5d.create(file.id, b'implicit', h5py.h5t.STD_U32LE, h5py.h5s.create_simple((20, WIDTH)), plist)
    with hyperslab.File(path, 'r+') as file:
        file.swmr_mode = True
        with h5py.File(path, 'r', swmr=True) as theirs, hyperslab.File(path, 'r', swmr=True) as ours:
            for turn in range(1, 6):
                for name in (*kinds, 'implicit'):
                    file[name][...] = rows(turn, turn + 20)
                    file[name].flush()
                    for reader in (theirs, ours):
                        reader[name].refresh()
                        check.expect(np.array_equal(reader[name][...], rows(turn, turn + 20)), '%s, turn %d' % (name, turn))


def case_27_rows_that_were_cut_do_not_return(check):
    """6 rows, 2, and more again, seen by readers that stay"""
    for writer in BOTH:
        for options in ({}, {'per': 4}, {'per': 4, 'compression': 'gzip'}, {'most': (None, None)}):
            path = check.path()
            file, data = made(writer, path, **options)
            file.swmr_mode = True
            # In one process, h5py's reader of its own file would be its writer.
            readers = [hyperslab.File(path, 'r', swmr=True)] + ([h5py.File(path, 'r', swmr=True)] if writer is hyperslab else [])
            seen = [reader['d'] for reader in readers]
            for count, expected in ((6, rows(0, 6)), (2, rows(0, 2)), (9, np.vstack([rows(0, 2), np.zeros((3, WIDTH)), rows(5, 9)]))):
                data.resize(count, axis=0)
                if count == 6:
                    data[...] = expected
                elif count == 9:
                    data[5:] = expected[5:]
                data.flush()
                for one in seen:
                    one.refresh()
                    check.expect(np.array_equal(one[...], expected), '%s of %s, %s' % (count, writer.__name__, options), one[...])
            for reader in readers:
                reader.close()
            file.close()


def case_28_an_index_that_was_not_there(check):
    """a reader opened before the first chunk finds it"""
    for writer, reader in ((hyperslab, h5py), (hyperslab, hyperslab), (h5py, hyperslab)):
        for options in ({}, {'most': (None, None)}, {'most': (500, WIDTH)}):
            path = check.path()
            file, data = made(writer, path, **options)
            file.swmr_mode = True
            with reader.File(path, 'r', swmr=True) as follower:
                seen = follower['d']
                right(check, seen, 0)
                grow(data, 5)
                seen.refresh()
                right(check, seen, 5, '%s, read by %s' % (options, reader.__name__))
            file.close()


def case_30_attributes_of_a_live_dataset(check):
    """added, replaced, changed, twenty of them: seen by h5py after a refresh"""
    path = check.path()
    file, data = made(hyperslab, path)
    data.attrs['old'] = 1
    file.swmr_mode = True
    with h5py.File(path, 'r', swmr=True) as theirs, hyperslab.File(path, 'r', swmr=True) as ours:
        seen = [theirs['d'], ours['d']]

        def expect(**wanted):
            data.flush()
            for one in seen:
                one.refresh()
                found = {name: one.attrs[name] for name in one.attrs}
                check.expect({name: found.get(name) for name in wanted} == wanted, 'attributes', found)

        data.attrs['new'] = 'text'
        expect(old=1, new='text')
        data.attrs['old'] = 2.5
        expect(old=2.5, new='text')
        data.attrs.modify('old', 3.5)
        expect(old=3.5)
        for n in range(20):
            data.attrs['many %d' % n] = n
            grow(data, n + 1)
        expect(**{'many %d' % n: n for n in range(20)}, old=3.5)
        for one in seen:
            right(check, one, 20)
    file.close()
    with h5py.File(path, 'r') as reader:
        check.equal(len(reader['d'].attrs), 22, 'attributes of the closed file')


def refresh_group(group):
    """What h5py has no name for: the libhdf5 inside it looks at a group again."""
    with open('/proc/self/maps') as maps:
        found = {line.split()[-1] for line in maps if re.search(r'/libhdf5[-.][^/]*$', line.strip())}
    library = ctypes.CDLL(found.pop())
    library.H5Orefresh.argtypes = [ctypes.c_int64]
    root = group['/']
    return library.H5Orefresh(root.id.id)


def case_31_new_objects_of_a_live_file(check):
    """a reader of h5py's that is open lists and reads a new dataset once its group is refreshed; a later one at once"""
    path = check.path()
    file, data = made(hyperslab, path)
    file.swmr_mode = True
    with h5py.File(path, 'r', swmr=True) as before:
        check.equal(list(before), ['d'], 'names')
        for n in range(20):
            new = file.create_group('g%d' % n).create_dataset('new', (0, WIDTH), 'u4', maxshape=(None, WIDTH), chunks=(1, WIDTH))
            for m in range(4):
                new.attrs['a%d' % m] = m
            grow(new, 3)
        file.flush()
        check.equal(refresh_group(before), 0, 'H5Orefresh')
        check.equal(len(before), 21, 'names after a refresh')
        with h5py.File(path, 'r', swmr=True) as after, hyperslab.File(path, 'r', swmr=True) as ours:
            for n in range(20):
                for reader in (before, after, ours):
                    right(check, reader['g%d/new' % n], 3)
                    check.equal(len(reader['g%d/new' % n].attrs), 4, 'attributes')
    file.close()


def case_32_new_objects_beyond_what_was_announced(check):
    """what is new behind the end that a reader of h5py's knows is an error there, and right once it is opened again"""
    path = check.path()
    with hyperslab.File(path, 'w', libver='v110') as file:
        file.create_dataset('big', (0, 1 << 20), 'u1', maxshape=(None, 1 << 20), chunks=(1, 1 << 20))
        file.swmr_mode = True
        before = h5py.File(path, 'r', swmr=True)
        block = np.ones((8, 1 << 20), 'u1')
        for _ in range(9):
            file['big'].append(block)
            file['big'].flush()
        grow(file.create_dataset('new', (0, WIDTH), 'u4', maxshape=(None, WIDTH), chunks=(1, WIDTH)), 3)
        file.flush()
        check.equal(refresh_group(before), 0, 'H5Orefresh')
        check.raises((OSError, KeyError), '', lambda: before['new'][...])
        before['big'].refresh()
        check.equal(before['big'].shape[0], 72, 'rows of what it knows')
        before.close()
        with h5py.File(path, 'r', swmr=True) as after:
            right(check, after['new'], 3)


def case_33_strings_of_a_live_file(check):
    """text of variable length, read by h5py while it is written and after"""
    path = check.path()
    with hyperslab.File(path, 'w', libver='v110') as file:
        data = file.create_dataset('d', (0,), h5py.string_dtype(), maxshape=(None,), chunks=(4,))
        file.swmr_mode = True
        words = ['text %d %s' % (n, 'ä' * (n % 90)) for n in range(200)]
        with h5py.File(path, 'r', swmr=True) as theirs, hyperslab.File(path, 'r', swmr=True) as ours:
            for count in range(5, 201, 5):
                data.resize((count,))
                data[count - 5:] = words[count - 5:count]
                data.flush()
                for reader in (theirs, ours):
                    reader['d'].refresh()
                    found = [one.decode() for one in reader['d'][...]]
                    check.expect(found == words[:count], '%d strings' % count, found[-5:])
    with h5py.File(path, 'r') as reader:
        check.expect([one.decode() for one in reader['d'][...]] == words, 'after it was closed')


def case_34_contiguous_data_of_a_live_file(check):
    """a contiguous dataset, written while live: a live reader of h5py's opens it"""
    path = check.path()
    with hyperslab.File(path, 'w', libver='v110') as file:
        data = file.create_dataset('d', (100, WIDTH), 'u4')
        file.swmr_mode = True
        with h5py.File(path, 'r', swmr=True) as early:
            data[:50] = rows(0, 50)
            data.flush()
            with h5py.File(path, 'r', swmr=True) as late:
                for reader in (early, late):
                    reader['d'].refresh()
                    check.expect(np.array_equal(reader['d'][:50], rows(0, 50)), 'contiguous')


def appends(path, per, options):
    """A writer that is to be killed: says what it flushed."""
    with hyperslab.File(path, 'w', libver='v110') as file:
        data = file.create_dataset('d', (0, WIDTH), 'u4', maxshape=(None, WIDTH), chunks=(per, WIDTH), **options)
        file.swmr_mode = True
        for count in range(1, 10 ** 7):
            data.resize(count, axis=0)
            data[count - 1] = rows(count - 1, count)[0]
            data.flush()
            os.write(1, b'%d\n' % count)


def case_35_a_writer_that_is_killed(check):
    """at 4 moments (--long: 200): whoever follows opens it at once, and after `h5clear -s` nothing is lost"""
    pick = random.Random(os.getpid())
    for turn in range(200 if check.long else 4):
        path = check.path()
        options = [{}, {'compression': 'gzip', 'compression_opts': 1}][turn % 2]
        process = subprocess.Popen([sys.executable, __file__, path, '8' if turn % 4 > 1 else '1', str(len(options))], stdout=subprocess.PIPE)
        # Where in a flush it is hit, nobody knows.
        least = pick.randrange(1, 300)
        while int(process.stdout.readline()) < least:
            pass
        time.sleep(pick.random() / 1000)
        process.send_signal(signal.SIGKILL)
        told = [int(line) for line in process.stdout.read().split(b'\n')[:-1] if line]
        flushed = max(told, default=least)
        process.wait()
        for h5 in BOTH:
            with h5.File(path, 'r', swmr=True) as file:
                count = len(file['d'])
                check.expect(flushed <= count <= flushed + 1, 'followed by %s: %d rows, flushed %d' % (h5.__name__, count, flushed))
                right(check, file['d'], count)
        cleared = subprocess.run(['h5clear', '-s', path], capture_output=True, text=True)
        check.equal(cleared.returncode, 0, cleared.stderr)
        with h5py.File(path, 'r+') as file:
            right(check, file['d'], count, 'after h5clear')
        with h5py.File(path, 'r') as file:
            right(check, file['d'], count, 'closed after h5clear')


def case_38_what_stays_broken_is_told_in_time(check):
    """a wrong checksum in header, data block, object header, superblock: an error after a second, with kind and address"""
    structures = [(b'EAHD', 0, 'extensible array header', 9), (b'EADB', 0, 'extensible array data block', 9),
                  (b'OHDR', 1, 'object header', 20), (b'\x89HDF', 0, 'superblock', 30)]
    path = check.path()
    file, data = made(hyperslab, path)
    file.swmr_mode = True
    grow(data, 30)
    content = raw.content(path)
    for signature, nth, kind, offset in structures:
        at = raw.header_at(content, signature, nth)
        raw.put(path, at + offset, bytes([content[at + offset] ^ 0xff]))
        begun = time.monotonic()
        try:
            with hyperslab.File(path, 'r', swmr=True) as reader:
                reader['d'][...]
            check.expect(False, '%s: no error' % kind)
        except (OSError, KeyError) as error:
            took = time.monotonic() - begun
            # Only --long, which wants a machine for itself, asks that it comes no later.
            late = 60 if not check.long else 1.1 if at else 2.2
            fine = 0.9 < took < late and kind in str(error) and (not at or hex(at) in str(error))
            check.expect(fine, '%s at %s, after %.2f s: %s' % (kind, hex(at), took, error))
        raw.put(path, at + offset, content[at + offset:at + offset + 1])
    with hyperslab.File(path, 'r', swmr=True) as reader:
        right(check, reader['d'], 30, 'mended')
    file.close()


def case_41_a_source_that_is_being_written(check):
    """read through a virtual dataset that does not follow: an error that names it, no fill values"""
    path, whole = check.path(), check.path('virtual')
    file, data = made(hyperslab, path)
    file.swmr_mode = True
    grow(data, 5)
    layout = h5py.VirtualLayout((5, WIDTH), 'u4')
    layout[...] = h5py.VirtualSource(path, 'd', (5, WIDTH))
    with h5py.File(whole, 'w', libver='latest') as virtual:
        virtual.create_virtual_dataset('v', layout, fillvalue=3)
    # A reader of its own: who writes the source in this process may read it.
    code = 'import hyperslab, sys\nwith hyperslab.File(sys.argv[1], "r", swmr=sys.argv[2] == "True") as f: print(f["v"][...].sum())'
    for follows in (False, True):
        done = subprocess.run([sys.executable, '-c', code, whole, str(follows)], capture_output=True, text=True)
        if follows:
            check.equal(done.stdout.strip(), str(rows(0, 5).sum()), done.stderr[-300:])
        else:
            check.expect(done.returncode != 0 and os.path.basename(path) in done.stderr, 'a plain reader', done.stderr[-300:], done.stdout)
    file.close()


def case_42_writer_and_reader_in_one_process(check):
    """the reader sees what was flushed, and no more"""
    for options in ({}, {'per': 8}, {'per': 8, 'compression': 'gzip'}, {'most': (None, None)}):
        path = check.path()
        file, data = made(hyperslab, path, **options)
        file.swmr_mode = True
        with hyperslab.File(path, 'r', swmr=True) as follower:
            seen = follower['d']
            for count in range(1, 30):
                grow(data, count, flush=False)
                seen.refresh()
                right(check, seen, count - 1, 'before the flush, %s' % options)
                data.flush()
                seen.refresh()
                right(check, seen, count, 'after the flush, %s' % options)
        file.close()


def case_43_appending_up_to_a_boundary(check):
    """every tenth row, three rows at a time: flushed, and told, exactly when a multiple of ten is reached"""
    path = check.path()
    file, data = made(hyperslab, path)
    file.swmr_mode = True
    told = []
    with h5py.File(path, 'r', swmr=True) as reader:
        seen = 0
        for first in range(0, 60, 3):
            flushed = data.append(rows(first, first + 3), boundary=10, reached=lambda data: told.append(len(data)))
            crossed = (first + 3) // 10 > first // 10
            check.equal(flushed, crossed, 'flushed at %d' % (first + 3))
            seen = first + 3 if crossed else seen
            reader['d'].refresh()
            right(check, reader['d'], seen)
    check.equal(told, [12, 21, 30, 42, 51, 60], 'told')
    file.close()


if __name__ == '__main__':
    appends(sys.argv[1], int(sys.argv[2]), {'compression': 'gzip', 'compression_opts': 1} if sys.argv[3] != '0' else {})
