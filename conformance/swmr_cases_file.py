"""Cases of live files that look at what is in the file: marks, indexes, layouts. See swmr_cases.py."""
import os
import random

import h5py
import hyperslab
import numpy as np

import swmr_bytes as raw

WIDTH = 8


def rows(start, stop, width=WIDTH):
    return (7 * np.arange(width) + 13 * np.arange(start, stop)[:, None] + 1).astype('u4')


def made(h5, path, count=0, per=1, most=(None, WIDTH), **options):
    """A file with the dataset `d`, of rows."""
    file = h5.File(path, 'w', libver=('v110', 'v110'))
    data = file.create_dataset('d', (count, WIDTH), 'u4', maxshape=most, chunks=(per, WIDTH), **options)
    if count:
        data[...] = rows(0, count)
    return file, data


def grow(data, count, each=1, flush=True):
    """Appends up to `count` rows, `each` at a time."""
    for first in range(len(data), count, each):
        last = min(count, first + each)
        data.resize(last, axis=0)
        data[first:last] = rows(first, last)
        if flush:
            data.flush()


def right(check, data, count, what=''):
    check.expect(data.shape[0] == count and np.array_equal(data[:count], rows(0, count)), what or 'rows', data.shape)


def case_1_a_live_file_is_marked(check):
    """byte 8 is 3, byte 11 is 5; h5py follows, and opens it in no other way"""
    path = check.path()
    file, data = made(hyperslab, path)
    file.swmr_mode = True
    marks = raw.superblock(path)
    check.equal((marks['version'], marks['flags']), (3, 5), 'version and flags')
    grow(data, 3)
    with h5py.File(path, 'r', swmr=True) as reader:
        right(check, reader['d'], 3)
    for mode in ('r', 'r+'):
        check.raises(OSError, 'h5clear', lambda: h5py.File(path, mode))
    file.close()


def case_2_a_closed_file_is_not(check):
    """no flags, and it ends where it says; h5py reads and writes it"""
    path = check.path()
    file, data = made(hyperslab, path)
    file.swmr_mode = True
    grow(data, 50)
    file.close()
    marks = raw.superblock(path)
    check.equal((marks['flags'], marks['end']), (0, os.path.getsize(path)), 'flags and end')
    for mode in ('r', 'r+'):
        with h5py.File(path, mode) as reader:
            right(check, reader['d'], 50)
    check.equal(os.path.getsize(path), marks['end'], 'the size after h5py had it')


def case_3_old_files_cannot_be_live(check):
    """superblocks of version 0 and 2 are refused in h5py's words"""
    for libver in (('earliest', 'v108'), ('v108', 'v108')):
        for maker in (h5py, hyperslab):
            path = check.path()
            with maker.File(path, 'w', libver=libver) as file:
                file['d'] = 1
            with hyperslab.File(path, 'r+') as file:
                def start():
                    file.swmr_mode = True
                check.raises(RuntimeError, 'file superblock version - should be at least 3', start)
                check.expect(not file.swmr_mode)


def case_17_many_chunks(check):
    """134,000 one-row chunks, plain and gzip (--long: 1,000,000): h5py reads all, and the header counts as libhdf5's"""
    counts = {134000: (10, 2268, 192, 1085456, 134000, 135156), 1000000: (12, 4616, 499, 8042418, 1000000, 1003508)}
    for count in (134000, 1000000) if check.long else (134000,):
        for options in ({}, {'compression': 'gzip', 'compression_opts': 1}):
            count = count if check.long or not options else 20000
            path = check.path()
            with hyperslab.File(path, 'w', libver='v110') as file:
                data = file.create_dataset('d', (0, 1), 'u4', maxshape=(None, 1), chunks=(1, 1), **options)
                file.swmr_mode = True
                for last in range(1000, count + 1, 1000):
                    data.append(np.arange(last - 1000, last, dtype='u4')[:, None])
                    data.flush()
            with h5py.File(path, 'r') as file:
                check.expect(np.array_equal(file['d'][:, 0], np.arange(count)), '%d chunks %s' % (count, options))
            if not options:
                check.equal(raw.statistics(raw.content(path)), counts[count], 'the header counts')


