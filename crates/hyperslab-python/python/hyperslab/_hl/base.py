"""What files, groups, datasets and named datatypes have in common."""

import os
import posixpath
from collections.abc import ItemsView, KeysView, Mapping, MutableMapping, ValuesView
from math import prod as product  # noqa: F401

import numpy as np

from .. import h5d, h5f, h5i, h5p, h5r, h5s, h5t
from .._objects import phil, with_phil  # noqa: F401
from .compat import filename_encode


def is_hdf5(fname):
    """Whether there is a file of this name that is an HDF5 file."""
    path = os.path.abspath(os.fspath(fname))
    return os.path.isfile(path) and h5f.is_hdf5(filename_encode(path))


def is_empty_dataspace(obj):
    """Whether a dataset or attribute has the null dataspace."""
    return obj.get_space().get_simple_extent_type() == h5s.NULL


class Empty:
    """The value of a dataset or attribute without elements, which still has a datatype."""

    shape = None
    size = None

    def __init__(self, dtype):
        self._dtype = np.dtype(dtype)

    @property
    def dtype(self):
        return self._dtype

    def __eq__(self, other):
        return isinstance(other, Empty) and self.dtype == other.dtype

    def __hash__(self):
        return hash((Empty, self.dtype))

    def __repr__(self):
        return f"Empty(dtype={self.dtype!r})"


def _element_type(data):
    """The type that all elements of nested lists and object arrays have; ``None`` when they differ."""
    if isinstance(data, np.ndarray):
        plain = data.dtype.kind != "O" or h5t.check_string_dtype(data.dtype) or h5t.check_vlen_dtype(data.dtype)
        if plain:
            return None
        kinds = set(map(type, data.flat))
    elif isinstance(data, (list, tuple)):
        kinds = set(map(_element_type, data))
    else:
        return type(data)
    return kinds.pop() if len(kinds) == 1 else None


def guess_dtype(data):
    """The special dtype that data of references or strings have; ``None`` for anything numpy knows by itself."""
    found = _element_type(data)
    special = {
        h5r.RegionReference: lambda: h5t.regionref_dtype,
        h5r.Reference: lambda: h5t.ref_dtype,
        bytes: lambda: h5t.string_dtype("ascii"),
        str: lambda: h5t.string_dtype(),
    }.get(found)
    return None if special is None else special()


def array_for_new_object(data, specified_dtype=None):
    """The array from which a new dataset or attribute is made."""
    wanted = None if specified_dtype is None else np.dtype(specified_dtype)
    dtype = guess_dtype(data)
    # Half precision is reached by numpy's rounding, in one step from whatever was given.
    half = wanted is not None and wanted.kind == "f" and wanted.itemsize == 2
    if wanted is not None and (half or not isinstance(data, np.ndarray)):
        dtype = wanted
    array = np.asarray(data, order="C", dtype=dtype)
    if dtype is not None and dtype.hasobject:
        # numpy keeps the metadata an array had; here the one that was asked for counts.
        array = array.view(dtype=dtype)
    return array


class CommonStateObject:
    """Names as the file has them: bytes; and as people have them: text where it is UTF-8."""

    @property
    def _lapl(self):
        return None

    @property
    def _lcpl(self):
        return default_lcpl()

    def _e(self, name, lcpl=None):
        """The bytes of a name; with ``lcpl`` also the property list of a link with that name."""
        if name is None:
            return (None, None) if lcpl else None
        if isinstance(name, bytes):
            coding = h5t.CSET_ASCII
        elif isinstance(name, str):
            coding = h5t.CSET_ASCII if name.isascii() else h5t.CSET_UTF8
            name = name.encode("utf-8", "surrogateescape")
        else:
            raise TypeError(f"a name is text or bytes, not {type(name)}")
        if not lcpl:
            return name
        plist = default_lcpl()
        plist.set_char_encoding(coding)
        return name, plist

    def _d(self, name):
        """The text of a name; its bytes when they are not UTF-8."""
        if name is None:
            return None
        try:
            return name.decode("utf-8")
        except UnicodeDecodeError:
            return name


