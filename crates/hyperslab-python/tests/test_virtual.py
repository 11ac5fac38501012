"""What virtual datasets lack, and how they are divided."""

import os
import subprocess
import sys

import numpy as np
import pytest

import hyperslab


def test_gaps_names_the_missing_source(path):
    with hyperslab.File(path) as file:
        gaps = file["virtual"].gaps()
        assert gaps.elements == 24
        (number, name, dataset, problem) = gaps.mappings[0]
        assert number == 1 and name.endswith("missing.h5") and dataset == "plain" and problem
        assert not file["virtual"].gaps(np.s_[:4])


def test_a_missing_source_reads_as_the_policy_says(path):
    with hyperslab.File(path) as file:
        assert (file["virtual"][4:] == -1).all()
    with hyperslab.File(path, vds_missing="warn") as file:
        with pytest.warns(UserWarning, match="missing.h5"):
            file["virtual"][4:]
        file["virtual"][:4]
    with hyperslab.File(path, vds_missing="error") as file, pytest.raises(OSError, match="missing.h5"):
        file["virtual"][4:]


@pytest.mark.parametrize("name", ["plain", "virtual"])
@pytest.mark.parametrize("nbytes", [1, 100, 1 << 20])
def test_partitions_cover_a_dataset_once(path, name, nbytes):
    with hyperslab.File(path) as file:
        dataset = file[name]
        seen = np.zeros(dataset.shape, dtype=int)
        for part in dataset.partitions(nbytes):
            seen[part] += 1
        assert (seen == 1).all()


def test_partitions_divide_no_chunk(path):
    with hyperslab.File(path) as file:
        for rows, columns in file["plain"].partitions(1):
            assert rows.start % 2 == 0 and columns.start % 3 == 0


def growing(folder):
    """A virtual dataset that ends with the longer of two sources, interleaved; the stored length is 3."""
    for name, length in (("a.h5", 4), ("b.h5", 2)):
        with hyperslab.File(folder / name, "w") as file:
            file.create_dataset("d", data=np.arange(length) + (100 if name == "b.h5" else 0), maxshape=(None,), chunks=(1,))
    layout = hyperslab.VirtualLayout((3,), "i8", maxshape=(None,))
    for at, name in enumerate(("a.h5", "b.h5")):
        source = hyperslab.VirtualSource(name, "d", (2,), maxshape=(None,))
        layout[at : hyperslab.UNLIMITED : 2] = source[: hyperslab.UNLIMITED]
    with hyperslab.File(folder / "v.h5", "w") as file:
        file.create_virtual_dataset("v", layout, fillvalue=-1)
    return folder / "v.h5"


def test_each_handle_has_its_own_view(tmp_path):
    with hyperslab.File(growing(tmp_path)) as file:
        last = file["v"]
        first, stored = last.with_access(view="first"), last.with_access(view="stored")
        assert last[()].tolist() == [0, 100, 1, 101, 2, -1, 3]
        assert first[()].tolist() == [0, 100, 1, 101, 2]
        assert stored[()].tolist() == [0, 100, 1]
        with pytest.raises(ValueError, match="'stored'"):
            last.with_access(view="most")


def test_the_path_that_is_used_is_told(tmp_path):
    path = growing(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "a.h5").rename(tmp_path / "raw" / "a.h5")
    with hyperslab.File(path) as file:
        missing, there = file["v"].resolve()
        assert missing.name == "a.h5" and missing.found is None and tmp_path / "a.h5" in missing.tried
        assert there.found == tmp_path / "b.h5"
        moved = file["v"].with_access(prefix="${ORIGIN}/raw")
        assert moved.resolve()[0].found == tmp_path / "raw" / "a.h5"
        assert moved[()].tolist() == [0, 100, 1, 101, 2, -1, 3]
        required = file.require_dataset("v", moved.shape, "i8", virtual_prefix=str(tmp_path / "raw"))
        assert required[()].tolist() == [0, 100, 1, 101, 2, -1, 3]
        assert [status.problem is None for status in file["v"].mapping_status()] == [False, True]


REFUSED = """
import os, sys, time, hyperslab
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
with hyperslab.File(sys.argv[1]) as file:
    begin = time.monotonic()
    try:
        file["v"][()]
    except PermissionError as error:
        assert "a.h5" in str(error), error
    else:
        sys.exit("read what it may not read")
    assert time.monotonic() - begin < 60
"""


def test_a_source_that_may_not_be_read_is_an_error(tmp_path):
    path = growing(tmp_path)
    (tmp_path / "a.h5").chmod(0)
    path.chmod(0o644)
    for folder in [tmp_path, *list(tmp_path.parents)[:3]]:
        if folder.owner() == path.owner() and os.access(folder, os.W_OK) and str(folder) not in ("/", "/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
    done = subprocess.run([sys.executable, "-c", REFUSED, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_first_names_of_virtual_datasets_still_mean_something(tmp_path):
    for k in range(2):
        with hyperslab.File(tmp_path / f"{k}.h5", "w") as file:
            file["d"] = np.arange(3) + 10 * k
    with pytest.warns(hyperslab.h5py_warnings.H5pyDeprecationWarning):
        target = hyperslab.VirtualTarget("ignored.h5", "all", shape=(6,))
        maps = [
            hyperslab.VirtualMap(hyperslab.VirtualSource(f"{k}.h5", key="d", shape=(3,)), target[k:6:2], dtype="i8") for k in range(2)
        ]
        with hyperslab.File(tmp_path / "v.h5", "w") as file:
            made = file.create_virtual_dataset(VMlist=maps, fillvalue=-1)
            assert made.name == "/all" and made[()].tolist() == [0, 10, 1, 11, 2, 12]
            with pytest.raises(ValueError):
                file.create_virtual_dataset(VMlist=[])


def test_a_whole_source_without_end_is_mapped_without_end_by_the_first_names(tmp_path):
    with hyperslab.File(tmp_path / "0.h5", "w") as file:
        file.create_dataset("d", data=np.arange(3), maxshape=(None,))
    with pytest.warns(hyperslab.h5py_warnings.H5pyDeprecationWarning):
        target = hyperslab.VirtualTarget("ignored.h5", "all", shape=(1, 2), maxshape=(1, None))
        source = hyperslab.VirtualSource("0.h5", "d", shape=(2,), maxshape=(None,))
        with hyperslab.File(tmp_path / "v.h5", "w") as file:
            made = file.create_virtual_dataset(VMlist=hyperslab.VirtualMap(source, target[0], dtype="i8"))
            assert made[()].tolist() == [[0, 1, 2]]