def case_18_the_index_is_libhdf5s(check):
    """of 300 chunks, header, index block, super blocks and data blocks field by field but addresses"""
    found = []
    for module in (h5py, hyperslab):
        path = check.path()
        file, data = made(module, path)
        file.swmr_mode = True
        grow(data, 300)
        file.close()
        found.append(raw.extensible_array(raw.content(path)))
    theirs, ours = found
    check.equal(sorted(ours), sorted(theirs), 'blocks')
    for name in theirs:
        check.equal(ours.get(name), theirs[name], name)


def case_19_each_continues_what_the_other_closed(check):
    """five times in turn, in every kind of chunk"""
    kinds = {'ea1': {}, 'ea8': {'per': 8}, 'eaz8': {'per': 8, 'compression': 'gzip', 'shuffle': True}, 'b2': {'most': (None, None)},
             'fa': {'most': (5000, WIDTH)}}
    for name, options in kinds.items():
        path = check.path(name)
        made(hyperslab, path, **options)[0].close()
        for turn in range(10):
            module = (hyperslab, h5py)[turn % 2]
            with module.File(path, 'r+', libver=('v110', 'v110')) as file:
                file.swmr_mode = True
                grow(file['d'], 37 * (turn + 1), 3)
        for module in (hyperslab, h5py):
            with module.File(path, 'r') as file:
                right(check, file['d'], 370, name)


def case_20_another_axis_grows(check):
    """the unlimited axis second or third, and more room than the size: right in both directions"""
    shapes = [((4, 5), (7, None), (2, 2), 1), ((3, 4, 5), (7, 8, None), (2, 3, 2), 2), ((5, 6), (None, 9), (2, 2), 0)]
    for shape, most, chunk, axis in shapes:
        for writer, reader in ((hyperslab, h5py), (h5py, hyperslab)):
            path, whole = check.path(), np.zeros(shape, 'i4')
            with writer.File(path, 'w', libver=('v110', 'v110')) as file:
                data = file.create_dataset('d', shape, 'i4', maxshape=most, chunks=chunk)
                file.swmr_mode = True
                with reader.File(path, 'r', swmr=True) as follower:
                    seen = follower['d']
                    for length in range(shape[axis] + 1, shape[axis] + 30):
                        data.resize(length, axis=axis)
                        at = (slice(None),) * axis + (length - 1,)
                        new = np.random.default_rng(length).integers(1, 1000, data[at].shape)
                        data[at] = new
                        data.flush()
                        whole = np.concatenate([whole, np.expand_dims(new, axis).astype('i4')], axis=axis)
                        seen.refresh()
                        check.expect(np.array_equal(seen[...], whole), 'axis %d, written by %s' % (axis, writer.__name__))


def case_21_a_fixed_array_in_pages(check):
    """5,000 chunks, some written while live: the others read as the fill value"""
    pick = random.Random(1)
    written = sorted(pick.sample(range(5000), 60))
    for writer, reader in ((hyperslab, h5py), (h5py, hyperslab)):
        path = check.path()
        with writer.File(path, 'w', libver=('v110', 'v110')) as file:
            data = file.create_dataset('d', (5000, WIDTH), 'u4', chunks=(1, WIDTH), fillvalue=9)
            file.swmr_mode = True
            expected = np.full((5000, WIDTH), 9, 'u4')
            with reader.File(path, 'r', swmr=True) as follower:
                for i in pick.sample(written, len(written)):
                    data[i] = expected[i] = rows(i, i + 1)[0]
                    data.flush()
                    follower['d'].refresh()
                    check.expect(np.array_equal(follower['d'][max(0, i - 3):i + 3], expected[max(0, i - 3):i + 3]), 'row %d' % i)
                check.expect(np.array_equal(follower['d'][...], expected), 'all of it')


