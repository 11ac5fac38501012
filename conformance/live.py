#!/usr/bin/env python3
"""h5py writes, we follow: every row that is seen is right, none goes away, and nothing is an error.

    conformance/live.py [--seconds 2] [--kind ea1,ea8,eaz1,eaz8,b2] [--readers 2]

Each kind of dataset is written for so long at full speed, one row and one flush at a time, while `examples/live`
follows it, one reader by polling and the next by waiting. Row i has 7 j + 13 i + 1 in column j.
"""

import argparse
import json
import multiprocessing
import pathlib
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import common

WIDTH = 64
KINDS = {
    "ea1": (1, {}, (None, WIDTH)),
    "ea8": (8, {}, (None, WIDTH)),
    "eaz1": (1, {"compression": "gzip", "compression_opts": 1}, (None, WIDTH)),
    "eaz8": (8, {"compression": "gzip", "compression_opts": 1}, (None, WIDTH)),
    "b2": (1, {}, (None, None)),
}


def row(i):
    return np.arange(WIDTH, dtype="u4") * 7 + np.uint32(13 * i + 1)


def write(path, kind, seconds, live, done, paged):
    rows, filters, most = KINDS[kind]
    strategy = {"fs_strategy": "page", "fs_page_size": 4096} if paged else {}
    with h5py.File(path, "w", libver=("v110", "v110"), **strategy) as file:
        data = file.create_dataset("d", shape=(0, WIDTH), maxshape=most, chunks=(rows, WIDTH), dtype="u4", **filters)
        file.swmr_mode = True
        live.set()
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            data.resize((count + 1, WIDTH))
            data[count] = row(count)
            count += 1
            data.flush()
        done.value = count


def run(kind, seconds, readers, folder, paged=False):
    """What each reader saw of one writer, and how many rows that wrote."""
    path = str(pathlib.Path(folder) / f"{kind}.h5")
    live, done = multiprocessing.Event(), multiprocessing.Value("q")
    writer = multiprocessing.Process(target=write, args=(path, kind, seconds, live, done, paged))
    writer.start()
    if not live.wait(300):
        raise TimeoutError("the writer did not begin")
    follow = [
        subprocess.Popen([common.FOLLOWER, path, "d", str(seconds + 300), how], stdout=subprocess.PIPE, text=True)
        for how, _ in zip(["poll", "wait"] * readers, range(readers))
    ]
    found = [json.loads(process.communicate()[0] or "null") for process in follow]
    writer.join()
    return done.value, found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--kind", default=",".join(KINDS))
    parser.add_argument("--readers", type=int, default=2)
    given = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in given.kind.split(","):
            for paged in (False, True) if kind == "ea1" else (False,):
                count, found = run(kind, given.seconds, given.readers, folder, paged)
                for seen in found:
                    right = seen and not (seen["wrong"] or seen["back"] or seen["errors"]) and seen["rows"] == count
                    wrong += not (right and seen["closed"])
                    print(f"{kind}{' paged' if paged else ''}: {count} rows written; {seen}")
    print(f"{wrong} readers of live files were wrong")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
