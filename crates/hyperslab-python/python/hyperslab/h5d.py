"""Datasets: arrays of elements in a file, or in many files."""

import os
from typing import NamedTuple

import numpy as np

from . import _convert, _describe, h5p, h5r, h5s, h5t, h5z
from ._nodes import NodeID, encoded, find, has_link, joined, node, parent_of
from ._objects import ObjectID, phil, with_phil  # noqa: F401

COMPACT, CONTIGUOUS, CHUNKED, VIRTUAL = range(4)
ALLOC_TIME_DEFAULT, ALLOC_TIME_EARLY, ALLOC_TIME_LATE, ALLOC_TIME_INCR = range(4)
FILL_TIME_ALLOC, FILL_TIME_NEVER, FILL_TIME_IFSET = range(3)
FILL_VALUE_UNDEFINED, FILL_VALUE_DEFAULT, FILL_VALUE_USER_DEFINED = range(3)
SPACE_STATUS_NOT_ALLOCATED, SPACE_STATUS_PART_ALLOCATED, SPACE_STATUS_ALLOCATED = range(3)
#: The third, which libhdf5 does not have, is the size that the file says, whatever the sources.
VDS_FIRST_MISSING, VDS_LAST_AVAILABLE, VDS_STORED = 0, 1, 2

_LAYOUTS = {"compact": COMPACT, "contiguous": CONTIGUOUS, "external": CONTIGUOUS, "chunked": CHUNKED, "virtual": VIRTUAL}


class StoreInfo(NamedTuple):
    """Where a chunk is stored."""

    chunk_offset: "tuple[int, ...]"
    filter_mask: int
    byte_offset: "int | None"
    size: int


