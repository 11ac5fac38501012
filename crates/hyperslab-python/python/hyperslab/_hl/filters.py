"""Filters by name, and the chunks that fit a shape."""

import operator
from collections.abc import Mapping

import numpy as np

from .. import h5d, h5f, h5p, h5z
from .compat import filename_encode

_CODES = {
    "gzip": h5z.FILTER_DEFLATE,
    "szip": h5z.FILTER_SZIP,
    "lzf": h5z.FILTER_LZF,
    "shuffle": h5z.FILTER_SHUFFLE,
    "fletcher32": h5z.FILTER_FLETCHER32,
    "scaleoffset": h5z.FILTER_SCALEOFFSET,
}
_FILL_TIMES = {"alloc": h5d.FILL_TIME_ALLOC, "never": h5d.FILL_TIME_NEVER, "ifset": h5d.FILL_TIME_IFSET}
_SZIP_METHODS = {"ec": h5z.SZIP_EC_OPTION_MASK, "nn": h5z.SZIP_NN_OPTION_MASK}

DEFAULT_GZIP = 4
DEFAULT_SZIP = ("nn", 8)


def _able(flag):
    return tuple(name for name, code in _CODES.items() if h5z.filter_avail(code) and h5z.get_filter_info(code) & flag)


decode = _able(h5z.FILTER_CONFIG_DECODE_ENABLED)
encode = _able(h5z.FILTER_CONFIG_ENCODE_ENABLED)


class FilterRefBase(Mapping):
    """A filter and its options, to be given as ``compression=``; subclasses set ``filter_id`` and ``filter_options``."""

    filter_id: "int | None" = None
    filter_options: "tuple" = ()

    @property
    def _keywords(self):
        return {"compression": self.filter_id, "compression_opts": self.filter_options}

    def __getitem__(self, key):
        return self._keywords[key]

    def __iter__(self):
        return iter(self._keywords)

    def __len__(self):
        return len(self._keywords)

    def __eq__(self, other):
        return isinstance(other, FilterRefBase) and self._keywords == other._keywords

    def __hash__(self):
        return hash((self.filter_id, self.filter_options))


class Gzip(FilterRefBase):
    """Deflate, at a level from 0 to 9."""

    filter_id = h5z.FILTER_DEFLATE

    def __init__(self, level=DEFAULT_GZIP):
        self.filter_options = (level,)


def fill_dcpl(plist, shape, dtype, chunks, compression, compression_opts, shuffle, fletcher32, maxshape, scaleoffset,
              external, allow_unknown_filter=False, *, fill_time=None):  # fmt: skip
    """Puts into a property list how a dataset is stored, after checking that it makes sense."""
    if not shape:
        _check_unchunked(shape, maxshape, (chunks, compression, compression_opts, shuffle, fletcher32), scaleoffset)
        return h5p.create(h5p.DATASET_CREATE)
    _check_rank("chunks", chunks, shape)
    _check_rank("maxshape", maxshape, shape)
    if isinstance(compression, FilterRefBase):
        compression, compression_opts = compression.filter_id, compression.filter_options
    compress = _compressor(compression, compression_opts, allow_unknown_filter)
    scale = _scale(scaleoffset, dtype, fletcher32)
    external = _external(external)
    needs_chunks = shuffle or fletcher32 or compression or (maxshape and not external) or scaleoffset is not None
    if chunks is True or (chunks is None and needs_chunks):
        chunks = guess_chunk(shape, maxshape, dtype.itemsize)
    if chunks is not None and chunks is not False:
        plist.set_chunk(chunks)
    if fill_time is not None:
        if fill_time not in _FILL_TIMES:
            raise ValueError(f"fill_time must be one of {', '.join(map(repr, _FILL_TIMES))}, but it is {fill_time!r}")
        plist.set_fill_time(_FILL_TIMES[fill_time])
    # What loses information comes first, checksums come last.
    if scale is not None:
        plist.set_scaleoffset(*scale)
    for entry in external:
        plist.set_external(*entry)
    if shuffle:
        plist.set_shuffle()
    if compress is not None:
        compress(plist)
    if fletcher32:
        plist.set_fletcher32()
    return plist


def _check_unchunked(shape, maxshape, options, scaleoffset):
    what = "Empty" if shape is None else "Scalar"
    if any(options) or scaleoffset is not None:
        raise TypeError(f"{what} datasets don't support chunk/filter options")
    if maxshape and maxshape != ():
        raise TypeError(f"{what} datasets cannot be extended")


def _check_rank(name, given, shape):
    if given is None or given is True or (given is False and name == "chunks"):
        return
    try:
        length = len(tuple(given))
    except TypeError:
        raise TypeError(f"{name!r} argument must be None or a sequence object") from None
    if length != len(shape):
        raise ValueError(f"{name!r} must have same rank as dataset shape")