def case_22_nodes_of_a_tree_are_not_touched(check):
    """20,000 chunks (--long: 100,000) in a tree of depth 2 or more: what its header leads to stays while the file is live"""
    path = check.path()
    count = 100000 if check.long else 20000
    file, data = made(hyperslab, path, count, most=(None, None))
    file.swmr_mode = True
    before = raw.content(path)
    depth, size, nodes = raw.tree_nodes(before)
    check.expect(depth >= 2, 'depth %d' % depth)
    with h5py.File(path, 'r', swmr=True) as reader:
        grow(data, count + 200)
        after = raw.content(path)
        touched = [node for node in nodes if after[node:node + size] != before[node:node + size]]
        check.equal(touched, [], 'nodes that were changed')
        reader['d'].refresh()
        right(check, reader['d'], count + 200)
    file.close()


def case_24_dimensions_of_chunks_take_few_bytes(check):
    """chunks of 1, 255, 256 and 65,536 elements: HDF5 2.0 opens them"""
    for length in (1, 255, 256, 65536):
        path = check.path()
        with hyperslab.File(path, 'w', libver='v110') as file:
            data = file.create_dataset('d', (length,), 'u1', maxshape=(None,), chunks=(length,))
            data[...] = np.arange(length) % 251
        with h5py.File(path, 'r') as file:
            check.expect(np.array_equal(file['d'][...], np.arange(length) % 251), 'chunks of %d' % length)


def case_25_layouts_of_version_5_are_read(check):
    """what h5py writes with gzip and the latest bounds"""
    for most in ((None, WIDTH), (None, None), (400, WIDTH), (40, WIDTH)):
        path = check.path()
        with h5py.File(path, 'w', libver='latest') as file:
            data = file.create_dataset('d', (0, WIDTH), 'u4', maxshape=most, chunks=(40, WIDTH), compression='gzip')
            file.swmr_mode = True
            with hyperslab.File(path, 'r', swmr=True) as follower:
                grow(data, 40, 7)
                follower['d'].refresh()
                right(check, follower['d'], 40, str(most))


def case_26_what_was_not_written_is_the_fill_value(check):
    """a chunk of which only some rows were written, grown over the others"""
    for options in ({}, {'compression': 'gzip'}):
        path = check.path()
        file, data = made(hyperslab, path, per=8, fillvalue=7, **options)
        file.swmr_mode = True
        with h5py.File(path, 'r', swmr=True) as theirs, hyperslab.File(path, 'r', swmr=True) as ours:
            grow(data, 3)
            data.resize(12, axis=0)
            data.flush()
            for reader in (theirs, ours):
                reader['d'].refresh()
                found = reader['d'][...]
                check.expect(found.shape[0] == 12 and np.array_equal(found[:3], rows(0, 3)) and (found[3:] == 7).all(), 'fill', found)
        file.close()


def case_29_a_header_in_two_parts(check):
    """the dataspace in a continuation of the header: ours follows, and writes"""
    for writer in (h5py, hyperslab):
        path = check.path()
        with h5py.File(path, 'w', libver=('v110', 'v110')) as file:
            file.create_dataset('d', (0, WIDTH), 'u4', maxshape=(None, WIDTH), chunks=(1, WIDTH))
        raw.move_dataspace(path)
        with writer.File(path, 'r+', libver=('v110', 'v110')) as file:
            file.swmr_mode = True
            with hyperslab.File(path, 'r', swmr=True) as ours, h5py.File(path, 'r', swmr=True) as theirs:
                for count in range(1, 40):
                    grow(file['d'], count)
                    for reader in (ours, theirs) if writer is hyperslab else (ours,):
                        reader['d'].refresh()
                        right(check, reader['d'], count, 'written by %s' % writer.__name__)


def case_51_room_ahead_is_given_back(check):
    """after a live writer closed it, h5py writes far behind the end: what is between reads as the fill value"""
    path = check.path()
    file, data = made(hyperslab, path, fillvalue=5)
    file.swmr_mode = True
    grow(data, 100)
    file.close()
    with h5py.File(path, 'r+') as file:
        file['d'].resize(1000, axis=0)
        file['d'][900] = rows(900, 901)[0]
    for module in (h5py, hyperslab):
        with module.File(path, 'r') as file:
            found = file['d'][...]
            expected = np.full((1000, WIDTH), 5, 'u4')
            expected[:100], expected[900] = rows(0, 100), rows(900, 901)[0]
            check.expect(np.array_equal(found, expected), 'read by %s' % module.__name__)
