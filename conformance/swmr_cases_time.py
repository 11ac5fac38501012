"""Cases of live files that measure: how soon, how often, how fast. See swmr_cases.py.

A machine may be busy with something else: times are printed, and demanded only by --long, which wants a machine for itself.
What is always demanded is counted, or a ratio of seconds of the processor.
"""
import json
import os
import statistics
import subprocess
import sys
import threading
import time

import h5py
import hyperslab
import numpy as np

from swmr_cases_file import WIDTH, grow, made, right

WAITER = '''
import hyperslab, sys, time
with hyperslab.File(sys.argv[1], "r", swmr=True) as file:
    data = file["d"]
    print("ready", flush=True)
    for count in range(1, int(sys.argv[2]) + 1):
        assert data.wait(count, 300)
        seen = time.monotonic_ns()
        print(seen, int(data[count - 1, 0]), flush=True)
'''


def case_44_waiting_for_rows(check):
    """a wait returns as soon as they are there, in another process, or when the time is up"""
    path, count = check.path(), 100
    with hyperslab.File(path, 'w', libver='v110') as file:
        data = file.create_dataset('d', (0, 1), 'i8', maxshape=(None, 1), chunks=(1, 1))
        file.swmr_mode = True
        reader = subprocess.Popen([sys.executable, '-c', WAITER, path, str(count)], stdout=subprocess.PIPE, text=True)
        reader.stdout.readline()
        late = []
        for n in range(count):
            time.sleep(0.005)
            data.resize(n + 1, axis=0)
            data[n] = time.monotonic_ns()
            data.flush()
            flushed = time.monotonic_ns()
            seen, stamp = (int(word) for word in reader.stdout.readline().split())
            late.append((seen - flushed) / 1e6)
            check.expect(stamp < seen)
        reader.wait()
        late.sort()
        print('  case 44: seen %.3f ms after the flush in half of the cases, %.3f ms in 9 of 10' % (late[count // 2], late[count * 9 // 10]))
        check.expect(not check.long or late[count // 2] < 1, 'half is seen within %.3f ms' % late[count // 2])
        with hyperslab.File(path, 'r', swmr=True) as follower:
            begun = time.monotonic()
            check.expect(not follower['d'].wait(count + 1, 0.2))
            took = time.monotonic() - begun
            check.expect(0.2 <= took < (0.3 if check.long else 60), 'a wait of 0.2 s took %.3f s' % took)
        without_notice(check, file, path)


def without_notice(check, file, path):
    """Where the system does not tell of writes, readers look themselves."""
    limit = '/proc/sys/fs/inotify/max_user_instances'
    code = '''
import ctypes, hyperslab, resource, sys
libc = ctypes.CDLL(None)
# With every descriptor taken but those of the file there is none to be told by.
file = hyperslab.File(sys.argv[1], "r", swmr=True)
data = file["d"]
taken = []
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
try:
    while True: taken.append(open("/dev/null"))
except OSError:
    pass
print("ready", flush=True)
print(data.wait(int(sys.argv[2]), 300), flush=True)
'''
    count = len(file['d']) + 1
    reader = subprocess.Popen([sys.executable, '-c', code, path, str(count)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    check.equal(reader.stdout.readline(), 'ready\n', limit)
    time.sleep(0.1)
    file['d'].resize(count, axis=0)
    file['d'].flush()
    out, err = reader.communicate()
    check.equal(out, 'True\n', err[-300:])


def reads():
    """How often this process has read from anything."""
    with open('/proc/self/io') as io:
        return int(next(line for line in io if line.startswith('syscr')).split()[1])


def case_45_what_a_refresh_costs(check):
    """the same with 1,000 and 30,000 chunks (--long: a million): one read when nothing changed"""
    took = {}
    for count in (1000, 1000000 if check.long else 30000):
        path = check.path()
        with h5py.File(path, 'w', libver=('v110', 'v110')) as file:
            file.create_dataset('d', data=np.arange(count)[:, None], maxshape=(None, 1), chunks=(1, 1))
        with hyperslab.File(path, 'r', swmr=True) as follower:
            data = follower['d']
            check.equal(int(data[count - 1, 0]), count - 1, 'last row')
            data.refresh()
            before = reads()
            looked = reads() - before
            for _ in range(100):
                data.refresh()
            check.equal(reads() - before - 2 * looked, 100, 'reads of 100 refreshes of %d chunks' % count)
            times = []
            for _ in range(1000):
                begun = time.perf_counter_ns()
                data.refresh()
                times.append(time.perf_counter_ns() - begun)
            took[count] = sorted(times)[100] / 1000
    print('  case 45: microseconds of a refresh: %s' % took)
    # What is always asked is the one read of each; times are the machine's.
    check.expect(not check.long or max(took.values()) < 2 * min(took.values()), 'refreshes take %s' % took)


# Datasets, rows of a chunk, bytes of a row, filters, and how many times h5py's rate it has to be in peace.
RATES = {'a': (1, 1, 1024, {}, 5), 'd': (1, 64, 1024, {}, 5), 'e': (64, 1, 1024, {}, 5), 'b': (1, 1, 1 << 20, {}, 1),
         'c': (1, 1, 1 << 20, {'compression': 'gzip', 'compression_opts': 4, 'shuffle': True}, 1)}


def rate(h5, path, seconds, sets, per, width, filters, clock):
    """Appends and flushes in a second of a clock."""
    with h5.File(path, 'w', libver=('v110', 'v110')) as file:
        data = [file.create_dataset('d%d' % n, (0, width), 'u1', maxshape=(None, width), chunks=(per, width), **filters) for n in range(sets)]
        file.swmr_mode = True
        new = (np.arange(width) >> 4).astype('u1')
        begun, end, count = clock(), clock() + seconds, 0
        while clock() < end:
            one = data[count % sets]
            at = count // sets
            one.resize(at + 1, axis=0)
            one[at] = new
            one.flush()
            count += 1
        return count / (clock() - begun)


def case_46_appends_are_faster(check):
    """one row a chunk, 64 rows a chunk, 64 datasets: twice as many as h5py for a second of the processor

    --long: five times as many in a second of the clock, and no fewer megabytes, plain or gzip.
    """
    for name, (sets, per, width, filters, least) in RATES.items():
        if name in 'bc' and not check.long:
            continue
        clock, seconds, least = (time.perf_counter, 1, least) if check.long else (time.process_time, 0.1, 2)
        ratios = []
        # What disturbs one measurement does not disturb five.
        while len(ratios) < 5 and (len(ratios) < 2 or max(ratios) < least):
            paths = check.path(), check.path()
            theirs, ours = (rate(h5, path, seconds, sets, per, width, filters, clock) for h5, path in zip((h5py, hyperslab), paths))
            ratios.append(ours / theirs)
            for path in paths:
                os.unlink(path)
        print('  case 46: %s: %.1f times' % (name, statistics.median(ratios)))
        check.expect(max(ratios) >= least, '%s: %s' % (name, ratios))