def _compressor(compression, options, allow_unknown):
    """What sets the compression of a property list."""
    if compression is None:
        if options is not None:
            raise TypeError("compression_opts without compression")
        return None
    if isinstance(compression, int) and not isinstance(compression, bool):
        if not 0 <= compression <= h5z.FILTER_MAX:
            raise ValueError(f"Invalid filter number {compression}")
        if not allow_unknown and not h5z.filter_avail(compression):
            raise ValueError(f"Unknown compression filter number: {compression}")
        if compression == h5z.FILTER_DEFLATE and not options:
            raise IndexError("gzip by its number needs its level in compression_opts")
        return lambda plist: plist.set_filter(compression, h5z.FLAG_OPTIONAL, options)
    if compression not in encode:
        raise ValueError(f'Compression filter "{compression}" is unavailable')
    return {"gzip": _gzip, "lzf": _lzf, "szip": _szip}.get(compression, _unknown)(options)


def _gzip(options):
    level = DEFAULT_GZIP if options is None else options
    if level not in range(10):
        raise ValueError(f"the level of gzip is an integer from 0 to 9, not {options!r}")
    return lambda plist: plist.set_deflate(level)


def _lzf(options):
    if options is not None:
        raise ValueError("LZF compression filter accepts no options")
    return lambda plist: plist.set_filter(h5z.FILTER_LZF, h5z.FLAG_OPTIONAL)


def _szip(options):
    wrong = "SZIP options must be a 2-tuple ('ec'|'nn', even integer 0-32)"
    try:
        method, pixels = DEFAULT_SZIP if options is None else options
    except TypeError:
        raise TypeError(wrong) from None
    if method not in _SZIP_METHODS or not (0 < pixels <= 32 and pixels % 2 == 0):
        raise ValueError(wrong)
    return lambda plist: plist.set_szip(_SZIP_METHODS[method], pixels)


def _unknown(options):
    raise ValueError("this filter is not a compression")


def _scale(scaleoffset, dtype, fletcher32):
    """Kind and factor of the scale-offset filter."""
    if scaleoffset is None:
        return None
    if scaleoffset < 0:
        raise ValueError("scale factor must be >= 0")
    if dtype.kind not in "fui":
        raise TypeError("scale/offset filter only supported for integer and floating-point types")
    if dtype.kind == "f" and scaleoffset is True:
        raise ValueError("integer scaleoffset must be provided for floating point types")
    if fletcher32:
        raise ValueError("fletcher32 cannot be used with potentially lossy scale/offset filter")
    if dtype.kind == "f":
        return h5z.SO_FLOAT_DSCALE, scaleoffset
    return h5z.SO_INT, h5z.SO_INT_MINBITS_DEFAULT if scaleoffset is True else scaleoffset


def _external(external):
    """The entries of raw files: name, offset, size."""
    if external is None:
        return []
    try:
        return [(filename_encode(external), 0, h5f.UNLIMITED)]
    except TypeError:
        return [_external_entry(entry) for entry in external]


def _external_entry(entry):
    if not isinstance(entry, tuple):
        raise TypeError("Each external entry must be a tuple of (name, offset, size)")
    name, offset, size = entry
    return filename_encode(name), operator.index(offset), operator.index(size)


def get_filter_name(code):
    """The name of a filter; its number as text when it has none."""
    return next((name for name, known in _CODES.items() if known == code), str(code))


def get_filters(plist):
    """The filters of a property list by name, with their options."""
    return {get_filter_name(code): _options(code, values) for code, _, values, _ in map(plist.get_filter, range(plist.get_nfilters()))}


def _options(code, values):
    if code == h5z.FILTER_DEFLATE:
        return values[0]
    if code == h5z.FILTER_SZIP:
        method = next((name for name, mask in _SZIP_METHODS.items() if values[0] & mask), None)
        if method is None:
            raise TypeError(f"SZIP with options {values[0]:#x}")
        return method, values[1]
    if code == h5z.FILTER_LZF:
        return None
    return values or None


_SMALLEST, _LARGEST, _ORDINARY = 8 << 10, 1 << 20, 16 << 10


def guess_chunk(shape, maxshape, typesize):
    """A chunk shape for a dataset of this shape.

    The result is h5py's, so that files come out alike: axes are halved in turn until a chunk is near a size that grows with the
    dataset, from 8 KiB to 1 MiB; axes without elements count as 1024.
    """
    if not shape:
        raise ValueError("Chunks not allowed for scalar datasets.")
    chunk = np.array([length or 1024 for length in shape], dtype="f8")
    if not np.all(np.isfinite(chunk)):
        raise ValueError("Illegal value in chunk tuple")
    wanted = _ORDINARY * 2 ** np.log10(np.prod(chunk) * typesize / (1 << 20))
    wanted = min(max(wanted, _SMALLEST), _LARGEST)
    axis = 0
    while np.prod(chunk) > 1:
        size = np.prod(chunk) * typesize
        if size < _LARGEST and (size < wanted or abs(size - wanted) / wanted < 0.5):
            break
        chunk[axis] = np.ceil(chunk[axis] / 2)
        axis = (axis + 1) % len(chunk)
    return tuple(int(length) for length in chunk)