class DatasetID(NodeID):
    """A dataset."""

    _what = "dataset"
    #: Whether anybody asked for the size, which a virtual dataset then looks for in its sources.
    _queried = False
    _dapl = _type = _dtype = None
    #: The engine's datatype for arrays of ``dtype``, when numpy keeps its elements in the array.
    _memory = None

    def __init__(self, opened, native, path, dapl=None):
        self._opened = opened
        self._object = native
        self._path = path
        self._dataset = native.dataset()
        if dapl is not None:
            self._open_with(dapl)
        self._virtual = self._dataset.is_virtual

    @property
    def _chunked(self):
        return self._dataset.layout == "chunked"

    def _refresh(self):
        """Takes the dataset as it is now."""
        self._dataset = _accessed(self._need().again().dataset(), self._dapl)

    # What it is

    @property
    def dtype(self):
        if self._dtype is None:
            self._need()
            number = self._dataset.number
            if number is not None:
                self._dtype, self._memory = number
                return self._dtype
            self._dtype = self.get_type().dtype
            if _convert.is_plain(self._dtype) and self._dtype.subdtype is None:
                self._memory = _convert.native_type(self._dtype)
        return self._dtype

    @property
    def shape(self):
        self._need()
        if self._virtual:
            self._follow()
        self._queried = True
        return self._dataset.shape

    def _follow(self):
        """Looks for the sources that decide the size of a virtual dataset."""
        if not self._opened.shared.live:
            self._dataset.refresh()

    @property
    def maxshape(self):
        extent = self._dataset.extent
        return None if extent is None else tuple(extent[1])

    @property
    def rank(self):
        return len(self.shape or ())

    def get_type(self):
        self._need()
        if self._type is None:
            named = self._object.named_datatype()
            place = None if named is None else NodeID(self._opened, named, None)
            self._type = h5t.of_native(self._dataset.datatype, place)
        return self._type

    def get_space(self):
        self._need()
        self._queried = True
        extent = self._dataset.extent
        return h5s.SpaceID(None) if extent is None else h5s.SpaceID(*extent)

    def get_access_plist(self):
        plist = self._dapl.copy() if self._dapl is not None else h5p.create(h5p.DATASET_ACCESS)
        fapl = self._opened.options.get("fapl")
        if "chunk_cache" not in plist._values and fapl is not None:
            plist._values["chunk_cache"] = fapl.get_cache()[1:]
        origin, prefix = b"${ORIGIN}", plist.get_efile_prefix()
        if prefix.startswith(origin):
            directory = os.path.dirname(os.path.abspath(os.fsencode(self._opened.shared.path)))
            plist.set_efile_prefix(directory + prefix[len(origin) :])
        return plist

    def get_create_plist(self):
        self._need()
        dataset = self._dataset
        plist = h5p.create(h5p.DATASET_CREATE)
        values = plist._values
        values.update(self._created_with())
        del values["link_creation_order"]
        values["layout"] = _LAYOUTS[dataset.layout]
        if dataset.chunks is not None:
            values["chunk"] = tuple(dataset.chunks)
        values["filters"] = [
            (code, flags, tuple(given), name or h5z.names.get(code, b"")) for code, flags, given, name in dataset.filters
        ]
        values["alloc_time"], values["fill_time"] = dataset.fill_times
        if dataset.fill_value is not None:
            values["fill"] = self._fill_array()
            values["fill_state"] = FILL_VALUE_USER_DEFINED
        if dataset.layout == "external":
            values["external"] = [tuple(slot) for slot in dataset.external]
        mappings = dataset.mappings()
        if mappings is not None:
            values["virtual"] = [self._mapping(*mapping) for mapping in mappings]
        return plist

    def _mapping(self, here, file, path, there):
        # The file does not keep the shape of the source: all of it is as much as the virtual selection has.
        whole = there.kind == "all" and here.unlimited_axis is None
        source = h5s.SpaceID(here.shape(self.shape) if whole else _extent_of(there), None, there)
        return h5p.mapping(h5s.SpaceID(self.shape, self.maxshape, here), encoded(file), encoded(path), source)

    def _fill_array(self):
        """The fill value, as an array of one element."""
        try:
            values = [self._dataset.fill()]
            return _convert.array_of(values, self.dtype, self.get_type()._of, h5r.wrapper(self._opened))
        except (TypeError, ValueError):
            return np.zeros(1, dtype=self.dtype)

    # Where it is

    def get_offset(self):
        """Where contiguous elements begin in the file; ``None`` when they are not in one place of it."""
        self._need()
        return self._dataset.offset

    def get_storage_size(self):
        self._need()
        self._opened.shared.settle()
        return self._dataset.storage_size

    def get_space_status(self):
        stored = self.get_storage_size()
        whole = int(np.prod(self.shape or (), dtype=np.int64)) * self._dataset.datatype.size
        if not stored:
            return SPACE_STATUS_NOT_ALLOCATED
        return SPACE_STATUS_ALLOCATED if stored >= whole or self._dataset.filters else SPACE_STATUS_PART_ALLOCATED

    # Reading

    def _elements(self, selection, dt):
        """The selected elements as a one-dimensional array of ``dt``."""
        self._need()
        base, inner = _convert.parts(dt)
        datatype = self._dataset.datatype
        if _convert.is_plain(dt) and not datatype.has_reference:
            memory = self._memory if dt is self._dtype and self._memory is not None else _convert.native_type(dt)
            data = self._dataset.read(selection, memory, base)
            return data.reshape(-1, *inner) if inner else data
        values = self._dataset.values(selection)
        return _convert.array_of(values, dt, self.get_type()._of, h5r.wrapper(self._opened))

    def _elements_into(self, selection, array):
        """Reads the selected elements into an array that has their shape and is one run of memory, if that can be."""
        self._need()
        dt = array.dtype
        if not _convert.is_plain(dt) or dt.subdtype is not None or self._dataset.datatype.has_reference:
            return False
        self._dataset.read_into(selection, _convert.native_type(dt), array.reshape(-1).view("u1"))
        return True

    def _pick(self, args):
        """What an index of numbers and slices gives, in one step; ``None`` when it needs more."""
        if self._memory is None and self._dtype is not None:
            return None
        opened = self._opened
        if not opened.open or self._closed or opened.checks_sources:
            return None
        if self._virtual:
            self._follow()
        return self._dataset.pick(args, self._memory, self._dtype)

    def _put(self, args, array):
        """Writes a numpy array to what an index of numbers and slices takes, in one step; ``False`` when it needs more."""
        if array.dtype != self.dtype or self._memory is None:
            return False
        if not self._opened.open or self._closed or not self._opened.shared.writable:
            return False
        if self._virtual:
            self._follow()
        return self._dataset.put(args, self._memory, array)

    def _selected(self, space):
        return space._selection if space is not h5s.ALL else self.get_space()._selection

    def read(self, mspace, fspace, arr_obj, mtype=None, dxpl=None):
        """Reads what ``fspace`` selects into what ``mspace`` selects of ``arr_obj``."""
        wanted = arr_obj.dtype if mtype is None or arr_obj.dtype.hasobject else mtype.dtype
        _own = self.dtype
        if fspace is h5s.ALL and self._virtual and not self._queried:
            # As in libhdf5, who never asked for the size reads all there is as the file says.
            return self._as_stored().read(mspace, h5s.ALL, arr_obj, mtype, dxpl)
        selection = self._selected(fspace)
        whole = mspace is h5s.ALL and arr_obj.dtype == wanted and arr_obj.flags.c_contiguous and arr_obj.flags.writeable
        if whole and self._takes(selection, arr_obj) and self._elements_into(selection, arr_obj):
            return
        elements = self._elements(selection, wanted)
        if mspace is h5s.ALL or mspace._selection.kind == "all":
            arr_obj[...] = elements.reshape(arr_obj.shape)
            return
        flat = arr_obj.reshape(-1)
        at = h5s.flat_indices(mspace._selection, mspace._dims)
        if not np.shares_memory(flat, arr_obj):
            raise TypeError("the array to read into must be contiguous")
        flat[at] = elements

    def _takes(self, selection, array):
        """Whether an array has as many elements as are selected."""
        shape = self.shape
        return shape is not None and array.dtype.subdtype is None and selection.count(list(shape)) == array.size

    def _as_stored(self):
        """The same dataset at the size that the file says."""
        dapl = h5p.create(h5p.DATASET_ACCESS) if self._dapl is None else self._dapl.copy()
        dapl.set_virtual_view(VDS_STORED)
        stored = self._with_access(dapl)
        stored._queried = True
        return stored

    def _open_with(self, dapl):
        """Has these access properties from now on."""
        self._dapl = dapl
        self._dataset = _accessed(self._dataset, dapl)

    def _with_access(self, dapl):
        """Another handle, which finds and follows the sources of a virtual dataset in its own way."""
        return type(self)(self._opened, self._object, self._path, dapl)

    def write(self, mspace, fspace, arr_obj, mtype=None, dxpl=None):
        """Writes what ``mspace`` selects of ``arr_obj`` to what ``fspace`` selects."""
        self._need_to_write()
        array = np.ascontiguousarray(arr_obj)
        if mtype is not None and array.dtype.itemsize != mtype.dtype.itemsize and _convert.is_plain(mtype.dtype) and _convert.is_plain(array.dtype):
            # What is in the array are the bytes of elements of another type.
            array = np.frombuffer(array.tobytes(), mtype.dtype)
        if mspace is not h5s.ALL and mspace._selection.kind != "all":
            array = array.reshape(-1)[h5s.flat_indices(mspace._selection, mspace._dims)]
        self._store(self._selected(fspace), array)

    def _need_to_write(self):
        self._need()
        if not self._opened.shared.writable:
            raise OSError("Can't write data: the file is open to read only (no write intent on file)")

    def _store(self, selection, array):
        """Writes the elements of an array to the selected ones, in order."""
        of, native = self.get_type()._of, self._dataset
        if _convert.is_plain(array.dtype) and not native.datatype.has_variable_length and not native.datatype.has_reference:
            memory = _convert.native_type(np.dtype((array.dtype, tuple(of[2]))) if of[0] == "array" else array.dtype)
            flat = np.ascontiguousarray(array).reshape(-1)
            native.write(selection, memory, flat.view(np.uint8) if flat.size else np.zeros(0, np.uint8))
            return
        rank = array.ndim - (len(of[2]) if of[0] == "array" and array.dtype.kind != "O" else 0)
        flat = array.reshape(-1, *array.shape[rank:])
        native.write_values(selection, _convert.values_of(flat, of, h5r.unwrapper(self._opened)))

    # Size

    def set_extent(self, shape):
        self._need_writable("resize", RuntimeError)
        self._dataset.resize([int(n) for n in shape])
        if self._virtual:
            self._follow()

    def _set_axis(self, axis, length):
        """Gives one axis another length."""
        self._need_writable("resize", RuntimeError)
        self._dataset.resize_axis(axis, length)
        if self._virtual:
            self._follow()

    def extend(self, shape):
        self.set_extent([max(old, new) for old, new in zip(self.shape, shape)])

    def flush(self, durable=False):
        self._need()
        self._opened.shared.flush_dataset(self._dataset, durable)

    def refresh(self):
        self._need()
        self._dataset.refresh()

    # Chunks

    def _chunks(self):
        if self._need() and self._dataset.chunks is None:
            raise ValueError("the dataset is not stored in chunks")
        self._opened.shared.settle()
        return [StoreInfo(tuple(at), mask, byte, size) for at, mask, byte, size in self._dataset.stored_chunks()]

    def get_num_chunks(self, space=None):
        return len(self._chunks())

    def get_chunk_info(self, index, space=None):
        chunks = self._chunks()
        if not 0 <= index < len(chunks):
            raise IndexError(f"there is no chunk with index {index}: {len(chunks)} are stored")
        return chunks[index]

    def get_chunk_info_by_coord(self, chunk_offset):
        wanted = tuple(int(n) for n in chunk_offset)
        for chunk in self._chunks():
            if chunk.chunk_offset == wanted:
                return chunk
        return StoreInfo(wanted, 0, None, 0)

    def chunk_iter(self, func, dxpl=None):
        """Calls ``func`` with each stored chunk until it gives something."""
        for chunk in self._chunks():
            result = func(chunk)
            if result is not None:
                return result
        return None

    def read_direct_chunk(self, offsets, dxpl=None, out=None):
        """The filter mask and the stored bytes of the chunk that begins at ``offsets``."""
        found = self._dataset.read_chunk(self._chunk_coords(offsets))
        if found is None:
            raise OSError(f"the chunk at {tuple(offsets)} is not stored")
        mask, data = found
        if out is None:
            return mask, data
        view = memoryview(out)
        if view.readonly:
            raise BufferError("the buffer for a chunk must be writable")
        if not view.c_contiguous:
            raise ValueError("the buffer for a chunk must be contiguous")
        view = view.cast("B")
        if view.nbytes < len(data):
            raise ValueError(f"the buffer has {view.nbytes} bytes, the chunk {len(data)}")
        view[: len(data)] = data
        return mask, view[: len(data)]

    def write_direct_chunk(self, offsets, data, filter_mask=0, dxpl=None):
        """Stores bytes as the chunk that begins at ``offsets``."""
        self._need_writable("write a chunk")
        self._dataset.write_chunk(self._chunk_coords(offsets), bytes(memoryview(data).cast("B")), filter_mask)

    def _chunk_coords(self, offsets):
        """The coordinates, counted in chunks, of the chunk that begins at ``offsets``."""
        if len(offsets) != self.rank:
            raise TypeError(f"the offset of a chunk has {self.rank} numbers, not {len(offsets)}")
        if self._dataset.chunks is None:
            raise TypeError("the dataset is not stored in chunks")
        return [int(at) // side for at, side in zip(offsets, self._dataset.chunks)]


def _extent_of(selection):
    """A shape in which a source selection fits, as the file does not keep the source's own."""
    axes = selection.axes()
    if axes is not None:
        ends = (start + ((count or 1) - 1) * stride + (block or 1) for start, stride, count, block in axes)
        return tuple(ends)
    if selection.kind in ("all", "none"):
        return ()
    return tuple(last + 1 for last in selection.bounds([])[1])


def open(loc, name, dapl=None):
    """The dataset at a path."""
    found = find(loc, name)
    if not isinstance(found, DatasetID):
        raise KeyError(f"{encoded(name)!r} is not a dataset")
    found._open_with(dapl)
    return found


def _accessed(dataset, dapl):
    """The engine's dataset with the access properties that have an effect."""
    if dapl is None:
        return dataset
    prefix, view, gap = dapl.get_virtual_prefix(), dapl.get_virtual_view(), dapl.get_virtual_printf_gap()
    raw_prefix = dapl.get_efile_prefix() if dataset.layout == "external" else b""
    if not prefix and not raw_prefix and view == VDS_LAST_AVAILABLE and not gap:
        return dataset
    prefixes = (one.decode("utf-8", "surrogateescape") or None for one in (prefix, raw_prefix))
    return dataset.with_access(next(prefixes), view, gap, next(prefixes))


def create(loc, name, tid, space, dcpl=None, lcpl=None, dapl=None, gcpl=None):
    """A new dataset, without a name when ``name`` is ``None``."""
    start = node(loc)
    native = start._need_writable("create a dataset")
    options = (h5p.create(h5p.DATASET_CREATE) if dcpl is None else dcpl).creation()
    fill = options.pop("fill")
    options["fill"] = None if fill is None else _fill(fill, tid)
    last = path = None
    if name is not None:
        lcpl = h5p.create(h5p.LINK_CREATE) if lcpl is None else lcpl
        start, native, last = parent_of(loc, name, lcpl)
        if has_link(native, last):
            raise ValueError(f"Unable to synchronously create dataset (name already exists): {encoded(name)!r}")
        path = joined(start._path, encoded(name))
    if tid._node is not None:
        options["named"] = tid._node._need()
    made = native.create_dataset(last, tid._native, space._dims, space._max, options)
    return DatasetID(start._opened, made, path, dapl)


def create_numbers(loc, name, array):
    """A new contiguous dataset of the numbers in an array, made and written in one step; ``None`` when it needs more."""
    start = node(loc)
    made = start._need_writable("create a dataset").create_numbers(name, array)
    return None if made is None else DatasetID(start._opened, made, joined(start._path, name))


def _fill(fill, tid):
    """The fill value as a plain value of the dataset's datatype."""
    dt = tid.dtype
    if dt.kind == "S" and fill.dtype.kind in "UO":
        fill = np.array([_convert.encoded(fill[0], 1)])
    if _describe.moves(tid._of):
        flat = fill
    elif dt.kind in "iu" and fill.dtype.kind in "iuf":
        # As HDF5 converts: what is out of range becomes the nearest value.
        info = np.iinfo(dt)
        flat = np.array([min(max(int(fill[0]), info.min), info.max)], dtype=dt)
    elif dt.subdtype is not None:
        base, shape = dt.subdtype
        flat = np.broadcast_to(fill.astype(base), (1, *shape)) if fill.ndim == 1 else fill.astype(base)
    else:
        flat = fill.astype(dt)
    return _convert.values_of(flat, tid._of, lambda value, region, size: bytes(size))[0]
