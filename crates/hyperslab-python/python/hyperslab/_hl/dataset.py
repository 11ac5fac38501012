"""Datasets."""

import sys
from typing import NamedTuple

import numpy as np

from .. import h5d, h5ds, h5r, h5t
from .._objects import with_phil  # noqa: F401
from .._selector import Reader, Selector
from . import filters, partitions, writing
from . import selections as sel
from .base import Empty, HLObject, product
from .compat import filename_decode, filename_encode
from .selections2 import select_read
from .vds import VDSmap, vds_support  # noqa: F401
from .views import AsStrWrapper, AstypeWrapper, ChunkIterator, FieldsWrapper, readtime_dtype  # noqa: F401

_LEGACY_GZIP_COMPRESSION_VALS = frozenset(range(10))


class Growth(NamedTuple):
    """What was found new in a dataset that is followed."""

    before: "tuple[int, ...]"
    after: "tuple[int, ...]"
    #: The rows that are new, along the axis that grows.
    rows: range


class Dataset(HLObject):
    """An array of elements in a file, read and written by indexing it as a numpy array."""

    def __init__(self, bind, *, readonly=False):
        if not isinstance(bind, h5d.DatasetID):
            raise ValueError(f"{bind} is not a DatasetID")
        super().__init__(bind)
        self._readonly = readonly

    # Forms

    def astype(self, dtype):
        """A view that reads the elements as another dtype."""
        dtype = np.dtype(dtype)
        if dtype.kind == "T" and h5t.check_string_dtype(self.dtype) is None:
            raise TypeError("only datasets with an HDF5 string datatype can be read as numpy's variable-width strings")
        return AstypeWrapper(self, dtype)

    def asstr(self, encoding=None, errors="strict"):
        """A view that reads strings as text."""
        if h5t.check_string_dtype(self.dtype) is None:
            raise TypeError("dset.asstr() can only be used on datasets with an HDF5 string datatype")
        if encoding is None:
            encoding = h5t.check_string_dtype(self.dtype).encoding
        return AsStrWrapper(self, encoding, errors=errors)

    def fields(self, names, *, _prior_dtype=None):
        """A view that reads one field, or some, of a dataset of compounds."""
        return FieldsWrapper(self, self.dtype if _prior_dtype is None else _prior_dtype, names)

    # Shape and type

    @property
    def dims(self):
        """The axes: labels and dimension scales."""
        from .dims import DimensionManager

        return DimensionManager(self)

    @property
    def ndim(self):
        """How many axes."""
        return self.id.rank

    @property
    def shape(self):
        """The length of each axis; ``None`` for the null dataspace. Set it to resize."""
        return self.id.shape

    @shape.setter
    def shape(self, shape):
        self.resize(shape)

    @property
    def size(self):
        """How many elements."""
        shape = self.shape
        return None if shape is None else product(shape)

    @property
    def nbytes(self):
        """Bytes that all elements take in memory."""
        return (self.size or 0) * self.dtype.itemsize

    @property
    def dtype(self):
        """The numpy dtype of an element."""
        return self.id.dtype

    @property
    def maxshape(self):
        """How large each axis may become, ``None`` for any length."""
        return self.id.maxshape

    @property
    def fillvalue(self):
        """What reads where nothing was written."""
        # Where there are objects numpy begins with none of them.
        make = np.empty if self.dtype.names is not None and self.dtype.hasobject else np.zeros
        array = make((1,), dtype=self.dtype)
        fill = self._dcpl._values.get("fill")
        if fill is not None:
            return fill[0]
        if h5t.check_string_dtype(self.dtype) is not None and self.dtype.kind == "O":
            return b""
        return array[0]

    # Storage

    @property
    def _dcpl(self):
        return self.id.get_create_plist()

    @property
    def _filters(self):
        return filters.get_filters(self._dcpl)

    @property
    def chunks(self):
        """The shape of a chunk; ``None`` when there are no chunks."""
        self.id._need()
        chunks = self.id._dataset.chunks
        return None if chunks is None else tuple(chunks)

    @property
    def compression(self):
        """'gzip', 'lzf' or 'szip'; 'unknown' for any other filter that compresses, ``None`` for none."""
        found = self._filters
        known = next((name for name in ("gzip", "lzf", "szip") if name in found), None)
        if known is None and any(name not in filters._CODES for name in found):
            return "unknown"
        return known

    @property
    def compression_opts(self):
        """The level of gzip, or the options of szip."""
        return self._filters.get(self.compression)

    @property
    def filter_ids(self):
        """Numbers of the filters."""
        plist = self._dcpl
        return tuple(plist.get_filter(at)[0] for at in range(plist.get_nfilters()))

    @property
    def filter_names(self):
        """Names of the filters as the file has them."""
        plist = self._dcpl
        names = (plist.get_filter(at)[3] for at in range(plist.get_nfilters()))
        return tuple(name.decode("utf-8", "surrogateescape") for name in names)

    @property
    def shuffle(self):
        """Whether bytes are shuffled."""
        return "shuffle" in self._filters

    @property
    def fletcher32(self):
        """Whether chunks have a checksum."""
        return "fletcher32" in self._filters

    @property
    def scaleoffset(self):
        """The factor of the scale-offset filter; ``None`` without it."""
        found = self._filters.get("scaleoffset")
        return None if found is None else found[1]

    @property
    def external(self):
        """Name, offset and size of each raw file; ``None`` when there are none."""
        plist = self._dcpl
        found = [plist.get_external(at) for at in range(plist.get_external_count())]
        return [(filename_decode(name), offset, size) for name, offset, size in found] or None

    # Virtual

    @property
    def is_virtual(self):
        """Whether the elements are in other datasets."""
        self.id._need()
        return self.id._dataset.layout == "virtual"

    def virtual_sources(self):
        """The mappings of a virtual dataset."""
        if not self.is_virtual:
            raise RuntimeError("Not a virtual dataset")
        plist = self._dcpl
        return [
            VDSmap(
                plist.get_virtual_vspace(at),
                plist.get_virtual_filename(at),
                plist.get_virtual_dsetname(at),
                plist.get_virtual_srcspace(at),
            )
            for at in range(plist.get_virtual_count())
        ]

    def resolve(self):
        """Which path is used for each source file of a virtual dataset, every file once."""
        self.id._need()
        return [partitions.SourceFile(*one) for one in self.id._dataset.resolve()]

    def mapping_status(self):
        """How each mapping of a virtual dataset stands: where its file is, and what is wrong with it."""
        self.id._need()
        return [partitions.MappingStatus(*one) for one in self.id._dataset.mapping_status()]

    def with_access(self, view=None, printf_gap=None, prefix=None):
        """The same dataset, which finds and follows its sources in another way; what is not given stays.

        view
            Where a virtual dataset ends that grows: ``'last'``, at the last element any source has; ``'first'``, at the first one
            that some source lacks; ``'stored'``, where the file says.
        printf_gap
            How many numbered sources in a row may be missing before one that is there.
        prefix
            A directory in which source files are looked for before that of the file; ``${ORIGIN}`` at its start is that directory.
        """
        dapl = self.id.get_access_plist()
        if view is not None:
            views = {"first": h5d.VDS_FIRST_MISSING, "last": h5d.VDS_LAST_AVAILABLE, "stored": h5d.VDS_STORED}
            if view not in views:
                raise ValueError(f"view is 'last', 'first' or 'stored', not {view!r}")
            dapl.set_virtual_view(views[view])
        if printf_gap is not None:
            dapl.set_virtual_printf_gap(printf_gap)
        if prefix is not None:
            dapl.set_virtual_prefix(filename_encode(prefix))
        return type(self)(self.id._with_access(dapl))

    def gaps(self, args=()):
        """What of an index has no source: how many elements, and which mappings, with file, path and problem."""
        chosen = sel.select(self.shape, args, dataset=self)
        return partitions.Gaps(*self.id._dataset.gaps(chosen.id._selection))

    def partitions(self, nbytes=128 << 20):
        """Regions of about ``nbytes`` each that cover the dataset, cut where chunks or sources end."""
        return partitions.partitions(self, nbytes)

    # Size

    def resize(self, size, axis=None):
        """Gives the dataset, or one axis, another length; elements keep their coordinates."""
        if not self.id._chunked:
            raise TypeError("Only chunked datasets can be resized")
        if axis is not None:
            if not 0 <= axis < self.ndim:
                raise ValueError(f"Invalid axis (0 to {self.ndim - 1} allowed)")
            try:
                length = int(size)
            except TypeError:
                raise TypeError("Argument must be a single int if axis is specified") from None
            self.id._set_axis(axis, length)
            return
        self.id.set_extent(tuple(size))

    def __len__(self):
        length = self.len()
        if length > sys.maxsize:
            raise OverflowError("Value too big for Python's __len__; use Dataset.len() instead.")
        return length

    def len(self):
        """The length of the first axis."""
        if not self.shape:
            raise TypeError("Attempt to take len() of scalar dataset")
        return self.shape[0]

    def __iter__(self):
        if not self.shape:
            raise TypeError("Can't iterate over a scalar dataset")
        for at in range(self.shape[0]):
            yield self[at]

    def iter_chunks(self, sel=None):
        """Goes over the chunks that meet a region, as tuples of slices."""
        return ChunkIterator(self, sel)

    # Reading

    @property
    def _selector(self):
        return Selector(self.id.get_space())

    @property
    def _fast_reader(self):
        return Reader(self.id)

    def __getitem__(self, args, new_dtype=None):
        args = args if isinstance(args, tuple) else (args,)
        if new_dtype is None:
            found = self._id._pick(args)
            if found is not None:
                return found
        for arg in args:
            if arg is None:
                raise TypeError("Indexing with None (or np.newaxis) is not supported")
        shape = self.shape
        if shape is None:
            if args in ((), (Ellipsis,)):
                return Empty(self.dtype)
            raise ValueError("Empty datasets cannot be sliced")
        names = tuple(arg for arg in args if isinstance(arg, str))
        if names:
            rest = tuple(arg for arg in args if not isinstance(arg, str))
            return self.fields(names[0] if len(names) == 1 else names, _prior_dtype=new_dtype)[rest]
        dtype = self.dtype if new_dtype is None else new_dtype
        if len(args) == 1 and isinstance(args[0], h5r.RegionReference):
            return self._region(args[0], dtype)
        if shape == ():
            chosen = select_read(self.id.get_space(), args)
            array = self._read(chosen.fspace._selection, (), dtype)
            return array[()] if chosen.mshape is None else array
        chosen = sel.select(shape, args, dataset=self)
        array = self._read(chosen.id._selection, chosen.array_shape, dtype)
        return array[()] if array.ndim == 0 else array

    def _region(self, reference, dtype):
        if h5r.dereference(reference, self.id) != self.id:
            raise ValueError("Region reference must point to this dataset")
        space = h5r.get_region(reference, self.id)
        shape = sel.guess_shape(space)
        return Empty(dtype) if shape is None else self._read(space._selection, shape, dtype)

    def _read(self, selection, shape, dtype):
        """The selected elements as an array of this shape."""
        self._check_sources(selection)
        if _needs_own_dtype(dtype, self.dtype):
            array = self._read(selection, shape, self.dtype)
            return _cast(array, dtype)
        array = self.id._elements(selection, dtype)
        return array.reshape(tuple(shape) + array.shape[1:])

    def _read_into(self, selection, array):
        """Reads the selected elements into an array as it is, if that can be."""
        whole = array.flags.c_contiguous and array.flags.writeable and array.size > 0
        if not whole or _needs_own_dtype(array.dtype, self.dtype):
            return False
        self._check_sources(selection)
        return self.id._elements_into(selection, array)

    def _check_sources(self, selection):
        policy = self.id._opened.options.get("vds_missing", "fill")
        if policy != "fill" and self.id._virtual:
            partitions.check(self.id._dataset.gaps(selection), policy, self.name)

    def read_direct(self, dest, source_sel=None, dest_sel=None):
        """Reads into an array that is there; selections are made with ``numpy.s_``."""
        if self.shape is None:
            raise TypeError("Empty datasets have no numpy representation")
        if not dest.flags.c_contiguous:
            raise TypeError("the array to read into must be C-contiguous")
        source = sel.SimpleSelection(self.shape) if source_sel is None else sel.select(self.shape, source_sel, self)
        part = dest if dest_sel is None else dest[dest_sel]
        if isinstance(part, np.ndarray) and part.shape == source.array_shape and self._read_into(source.id._selection, part):
            return
        array = self._read(source.id._selection, source.array_shape, dest.dtype)
        if part.shape != array.shape:
            array = np.broadcast_to(array.reshape(writing.fitted(array.shape, part.shape)), part.shape)
        if dest_sel is None:
            dest[...] = array
        else:
            dest[dest_sel] = array

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("Dataset.__array__ received copy=False but memory allocation cannot be avoided on read")
        if self.shape is None:
            raise TypeError("Empty datasets have no numpy representation")
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        return self._read(self.id.get_space()._selection, self.shape, dtype)

    # Writing

    def __setitem__(self, args, val):
        args = args if isinstance(args, tuple) else (args,)
        if not isinstance(val, np.ndarray) and self.id.dtype.kind in "iufcb":
            val = writing.elements(val, self.id.dtype)
        if type(val) is np.ndarray and self.id._put(args, val):
            return
        names = tuple(arg for arg in args if isinstance(arg, str))
        args = tuple(arg for arg in args if not isinstance(arg, str))
        if self.shape is None:
            raise TypeError("Empty datasets cannot be written to")
        chosen = sel.select(self.shape, args, dataset=self)
        if names:
            self._set_fields(chosen, names, val)
            return
        array = writing.elements(val, self.dtype)
        inner = 0 if self.dtype.subdtype is None else len(self.dtype.subdtype[1])
        self._write(chosen, array, inner)

    def _write(self, chosen, array, inner=0):
        array = writing.spread(array, inner, chosen)
        if chosen.nselect:
            self.id._need_to_write()
            self.id._store(chosen.id._selection, array)

    def _set_fields(self, chosen, names, val):
        dtype = self.dtype
        if dtype.fields is None:
            raise TypeError("Illegal slicing argument (not a compound dataset)")
        unknown = [name for name in names if name not in dtype.fields]
        if unknown:
            named = ", ".join(f'"{name}"' for name in unknown)
            raise ValueError(f"Illegal slicing argument (fields {named} not in dataset type)")
        wanted = readtime_dtype(dtype, names)
        array = val if isinstance(val, np.ndarray) else np.asarray(val)
        if array.dtype.fields is None:
            if len(names) != 1:
                raise TypeError("several fields are written from an array with fields")
            field = wanted[0]
            array = writing.elements(val, field)
            inner = len(field.shape)
            given = np.empty(array.shape[: array.ndim - inner], dtype=wanted)
            given[names[0]] = array
        else:
            kept = [name for name in array.dtype.names if name in names]
            given = np.empty(array.shape, dtype=[(name, array.dtype[name]) for name in kept])
            for name in kept:
                given[name] = array[name]
        if dtype.hasobject:
            whole = self._read(chosen.id._selection, chosen.mshape, dtype)
            part = writing.spread(given, 0, chosen)
            for name in part.dtype.names:
                whole[name] = part[name]
            given = whole
        self._write(chosen, given)

    def _fill(self, array):
        """Writes all elements of a new dataset."""
        self.id._store(self.id.get_space()._selection, writing.elements(array, self.dtype))

    def write_direct(self, source, source_sel=None, dest_sel=None):
        """Writes from an array; selections are made with ``numpy.s_``."""
        if self.shape is None:
            raise TypeError("Empty datasets cannot be written to")
        if not source.flags.c_contiguous:
            raise TypeError("the array to write from must be C-contiguous")
        array = source if source_sel is None else source[source_sel]
        chosen = sel.SimpleSelection(self.shape) if dest_sel is None else sel.select(self.shape, dest_sel, self)
        self._write(chosen, np.asarray(array))

    def flush(self, durable=False):
        """Writes to the file what was changed.

        Of a file in SWMR mode, shows readers what was written to this dataset. ``durable`` returns when it is on the disk, and
        leaves a file that can be read also when the machine stops meanwhile.
        """
        self.id.flush(durable)

    def append(self, data, axis=0, boundary=None, reached=None):
        """Grows the dataset along an axis by an array, or by one element of that axis.

        Where that completes a multiple of ``boundary`` rows, calls ``reached`` with the dataset and flushes it. Whether it did
        is what is returned.
        """
        data = np.asarray(data)
        if data.ndim == self.ndim - 1:
            data = np.expand_dims(data, axis)
        begin = self.shape[axis]
        if data.ndim != self.ndim:
            raise ValueError(f"an array of {data.ndim} axes for a dataset of {self.ndim}")
        count = data.shape[axis]
        self.resize(begin + count, axis)
        try:
            self[(slice(None),) * axis + (slice(begin, begin + count),)] = data
        except BaseException:
            self.resize(begin, axis)
            raise
        if not boundary or (begin + count) // boundary == begin // boundary:
            return False
        if reached is not None:
            reached(self)
        self.flush()
        return True

    def refresh(self):
        """Takes the dataset as it is in the file now."""
        self.id.refresh()

    def wait(self, rows, timeout=None):
        """Waits until a dataset of a live file has so many rows, at most ``timeout`` seconds; whether it has."""
        self.id._need()
        return self.id._dataset.wait(int(rows), timeout)

    def follow(self, timeout=None):
        """Goes over the growths of a dataset of a live file, as they come.

        Each has ``before`` and ``after``, the shapes, and ``rows``, the range of new ones along the axis that grows. It ends
        when the writer has closed the file or is gone, or when nothing changed for ``timeout`` seconds.
        """
        self.id._need()
        growths = self.id._dataset.follow(timeout)
        while (found := growths.step()) is not None:
            before, after, axis = tuple(found[0]), tuple(found[1]), found[2]
            rows = range(min(before[axis], after[axis]), after[axis]) if after else range(0)
            yield Growth(before, after, rows)

    # Scales

    def make_scale(self, name=""):
        """Makes this dataset a dimension scale, to be attached to axes of others."""
        h5ds.set_scale(self.id, self._e(name))

    @property
    def is_scale(self):
        """Whether this dataset is a dimension scale."""
        return h5ds.is_scale(self.id)

    def __repr__(self):
        if not self:
            return "<Closed HDF5 dataset>"
        name = "(anonymous)" if self.name is None else f'"{self.name.rstrip("/").rsplit("/", 1)[-1]}"'
        return f'<HDF5 dataset {name}: shape {self.shape}, type "{self.dtype.str}">'


def _needs_own_dtype(wanted, own):
    """Whether elements are read as they are and then cast by numpy."""
    if wanted == own and wanted.metadata == own.metadata:
        return False
    if wanted.kind == "T" or (own.kind == "O" and wanted.kind not in "OV"):
        return True
    return own.hasobject and wanted.names is None and wanted.kind != "O"


def _cast(array, dtype):
    if dtype.kind == "T":
        def text(one):
            return one.decode("utf-8", "surrogateescape") if isinstance(one, bytes) else str(one)

        return np.array([text(one) for one in array.flat], dtype=dtype).reshape(array.shape)
    return array.astype(dtype)


