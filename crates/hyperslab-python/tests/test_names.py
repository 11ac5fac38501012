"""Names of h5py that programs of the field use, where its own tests do not reach."""

import os
import subprocess
import sys

import numpy as np
import pytest

import hyperslab


def test_other_programs_get_this_package_as_h5py(tmp_path):
    text = """
import sys, hyperslab
hyperslab.install_as_h5py()
import h5py, h5py._hl.dataset
from h5py.h5t import string_dtype
assert h5py.File is hyperslab.File and h5py._hl.dataset.Dataset is hyperslab.Dataset
assert h5py.__name__ == "h5py" and h5py.Dataset.__module__ == "h5py._hl.dataset" and h5py.Group.__module__.startswith("h5py.")
with h5py.File(sys.argv[1], "w") as f:
    f["x"] = 1
"""
    subprocess.run([sys.executable, "-c", text, tmp_path / "a.h5"], check=True)
    with hyperslab.File(tmp_path / "a.h5") as file:
        assert file["x"][()] == 1


def test_a_file_is_closed_as_a_program_ends(tmp_path):
    text = """
import sys, hyperslab
class Keeper:
    def __init__(self): self.file = hyperslab.File(sys.argv[1], "w"); self.file["x"] = 1; self.file["x"].attrs["b"] = 2
    def __del__(self): self.file["x"].attrs["a"] = 2; self.file["/"].create_group("g"); self.file.close()
import types
late = sys.modules["late"] = types.ModuleType("late")
late.keeper = Keeper()
"""
    done = subprocess.run([sys.executable, "-c", text, tmp_path / "a.h5"], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    with hyperslab.File(tmp_path / "a.h5") as file:
        assert file["x"].attrs["a"] == 2


def test_a_read_goes_straight_into_an_array(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", data=np.arange(24, dtype="i4").reshape(4, 6), chunks=(2, 3))
        out = np.zeros((3, 4, 6), "i4")
        data.read_direct(out, dest_sel=np.s_[1])
        assert out[1].tolist() == data[...].tolist() and not out[0].any() and not out[2].any()
        data.read_direct(out, np.s_[1:3, 2], np.s_[0, :2, 5])
        assert out[0, :2, 5].tolist() == [8, 14]
        wider = np.zeros((4, 6), "f8")
        data.read_direct(wider)
        assert wider.tolist() == data[...].tolist()
        transposed = np.zeros((6, 4), "i4")
        with pytest.raises(TypeError, match="C-contiguous"):
            data.read_direct(transposed.T)
        kept = np.zeros((4, 6), "i4")
        kept.flags.writeable = False
        with pytest.raises(ValueError):
            data.read_direct(kept)
        low = np.zeros((4, 6), ">i4")
        data.id.read(hyperslab.h5s.ALL, hyperslab.h5s.ALL, low)
        assert low.tolist() == data[...].tolist()


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", ">u4", "i8", "u8", "f2", "f4", ">f8", "c8", "S3", "V5", [("a", "i2"), ("b", "f8")]])
def test_elements_come_in_their_own_type(tmp_path, dtype):
    values = np.arange(6).astype(dtype) if isinstance(dtype, str) and dtype[0] not in "SV" else np.zeros(6, dtype)
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", data=values.reshape(2, 3))
        for index in (np.s_[...], np.s_[1], np.s_[0:0], np.s_[1, 2], np.s_[:, 1:]):
            expected, found = values.reshape(2, 3)[index], data[index]
            assert type(found) is type(expected) and found.dtype == expected.dtype and found.shape == expected.shape
            assert found.tobytes() == expected.tobytes()
        assert data[...].flags.owndata or data[...].base is not None


def test_objects_tell_how_many_attributes_they_have(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
        file["x"].attrs.update(a=1, b=2)
        info = hyperslab.h5o.get_info(file["x"].id)
        assert (info.type, info.rc, info.num_attrs) == (hyperslab.h5o.TYPE_DATASET, 1, 2)


def test_open_identifiers_are_found_to_be_closed(tmp_path):
    h5f = hyperslab.h5f
    with hyperslab.File(tmp_path / "a.h5", "w") as file, hyperslab.File(tmp_path / "b.h5", "w") as other:
        group, data = file.create_group("g"), file.create_dataset("x", data=1)
        kept = other.create_group("h")
        assert h5f.get_obj_count(file.id, h5f.OBJ_GROUP) == 1
        assert {one.id for one in h5f.get_obj_ids(file.id, h5f.OBJ_ALL)} == {file.id.id, group.id.id, data.id.id}
        for one in h5f.get_obj_ids(file.id, h5f.OBJ_ALL & ~h5f.OBJ_FILE):
            one.close()
        assert not group and not data and kept


def test_where_an_external_link_leads_is_written_too(tmp_path):
    for name in ("a.h5", "b.h5"):
        with hyperslab.File(tmp_path / name, "w") as file:
            file["x"] = [1, 2]
    with hyperslab.File(tmp_path / "a.h5", "r+") as file:
        layout = hyperslab.VirtualLayout((2,), "i8")
        layout[:] = hyperslab.VirtualSource("b.h5", "x", (2,))
        file.create_virtual_dataset("v", layout)
        assert file["v"][...].tolist() == [1, 2]
        file["there"] = hyperslab.ExternalLink("b.h5", "/")
        file["there/x"][0] = 5
        assert file["there"].file.mode == "r+" and file["there/x"].file.mode == "r+"
        file.flush()
        assert file["v"][...].tolist() == [5, 2]
    with hyperslab.File(tmp_path / "a.h5") as file:
        assert file["there"].file.mode == "r" and file["there/x"][0] == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_where_an_external_link_leads_may_be_for_reading_only(tmp_path):
    with hyperslab.File(tmp_path / "b.h5", "w") as file:
        file["x"] = 1
    (tmp_path / "b.h5").chmod(0o444)
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        file["there"] = hyperslab.ExternalLink("b.h5", "/")
        assert file["there"].file.mode == "r" and file["there/x"][()] == 1


def test_a_copy_has_what_was_just_written(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file, hyperslab.File(tmp_path / "b.h5", "w") as other:
        data = file.create_dataset("g/x", (10,), chunks=(4,), maxshape=(None,), compression="gzip")
        data[3:6] = 7
        data.attrs["list"] = ["a", "b"]
        for where in (file, other):
            file.copy("g", where, "copy")
            assert where["copy/x"][...].tolist() == data[...].tolist() and list(where["copy/x"].attrs["list"]) == ["a", "b"]


@pytest.mark.parametrize("libver", ["earliest", ("v110", "v110")])
def test_a_dataset_says_when_it_was_made(tmp_path, libver):
    h5py = pytest.importorskip("h5py")
    with hyperslab.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file.create_dataset("timed", data=[1, 2], track_times=True).attrs["a"] = "b"
        file.create_dataset("not", data=1)
    times = []
    for package in (hyperslab, h5py):
        with package.File(tmp_path / "a.h5") as file:
            assert file["timed"].attrs["a"] == "b" and file["timed"].id.get_create_plist().get_obj_track_times()
            times.append(package.h5g.get_objinfo(file["timed"].id).mtime)
    assert times[0] == times[1] and abs(times[0] - os.stat(tmp_path / "a.h5").st_mtime) < 60


def test_a_closed_handle_says_so_in_each_way_that_h5py_has(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", data=1)
    for kind in (ValueError, RuntimeError):
        with pytest.raises(kind, match="closed"):
            data[()]


def test_a_name_that_is_taken_is_refused_as_h5py_does(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
        for value in (2, hyperslab.SoftLink("/x"), file["/"]):
            with pytest.raises(OSError, match="name already exists"):
                file["x"] = value
        with pytest.raises(KeyError, match="name already exists"):
            file["x"] = np.dtype("f8")
        with pytest.raises(RuntimeError, match="name already exists"):
            file.copy("x", "x")
        for make in (file.create_group, lambda name: file.create_dataset(name, data=1)):
            with pytest.raises(ValueError, match="name already exists"):
                make("x")


def test_a_link_into_a_file_that_is_not_there_leads_nowhere(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        file["g/there"] = hyperslab.ExternalLink("missing.h5", "/x")
        for path in ("g/there", "/g/there"):
            with pytest.raises(KeyError, match="missing.h5"):
                file[path]
        assert file.get("/g/there") is None


def test_bytes_are_written_as_elements_of_the_type_that_is_given(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", (5,), dtype="S1")
        data.id.write(hyperslab.h5s.ALL, hyperslab.h5s.ALL, np.array([b"abcde"]), mtype=data.id.get_type())
        assert b"".join(data[...]) == b"abcde"


def test_an_axis_longer_than_numpy_allows_is_an_error(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", (0, 1 << 62, 8), "i4", maxshape=(None, 1 << 62, 8), chunks=(1, 1, 8))
        with pytest.raises(ValueError):
            data[...]
