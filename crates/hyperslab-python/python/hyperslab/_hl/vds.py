"""Virtual datasets: laid out from sources, and made in a file."""

from typing import NamedTuple

import numpy as np

from .. import _native, h5d, h5p, h5s, h5t
from .compat import filename_encode
from .datatype import Datatype
from .selections import SimpleSelection, product, select

vds_support = True

_ALL = _native.Selection.all()


class VDSmap(NamedTuple):
    """A region of a virtual dataset and the part of a source it shows."""

    vspace: h5s.SpaceID
    file_name: str
    dset_name: str
    src_space: h5s.SpaceID


def _tuple(shape):
    return (shape,) if isinstance(shape, (int, np.integer)) else shape


def _limits(maxshape):
    return None if maxshape is None else tuple(h5s.UNLIMITED if n is None else n for n in maxshape)


def _make_unlimited(space, key):
    """Slices that end at ``h5s.UNLIMITED`` go on as far as the dataset does."""
    key = key if isinstance(key, tuple) else (key,)
    if not any(isinstance(one, slice) and one.stop == h5s.UNLIMITED for one in key):
        return
    axes = [list(axis) for axis in space._selection.axes()]
    at = 0
    for one in key:
        if one is Ellipsis:
            at += len(axes) - (len(key) - 1)
            continue
        if isinstance(one, slice) and one.stop == h5s.UNLIMITED:
            axes[at][2] = None
        at += 1
    start, stride, count, block = zip(*axes)
    unlimited = [h5s.UNLIMITED if n is None else n for n in count]
    space.select_hyperslab(start, unlimited, stride, block)


class VirtualSource:
    """A dataset, there or yet to be made, of which a virtual dataset shows parts.

    Given as a dataset, or as a file name with name and shape of the dataset in it. Index it to choose a part.
    """

    def __init__(self, path_or_dataset, name=None, shape=None, dtype=None, maxshape=None, *, key=None):
        from .dataset import Dataset

        name = key if name is None else name  # what it was called before there were layouts

        if isinstance(path_or_dataset, Dataset):
            given = {"name": name, "shape": shape, "dtype": dtype, "maxshape": maxshape}
            extra = [key for key, value in given.items() if value is not None]
            if extra:
                raise TypeError(f"a source given as a dataset takes no {', '.join(extra)}")
            source = path_or_dataset
            path, name, shape, dtype, maxshape = source.file.filename, source.name, source.shape, source.dtype, source.maxshape
        else:
            path = path_or_dataset
            for what, value in (("name", name), ("shape", shape)):
                if value is None:
                    raise TypeError(f"a source given by its file needs a {what}")
        self.path = path
        self.name = name
        self.dtype = dtype
        shape = tuple(_tuple(shape))
        self.maxshape = shape if maxshape is None else _limits(_tuple(maxshape))
        self._dims, self._taken, self._key, self._sel = shape, (_ALL, product(shape)), None, None
        self._whole = True

    @property
    def sel(self):
        """The chosen part, as a selection."""
        if self._sel is None:
            self._sel = SimpleSelection(self._dims) if self._whole else _selected(self._dims, self._key)
        return self._sel

    @sel.setter
    def sel(self, selection):
        self._sel, self._taken = selection, None

    @property
    def shape(self):
        """The shape of the chosen part."""
        return self._dims if self._whole and self._sel is None else self.sel.array_shape

    def __getitem__(self, key):
        if not self._whole:
            raise RuntimeError("VirtualSource objects can only be sliced once.")
        if self._sel is not None:
            self._dims = self.shape
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part._whole, part._key, part._sel = False, key, None
        part._taken = _native.take_simple(key, self._dims)
        if part._taken is None:
            part._sel = _selected(self._dims, key)
        return part


def _selected(shape, key):
    """The selection of an index, which may go on without end."""
    chosen = select(shape, key)
    _make_unlimited(chosen.id, key)
    return chosen


class VirtualLayout:
    """A virtual dataset to be made: its shape, and which part of which source each of its regions shows.

    ``filename``, when known, is the file it will be in; sources in the same file are then kept as ``"."``.
    """

    def __init__(self, shape, dtype, maxshape=None, filename=None):
        self.shape = tuple(_tuple(shape))
        self.dtype = dtype
        self.maxshape = _tuple(maxshape)
        self._filename = filename
        self._mappings = []
        self._names, self._limits = {}, (self.shape, None)

    @property
    def dcpl(self):
        """The property list with the mappings made so far."""
        return self._plist(self._filename)

    def __setitem__(self, key, source):
        file, name, plain = self._names.get((source.path, source.name)) or self._encoded(source)
        there = source._taken
        if plain and there is not None:
            here = _native.take_simple(key, self.shape)
            if here is not None and here[1] == there[1]:
                self._mappings.append((here[0], file, name, there[0], source._dims, self._limits, None))
                return
        here, there = _selected(self.shape, key).id, source.sel.id
        h5p.create(h5p.DATASET_CREATE).set_virtual(here, file, name, there)  # refuses what does not fit
        self._mappings.append(h5p.mapping(here, file, name, there))

    def _encoded(self, source):
        """The names of a source as they are stored, and whether neither may have numbers of blocks."""
        file, name = filename_encode(source.path), source.name.encode("utf-8")
        self._names[source.path, source.name] = names = file, name, b"%" not in file + name
        return names

    def _plist(self, filename):
        own = None if filename is None else filename_encode(filename)
        plist = h5p.create(h5p.DATASET_CREATE)
        plist.set_layout(h5d.VIRTUAL)
        maps = self._mappings
        plist._values["virtual"] = [one if one[1] != own else (one[0], b".", *one[2:]) for one in maps]
        return plist

    def make_dataset(self, parent, name, fillvalue=None):
        """Makes the dataset, and gives its low-level identifier."""
        filename = parent.file.filename
        if self._filename is not None and filename_encode(self._filename) != filename_encode(filename):
            raise Exception(f"the layout is for {self._filename!r}, not for {filename!r}")
        plist = self._plist(filename)
        if fillvalue is not None:
            plist.set_fill_value(np.array([fillvalue]))
        named = isinstance(self.dtype, Datatype)
        datatype = self.dtype.id if named else h5t.py_create(np.dtype(self.dtype), logical=True)
        space = h5s.create_simple(self.shape, _limits(self.maxshape))
        return h5d.create(parent.id, name, datatype, space, plist)