def default_lcpl():
    """Links are made with the groups on the way to them."""
    plist = h5p.create(h5p.LINK_CREATE)
    plist.set_create_intermediate_group(True)
    return plist


class _RegionProxy:
    """Makes references to regions, ``dataset.regionref[0:10]``, and tells of existing ones."""

    def __init__(self, obj):
        self.obj = obj
        self.id = obj.id

    def __getitem__(self, args):
        from . import selections

        if not isinstance(self.id, h5d.DatasetID):
            raise TypeError("only datasets have regions")
        chosen = selections.select(self.id.shape, args, dataset=self.obj)
        return h5r.create(self.id, b".", h5r.DATASET_REGION, chosen.id)

    def shape(self, ref):
        """The shape of the dataset a reference points at."""
        return h5r.get_region(ref, self.id).shape

    def selection(self, ref):
        """The shape of the region a reference points at."""
        from . import selections

        return selections.guess_shape(h5r.get_region(ref, self.id))


class HLObject(CommonStateObject):
    """A file, group, dataset or named datatype."""

    def __init__(self, oid):
        self._id = oid

    @property
    def id(self):
        """The low-level identifier."""
        return self._id

    @property
    def file(self):
        """The file this object is in."""
        return files.File._of(h5i.get_file_id(self.id))

    @property
    def name(self):
        """The path this object was opened by; ``None`` when it has none."""
        return self._d(h5i.get_name(self.id))

    @property
    def parent(self):
        """The group that holds this object."""
        if self.name is None:
            raise ValueError("the parent of an object without a name is not known")
        return self.file[posixpath.dirname(self.name)]

    @property
    def ref(self):
        """A reference to this object."""
        return h5r.create(self.id, b".", h5r.OBJECT)

    @property
    def regionref(self):
        """Makes references to regions of a dataset: ``dataset.regionref[0:10]``."""
        return _RegionProxy(self)

    @property
    def attrs(self):
        """The attributes of this object."""
        return attrs.AttributeManager(self)

    def __hash__(self):
        return hash(self.id)

    def __eq__(self, other):
        if hasattr(other, "id"):
            return self.id == other.id
        return NotImplemented

    def __bool__(self):
        return bool(self.id)

    def __reduce__(self):
        if self.name is None:
            raise TypeError("an object without a name cannot be pickled")
        return _reopened, (self.file, self.name)

    def __getnewargs__(self):
        return self.file, self.name

    def __dask_tokenize__(self):
        return type(self).__name__, self.file.__dask_tokenize__(), self.name


def _reopened(file, name):
    return file[name]


class KeysViewHDF5(KeysView):
    """The names in a group or of attributes."""

    def __str__(self):
        return f"<KeysViewHDF5 {list(self)}>"

    def __reversed__(self):
        yield from reversed(self._mapping)

    __repr__ = __str__


class ValuesViewHDF5(ValuesView):
    """The objects in a group, or the values of attributes."""

    def __contains__(self, value):
        return any(self._mapping.get(key) == value for key in self._mapping)

    def __iter__(self):
        for key in self._mapping:
            yield self._mapping.get(key)

    def __reversed__(self):
        for key in reversed(self._mapping):
            yield self._mapping.get(key)


class ItemsViewHDF5(ItemsView):
    """Names and objects of a group, or names and values of attributes."""

    def __contains__(self, item):
        key, value = item
        return key in self._mapping and self._mapping.get(key) == value

    def __iter__(self):
        for key in self._mapping:
            yield key, self._mapping.get(key)

    def __reversed__(self):
        for key in reversed(self._mapping):
            yield key, self._mapping.get(key)


class MappingHDF5(Mapping):
    """A dictionary that is in a file."""

    def keys(self):
        """The names."""
        return KeysViewHDF5(self)

    def values(self):
        """The objects or values."""
        return ValuesViewHDF5(self)

    def items(self):
        """Pairs of names and objects or values."""
        return ItemsViewHDF5(self)

    def _ipython_key_completions_(self):
        return sorted(self.keys())


class MutableMappingHDF5(MappingHDF5, MutableMapping):
    """A dictionary that is in a file and can be changed."""


# These need what is above. They are not looked for when they are needed: a program that ends finds no modules any more.
from . import attrs, files  # noqa: E402

