"""Datasets whose elements are in raw files beside the HDF5 file, with h5py where it is installed."""

import fcntl

import numpy as np
import pytest

import hyperslab

h5py = pytest.importorskip("h5py")


@pytest.mark.parametrize(("writer", "reader"), [(hyperslab, h5py), (h5py, hyperslab)])
def test_what_one_writes_to_raw_files_the_other_reads_and_changes(tmp_path, monkeypatch, writer, reader):
    monkeypatch.chdir(tmp_path)
    pieces = [("first.raw", 5, 20), ("second.raw", 0, hyperslab.h5f.UNLIMITED)]
    with writer.File("data.h5", "w") as file:
        made = file.create_dataset("x", (3, 4), "i4", external=pieces, maxshape=(None, 4))
        made[1:] = np.arange(8).reshape(2, 4)
    with reader.File("data.h5", "r+") as file:
        dataset = file["x"]
        assert dataset.external == pieces
        np.testing.assert_array_equal(dataset[...], [[0] * 4, [0, 1, 2, 3], [4, 5, 6, 7]])
        dataset.id.set_extent((4, 4))
        dataset[3, 1:3] = 9
    with writer.File("data.h5") as file:
        np.testing.assert_array_equal(file["x"][2:], [[4, 5, 6, 7], [0, 9, 9, 0]])
    stored = (tmp_path / "first.raw").read_bytes()[5:] + (tmp_path / "second.raw").read_bytes()
    np.testing.assert_array_equal(np.frombuffer(stored, "i4")[:15].reshape(-1)[4:12], np.arange(8))


def test_raw_files_are_under_the_prefix(tmp_path):
    (tmp_path / "raw").mkdir()
    with hyperslab.File(tmp_path / "data.h5", "w") as file:
        made = file.create_dataset("x", (4,), "u1", external="x.raw", efile_prefix="${ORIGIN}/raw")
        made[...] = [1, 2, 3, 4]
        same = file.require_dataset("x", (4,), "u1", efile_prefix="${ORIGIN}/raw")
        assert same[...].tolist() == [1, 2, 3, 4]
    assert (tmp_path / "raw" / "x.raw").read_bytes() == b"\1\2\3\4"


def test_a_closed_file_holds_no_lock(tmp_path):
    path = tmp_path / "data.h5"
    hyperslab.File(path, "w").close()
    for mode in ("r", "r+"):
        file = hyperslab.File(path, mode)
        file.close()
        with open(path, "r+b") as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
