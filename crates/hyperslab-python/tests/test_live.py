"""Live files, followed by programs as h5py's examples are: with events, and told of writes by the system."""

import ctypes
import multiprocessing
import os
import select
import shutil
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest

import hyperslab as h5py

IN_MODIFY, IN_CLOSE_WRITE = 0x2, 0x8


def write(name, asked, shown, closes):
    """Appends the same four numbers five times, and says so each time."""
    with h5py.File(name, "w", libver="latest") as f:
        piece = np.array([1, 2, 3, 4])
        d = f.create_dataset("data", chunks=(2,), maxshape=(None,), data=piece)
        assert not f.swmr_mode
        f.swmr_mode = True
        assert f.swmr_mode
        shown.set()
        for n in range(5):
            assert asked.wait(120)
            asked.clear()
            d.resize(((n + 1) * len(piece),))
            d[n * len(piece) :] = piece
            d.flush()
            shown.set()
        assert closes.wait(120)


@pytest.fixture
def writer(tmp_path):
    context = multiprocessing.get_context("spawn")
    name = tmp_path / "live.h5"
    events = [context.Event() for _ in range(3)]
    process = context.Process(target=write, args=(name, *events))
    process.start()
    assert events[1].wait(120)
    events[1].clear()
    yield name, process, *events
    process.join()
    assert process.exitcode == 0


def test_a_process_follows_another_by_events(writer):
    name, _, asked, shown, closes = writer
    with h5py.File(name, "r", libver="latest", swmr=True) as f:
        assert f.swmr_mode
        d = f["data"]
        shapes = []
        for _ in range(5):
            asked.set()
            assert shown.wait(120)
            shown.clear()
            d.refresh()
            shapes.append(d.shape)
            assert (d[:].reshape(-1, 4) == [1, 2, 3, 4]).all()
        assert shapes == [(4,), (8,), (12,), (16,), (20,)]
        closes.set()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux'")
def test_a_process_follows_another_that_the_system_tells_of(writer):
    name, _, asked, _, closes = writer
    libc = ctypes.CDLL(None, use_errno=True)
    with h5py.File(name, "r", libver="latest", swmr=True) as f:
        d = f["data"]
        events = libc.inotify_init1(0)
        assert libc.inotify_add_watch(events, os.fsencode(name), IN_MODIFY | IN_CLOSE_WRITE) >= 0
        seen, closed = 4, False
        asked.set()
        while not closed:
            assert select.select([events], [], [], 120)[0]
            told = os.read(events, 1 << 16)
            while told:
                _, mask, _, length = struct.unpack_from("iIII", told)
                told = told[16 + length :]
                closed |= bool(mask & IN_CLOSE_WRITE)
            d.refresh()
            assert len(d[len(d) :]) == 0
            if len(d) > seen:
                seen = len(d)
                asked.set()
            if seen == 20:
                closes.set()
            elif seen == 4:
                asked.set()
        os.close(events)
        assert (d[:].reshape(-1, 4) == [1, 2, 3, 4]).all()
        assert f.writer_state() == "closed"


def test_a_file_that_is_closed_is_not_locked_whatever_is_kept_of_it(tmp_path):
    name = tmp_path / "a.h5"
    with h5py.File(name, "w", libver="latest") as f:
        f["d"] = np.arange(3)
    for swmr in (False, True):
        f = h5py.File(name, "r", swmr=swmr)
        kept = f["d"], f["d"].id, f["/"]
        assert kept[0][0] == 0
        f.close()
        assert not kept[0]
        with h5py.File(name, "r+") as again:
            assert again["d"][2] == 2


def test_a_live_file_on_layers_is_told_once(tmp_path):
    """Needs a mount of its own, which not everybody may make."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    script = """
set -e
mkdir lower upper work whole
PYTHON -c 'import hyperslab; hyperslab.File("lower/a.h5", "w", libver="latest").create_dataset("d", (0,), maxshape=(None,))'
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work whole 2>/dev/null || exit 77
PYTHON -W always -c '
import hyperslab
for _ in range(2):
    with hyperslab.File("whole/a.h5", "r", swmr=True): pass
with hyperslab.File("whole/new.h5", "w", libver="latest") as f: f.swmr_mode = True
'
"""
    script = script.replace("PYTHON", sys.executable)
    for how in (["-m"], ["-U", "-r", "-m"]):
        folder = tmp_path / "".join(how)
        folder.mkdir()
        done = subprocess.run(["unshare", *how, "sh", "-c", script], capture_output=True, text=True, cwd=folder)
        if done.returncode != 77 and not done.stderr.startswith("unshare:"):
            break
    else:
        pytest.skip("layers cannot be mounted here")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("overlay") == 1, done.stderr
    assert "whole/a.h5: the file is on a container's layers" in done.stderr


def test_a_live_file_where_it_may_be_gives_no_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with h5py.File(tmp_path / "a.h5", "w", libver="latest") as f:
            f.swmr_mode = True
            with h5py.File(tmp_path / "a.h5", "r", swmr=True) as g:
                assert g.swmr_mode


def test_datasets_flushed_together_are_seen_together(tmp_path):
    path = tmp_path / "live.h5"
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.create_dataset("rows", (0, 4), "i4", maxshape=(None, 4), chunks=(2, 4))
        file.create_dataset("count", (0,), "i4", maxshape=(None,), chunks=(2,))
        file.swmr_mode = True
        with h5py.File(path, "r", swmr=True) as reader:
            names = ("rows", "count")
            datasets = [reader[name] for name in names]
            file["rows"].append(np.arange(4))
            file["count"].append([1])
            file.flush_together([file[name] for name in names])
            for dataset in datasets:
                dataset.refresh()
            assert [len(dataset) for dataset in datasets] == [1, 1]
