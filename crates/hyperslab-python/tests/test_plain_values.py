"""Numbers and texts, which are made and read in one step, are what h5py makes and reads."""

import h5py
import numpy as np
import pytest

import hyperslab

_DTYPES = ["i1", "u1", "<i2", ">i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", ">f4", "f8", ">f8", "g", "c8", "?", "S3"]
_ARRAYS = [np.arange(1, 13).astype(dtype) for dtype in _DTYPES]
_ARRAYS += [array.reshape(3, 4) for array in _ARRAYS[:4]]
_ARRAYS += [np.arange(12).reshape(3, 4).T, np.arange(24)[::2], np.zeros((0, 3)), np.array(2.5), np.zeros((2, 3), [("a", "i4")])]
_ARRAYS += [np.array([1, 2], dtype=h5py.enum_dtype({"on": 1, "off": 2}, basetype=basetype)) for basetype in ("i1", "i4", ">u2")]
_SINGLE = [0, -1, 2**62, 2**63, True, 0.5, float("nan"), 1j, "text", "", "höhe", b"bytes", [1, 2], ["a", "b"], (1.5, 2)]
_SINGLE += [np.float64(0.5), np.float32(0.5), np.int8(-3), np.uint64(2**63), np.bool_(True), np.complex64(1j)]


def _alike(one, other):
    """Whether two datasets or attributes differ in their elements at most."""
    spaces = [item.get_space() for item in (one, other)]
    assert one.get_type() == other.get_type()
    assert spaces[0].get_simple_extent_type() == spaces[1].get_simple_extent_type()
    assert spaces[0].get_simple_extent_dims() == spaces[1].get_simple_extent_dims()


def _same(one, other):
    assert type(one) is type(other)
    if isinstance(one, (np.ndarray, np.generic)):
        assert one.dtype == other.dtype and one.shape == other.shape
        assert (one.dtype.metadata or {}) == (other.dtype.metadata or {})
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


@pytest.mark.parametrize("value", _ARRAYS + _SINGLE, ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', value)!r}")
@pytest.mark.parametrize("libver", [None, "latest"])
def test_a_value_is_stored_and_read_as_by_h5py(tmp_path, value, libver):
    ours, theirs = tmp_path / "ours.h5", tmp_path / "theirs.h5"
    for module, path in ((hyperslab, ours), (h5py, theirs)):
        with module.File(path, "w", libver=libver) as file:
            file.create_dataset("d", data=value)
            file.attrs["a"] = value
    with h5py.File(ours) as one, h5py.File(theirs) as other:
        _alike(one["d"].id, other["d"].id)
        _alike(one.attrs.get_id("a"), other.attrs.get_id("a"))
        for get in (lambda file: file["d"][()], lambda file: file.attrs["a"]):
            _same(get(one), get(other))
        assert one["d"].id.get_create_plist().get_layout() == other["d"].id.get_create_plist().get_layout()
        with hyperslab.File(theirs) as again:
            _same(again["d"][()], other["d"][()])
            _same(again.attrs["a"], other.attrs["a"])


_PLACES = [np.s_[1], np.s_[...], np.s_[:, 1], np.s_[0:2, 2], np.s_[0, 0], np.s_[2:2], np.s_[9], np.s_["field"]]
_SETS = [(1, 2, 3), [4, 5.5, 6], 7, 2.5, True, 300, -1, 1j, "text", None, [1, 2], [[1], [2], [3]], np.float32(3), np.arange(3)]
_SETS += [np.arange(3, dtype=">i2"), np.arange(6)[::2], np.arange(9.0).reshape(3, 3).T, np.ma.masked_array([1, 2, 3], [0, 1, 0])]


def _set(module, path, dtype, place, value):
    """What a dataset has once elements were set, or what is raised."""
    with module.File(path, "w") as file:
        data = file.create_dataset("data", (3, 3), dtype)
        try:
            data[place] = value
        except Exception as error:
            return type(error)
        return data[...]


@pytest.mark.parametrize("place", _PLACES, ids=str)
@pytest.mark.parametrize("dtype", ["i1", "u2", ">i4", "f4", "f8", "?", "c8", h5py.enum_dtype({"on": 1}, basetype="i4")], ids=str)
def test_elements_are_set_as_by_h5py(tmp_path, dtype, place):
    for value in _SETS:
        theirs, ours = (_set(module, tmp_path / "data.h5", dtype, place, value) for module in (h5py, hyperslab))
        if isinstance(theirs, type):
            assert ours is theirs, repr(value)
        else:
            _same(ours, theirs)


def test_an_attribute_that_is_there_is_replaced(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        for value in (1, "one", [1.5, 2.5], np.zeros(2, [("a", "i4")]), 2.5):
            file.attrs["a"] = value
            _same(np.asarray(file.attrs["a"]), np.asarray(value))
        assert list(file.attrs) == ["a"]


@pytest.mark.parametrize("name", ["a/b/c", "/a", "./a", "a//b", "ä", b"raw", None, ".", "/", "//", "/."])
def test_a_dataset_of_numbers_has_the_names_that_h5py_takes(tmp_path, name):
    found = []
    for module in (hyperslab, h5py):
        with module.File(tmp_path / f"{module.__name__}.h5", "w") as file:
            try:
                made = file.create_dataset(name, data=np.arange(3))
                found.append((made.name, made[()].tolist(), list(file)))
            except Exception as error:
                found.append(type(error))
    assert found[0] == found[1]


def test_order_is_tracked_when_all_is_to_be(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        before = hyperslab.get_config().track_order
        try:
            hyperslab.get_config().track_order = True
            made = file.create_dataset("d", data=np.arange(3))
        finally:
            hyperslab.get_config().track_order = before
        made.attrs["b"], made.attrs["a"] = 1, 2
        assert list(made.attrs) == ["b", "a"]


def test_a_closed_file_takes_and_gives_nothing(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        attrs, made = file.attrs, file.create_dataset("d", data=np.arange(3))
    for use in (lambda: attrs["a"], lambda: attrs.__setitem__("a", 1), lambda: made[()], lambda: made.dtype):
        with pytest.raises(ValueError):
            use()


def test_what_is_open_to_read_only_takes_nothing(tmp_path):
    with hyperslab.File(tmp_path / "a.h5", "w"):
        pass
    with hyperslab.File(tmp_path / "a.h5") as file:
        with pytest.raises(OSError):
            file.attrs["a"] = 1
        with pytest.raises(ValueError):
            file.create_dataset("d", data=np.arange(3))


@pytest.mark.parametrize("name", [".", "/", "", "a\0b"])
def test_what_is_no_name_is_refused(tmp_path, name):
    link = hyperslab.SoftLink("/x")
    with hyperslab.File(tmp_path / "a.h5", "w") as file:
        makers = (lambda: file.create_dataset(name, data=np.arange(3)), lambda: file.create_dataset(name, (3,), "i4"))
        for make in (*makers, lambda: file.create_group(name), lambda: file.__setitem__(name, link)):
            with pytest.raises((ValueError, OSError)):
                make()
        assert list(file) == []
