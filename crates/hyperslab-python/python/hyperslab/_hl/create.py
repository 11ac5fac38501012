"""Making datasets from the keywords of ``create_dataset``."""

from warnings import warn

import numpy as np

from .. import h5d, h5p, h5s, h5t
from ..h5py_warnings import H5pyDeprecationWarning
from . import dataset, filters
from .base import Empty, array_for_new_object, product
from .datatype import Datatype
from .fileprops import TRACKED


def make_new_dset(parent, shape=None, dtype=None, data=None, name=None, chunks=None, compression=None, shuffle=None,
                  fletcher32=None, maxshape=None, compression_opts=None, fillvalue=None, scaleoffset=None, track_times=False,
                  external=None, track_order=None, dcpl=None, dapl=None, efile_prefix=None, virtual_prefix=None,
                  allow_unknown_filter=False, rdcc_nslots=None, rdcc_nbytes=None, rdcc_w0=None, *,
                  fill_time=None):  # fmt: skip
    """Makes a dataset, and gives its low-level identifier."""
    if data is not None and not isinstance(data, Empty):
        data = array_for_new_object(data, specified_dtype=_numpy_dtype(dtype))
    shape, data = _shaped(shape, data)
    if shape is None and data is None and dtype is None:
        raise TypeError("One of data, shape or dtype must be specified")
    maxshape = (maxshape,) if isinstance(maxshape, (int, np.integer)) and not isinstance(maxshape, bool) else maxshape
    chunks = _checked_chunks(chunks, shape, maxshape)
    tid, dtype = _datatype(dtype, data)
    compression, compression_opts = _legacy(compression, compression_opts)
    dcpl = filters.fill_dcpl(
        h5p.create(h5p.DATASET_CREATE) if dcpl is None else dcpl, shape, dtype, chunks, compression, compression_opts, shuffle,
        fletcher32, maxshape, scaleoffset, external, allow_unknown_filter, fill_time=fill_time,
    )  # fmt: skip
    if fillvalue is not None:
        dcpl.set_fill_value(_fill(fillvalue, dtype))
    _track(dcpl, track_times, track_order)
    dapl = _access(dapl, efile_prefix, virtual_prefix, (rdcc_nslots, rdcc_nbytes, rdcc_w0))
    made = h5d.create(parent.id, name if name is None else parent._e(name), tid, _space(shape, maxshape), dcpl, dapl=dapl)
    if data is not None and not isinstance(data, Empty) and data.size:
        dataset.Dataset(made)._fill(data)
    return made


def _numpy_dtype(dtype):
    if isinstance(dtype, Datatype):
        return dtype.dtype
    return dtype.dtype if isinstance(dtype, h5t.TypeID) else dtype


def _shaped(shape, data):
    """The shape of the dataset, ``None`` for the null dataspace, and the data in it."""
    if shape is None:
        return (None if data is None or isinstance(data, Empty) else data.shape), data
    shape = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if data is not None and not isinstance(data, Empty):
        if product(shape) != product(data.shape):
            raise ValueError("Shape tuple is incompatible with data")
        data = data.reshape(shape) if data.shape != shape else data
    return shape, data


def _checked_chunks(chunks, shape, maxshape):
    if isinstance(chunks, (int, np.integer)) and not isinstance(chunks, bool):
        chunks = (int(chunks),)
    if chunks is False and maxshape is not None:
        raise ValueError("Chunked format required for given storage options")
    if isinstance(chunks, tuple) and shape is not None and len(chunks) == len(shape):
        limits = shape if maxshape is None or maxshape is True else maxshape
        for chunk, length, limit in zip(chunks, shape, limits):
            if isinstance(chunk, int) and limit is not None and maxshape is not True and chunk > max(limit, length):
                raise ValueError(
                    "Chunk shape must not be greater than data shape in any dimension. "
                    f"{chunks} is not compatible with {shape}"
                )
    return chunks


def _datatype(dtype, data):
    """The HDF5 datatype, and the numpy dtype it is made from."""
    if isinstance(dtype, Datatype):
        return dtype.id, dtype.dtype
    if isinstance(dtype, h5t.TypeID):
        return dtype, dtype.dtype
    if dtype is None:
        if data is None:
            warn("a dataset without data needs a dtype; float32 is assumed", H5pyDeprecationWarning, stacklevel=5)
        dtype = np.dtype("=f4") if data is None else data.dtype
    else:
        dtype = np.dtype(dtype)
    return h5t.py_create(dtype, logical=True), dtype


def _legacy(compression, options):
    """``True`` and a bare level stand for gzip."""
    if compression is True:
        return "gzip", 4 if options is None else options
    if isinstance(compression, (int, np.integer)) and compression in dataset._LEGACY_GZIP_COMPRESSION_VALS:
        if options is not None:
            raise TypeError("Conflict in compression options")
        return "gzip", compression
    return compression or None if compression is False else compression, options


def _fill(fillvalue, dtype):
    strings = h5t.check_string_dtype(dtype)
    if strings is not None and dtype.kind != "S":
        text = fillvalue.decode("utf-8", "surrogateescape") if isinstance(fillvalue, (bytes, np.bytes_)) else fillvalue
        return np.array([text], dtype=object)
    if strings is not None and isinstance(fillvalue, str):
        fillvalue = fillvalue.encode("utf-8")
    if dtype.subdtype is not None:
        base, inner = dtype.subdtype
        made = np.empty((1,), dtype=object)
        made[0] = np.broadcast_to(np.asarray(fillvalue, dtype=base), inner).copy()
        return made
    if dtype.names is not None and not isinstance(fillvalue, (tuple, np.void, np.ndarray)):
        raise ValueError(f"{fillvalue!r} is no value of the fields {dtype.names}")
    return np.array([fillvalue], dtype=dtype)


def _track(dcpl, track_times, track_order):
    if track_times not in (True, False, None):
        raise TypeError("track_times must be either True or False")
    dcpl.set_obj_track_times(bool(track_times))
    if track_order not in (True, False, None):
        raise TypeError("track_order must be either True or False")
    if track_order:
        dcpl.set_attr_creation_order(TRACKED)


def _space(shape, maxshape):
    if shape is None:
        return h5s.create(h5s.NULL)
    if maxshape is True:
        maxshape = (None,) * len(shape)
    if maxshape is not None:
        maxshape = tuple(h5s.UNLIMITED if limit is None else limit for limit in maxshape)
    return h5s.create_simple(shape, maxshape)


def _access(dapl, efile_prefix, virtual_prefix, cache):
    dapl = h5p.create(h5p.DATASET_ACCESS) if dapl is None else dapl
    if efile_prefix is not None:
        dapl.set_efile_prefix(efile_prefix)
    if virtual_prefix is not None:
        dapl.set_virtual_prefix(virtual_prefix)
    if any(one is not None for one in cache):
        dapl.set_chunk_cache(*cache)
    return dapl


def opened_dset(made, efile_prefix=None, virtual_prefix=None):
    """Puts prefixes into the access properties of an open dataset."""
    made._open_with(_access(made._dapl, efile_prefix, virtual_prefix, (None, None, None)))
    return made


