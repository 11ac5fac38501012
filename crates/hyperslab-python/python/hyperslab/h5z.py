"""Filters: what is done to chunks on the way to the file."""

FILTER_ERROR, FILTER_NONE, FILTER_ALL, FILTER_MAX, FILTER_RESERVED = -1, 0, 0, 65535, 256
FILTER_DEFLATE, FILTER_SHUFFLE, FILTER_FLETCHER32, FILTER_SZIP, FILTER_NBIT, FILTER_SCALEOFFSET = range(1, 7)
FILTER_LZF = 32000
FLAG_MANDATORY, FLAG_OPTIONAL, FLAG_DEFMASK, FLAG_INVMASK, FLAG_REVERSE, FLAG_SKIP_EDC = 0, 1, 0xFF, 0xFF00, 0x100, 0x200
FILTER_CONFIG_ENCODE_ENABLED, FILTER_CONFIG_DECODE_ENABLED = 1, 2
SZIP_ALLOW_K13_OPTION_MASK, SZIP_CHIP_OPTION_MASK, SZIP_EC_OPTION_MASK, SZIP_NN_OPTION_MASK = 1, 2, 4, 32
SZIP_MAX_PIXELS_PER_BLOCK = 32
SO_FLOAT_DSCALE, SO_FLOAT_ESCALE, SO_INT, SO_INT_MINBITS_DEFAULT = 0, 1, 2, 0
ERROR_EDC, DISABLE_EDC, ENABLE_EDC, NO_EDC = -1, 0, 1, 2
CLASS_T_VERS = 1

_BOTH = FILTER_CONFIG_ENCODE_ENABLED | FILTER_CONFIG_DECODE_ENABLED
_DECODE = FILTER_CONFIG_DECODE_ENABLED

#: Registered numbers of the filters that are built in, and whether they encode.
_built_in = {
    FILTER_DEFLATE: _BOTH,
    FILTER_SHUFFLE: _BOTH,
    FILTER_FLETCHER32: _BOTH,
    FILTER_SZIP: _BOTH,
    FILTER_NBIT: _BOTH,
    FILTER_SCALEOFFSET: _BOTH,
    FILTER_LZF: _BOTH,
    307: _DECODE,  # bzip2
    32001: _DECODE,  # blosc
    32004: _BOTH,  # lz4
    32008: _BOTH,  # bitshuffle
    32015: _BOTH,  # zstd
}


#: Names of filters that files do not always name.
names = {
    FILTER_DEFLATE: b"deflate",
    FILTER_SHUFFLE: b"shuffle",
    FILTER_FLETCHER32: b"fletcher32",
    FILTER_SZIP: b"szip",
    FILTER_NBIT: b"nbit",
    FILTER_SCALEOFFSET: b"scaleoffset",
    FILTER_LZF: b"lzf",
}


def filter_avail(filter_code):
    """Whether there is a filter with this number."""
    return filter_code in _built_in


def get_filter_info(filter_code):
    """Whether a filter encodes and decodes."""
    try:
        return _built_in[filter_code]
    except KeyError:
        raise RuntimeError(f"Filter info not retrieved: there is no filter {filter_code}") from None


def register_filter(cls_pointer_address):
    raise NotImplementedError("h5z.register_filter: filters are built into the engine")


def unregister_filter(filter_code):
    """Makes a filter unavailable to what is created from now on; the engine still reads what it was applied to."""
    if filter_code not in _built_in:
        raise RuntimeError(f"there is no filter {filter_code}")
    del _built_in[filter_code]
    return True
