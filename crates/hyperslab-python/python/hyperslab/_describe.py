"""From the description of an HDF5 datatype to a numpy dtype, and back.

A description is a nested tuple: the name of the class, then its properties, as the engine gives and takes it. In the file a
string of any length takes 16 bytes, in libhdf5's memory 8; both layouts of a compound follow from its description.
"""

import numpy as np

from . import _hints
from .h5 import get_config

LITTLE, BIG = 0, 1
OBJECT_TAG = b"PYTHON:OBJECT"
_DTYPE_TAG = b"NUMPY:"
_ORDERS = {0: "<", 1: ">"}

# offset, precision, sign, exponent position and size, bias, mantissa position and size, normalization
_FLOATS = {
    2: (0, 16, 15, 10, 5, 15, 0, 10, 0),
    4: (0, 32, 31, 23, 8, 127, 0, 23, 0),
    8: (0, 64, 63, 52, 11, 1023, 0, 52, 0),
    16: (0, 80, 79, 64, 15, 16383, 0, 64, 2),
}
QUADRUPLE = (0, 128, 127, 112, 15, 16383, 0, 112, 0)


def integer(size, signed, order=LITTLE):
    return ("integer", size, order, bool(signed), size * 8, 0)


def floating(size, order=LITTLE):
    return ("float", size, order, _FLOATS[size])


def boolean():
    names = get_config()
    return ("enum", integer(1, True), ((names._f_name, 0), (names._t_name, 1)))


def file_size(of):
    """Bytes of an element in the file."""
    kind = of[0]
    if kind == "enum":
        return file_size(of[1])
    if kind in ("vlen", "vlen_string"):
        return 16
    if kind == "array":
        return file_size(of[1]) * int(np.prod(of[2], dtype=np.int64))
    if kind == "complex":
        return 2 * file_size(of[1])
    return of[1]


def moves(of):
    """Whether an element has another size in libhdf5's memory than in the file, or a place in a file."""
    kind = of[0]
    if kind in ("vlen", "vlen_string", "reference"):
        return True
    if kind == "compound":
        return any(moves(member) for _, _, member in of[2])
    return kind == "array" and moves(of[1])


def members(of):
    """Name, offset in memory and description of each member of a compound."""
    if not moves(of):
        return list(of[2])
    placed, shift = [], 0
    for name, offset, member in sorted(of[2], key=lambda member: member[1]):
        placed.append((name, offset + shift, member))
        shift += size(member) - file_size(member)
    return placed


def size(of):
    """Bytes of an element in libhdf5's memory."""
    kind = of[0]
    if kind == "vlen_string":
        return 8
    if kind == "array":
        return size(of[1]) * int(np.prod(of[2], dtype=np.int64))
    if kind == "compound" and moves(of):
        return of[1] + sum(size(member) - file_size(member) for _, _, member in of[2])
    return file_size(of)


def _order(of):
    try:
        return _ORDERS[of[2]]
    except KeyError:
        raise TypeError("numpy has no numbers in VAX order") from None


def _float_dtype(of):
    """The smallest float of numpy that has all values of this one."""
    _, bits, _, _, exponent, bias, _, mantissa, _ = of[3]
    for candidate in (np.float16, np.float32, np.float64, np.longdouble):
        info = np.finfo(candidate)
        digits = 64 if info.nmant == 63 else info.nmant
        fits = np.dtype(candidate).itemsize >= of[1] and mantissa <= digits
        if fits and 2**exponent - bias - 1 <= info.maxexp and 1 - bias >= info.minexp:
            return np.dtype(candidate).newbyteorder(_order(of))
    raise ValueError(f"numpy has no float for one of {bits} bits")


def _compound_dtype(of):
    names, offsets, formats = [], [], []
    for name, offset, member in members(of):
        names.append(name)
        offsets.append(offset)
        formats.append(dtype(member))
    complex_names = get_config()
    complex_pair = names == [complex_names._r_name, complex_names._i_name] and formats[0] == formats[1]
    if complex_pair and formats[0].kind == "f" and formats[0].itemsize > 2:
        return np.dtype(f"{formats[0].byteorder}c{formats[0].itemsize * 2}".replace("=", "<"))
    names = [name.decode("utf-8", "surrogateescape") for name in names]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size(of)})


def _enum_dtype(of):
    names = get_config()
    values = dict(of[2])
    if values == {names._f_name: 0, names._t_name: 1}:
        return np.dtype("bool")
    named = {name.decode("utf-8", "surrogateescape"): value for name, value in of[2]}
    return _hints.enum_dtype(named, dtype(of[1]))


def _opaque_dtype(of):
    tag = of[2]
    if tag.startswith(_DTYPE_TAG):
        return np.dtype(tag[len(_DTYPE_TAG) :].decode("ascii"), metadata={"h5py_opaque": True})
    if tag == OBJECT_TAG and of[1] == 8:
        return np.dtype("O")
    return np.dtype(f"V{of[1]}")


def _reference_dtype(of):
    kinds = {"object": _hints.Reference, "region": _hints.RegionReference}
    if of[2] not in kinds:
        raise TypeError(f"numpy has no dtype for references of kind {of[2]!r}")
    return _hints.special_dtype(ref=kinds[of[2]])


def _time_dtype(of):
    raise TypeError("numpy has no dtype for HDF5 times")


_ENCODINGS = {0: "ascii", 1: "utf-8"}

_DTYPES = {
    "integer": lambda of: np.dtype(f"{_order(of)}{'i' if of[3] else 'u'}{of[1]}"),
    "bitfield": lambda of: np.dtype(f"{_order(of)}u{of[1]}"),
    "float": _float_dtype,
    "time": _time_dtype,
    "string": lambda of: _hints.string_dtype(_ENCODINGS[of[3]], of[1]),
    "vlen_string": lambda of: _hints.string_dtype(_ENCODINGS[of[2]]),
    "opaque": _opaque_dtype,
    "compound": _compound_dtype,
    "reference": _reference_dtype,
    "enum": _enum_dtype,
    "vlen": lambda of: _hints.vlen_dtype(dtype(of[1])),
    "array": lambda of: np.dtype((dtype(of[1]), tuple(of[2]))),
    "complex": lambda of: np.dtype(f"{dtype(of[1]).byteorder}c{2 * dtype(of[1]).itemsize}".replace("=", "<")),
}


def dtype(of):
    """The numpy dtype of a description."""
    return _DTYPES[of[0]](of)


def _byte_order(dt):
    return BIG if dt.byteorder == ">" or (dt.byteorder == "=" and np.little_endian is False) else LITTLE


def describe(dt, logical=True, aligned=False):
    """The description of a numpy dtype.

    Without ``logical``, objects are described as the pointers numpy has for them, not as what HDF5 stores.
    """
    dt = np.dtype(dt)
    if dt.subdtype is not None:
        base, shape = dt.subdtype
        return ("array", describe(base, logical), tuple(int(n) for n in shape))
    if _hints.check_opaque_dtype(dt):
        return ("opaque", dt.itemsize, _DTYPE_TAG + dt.str.encode("ascii"))
    maker = _DESCRIPTIONS.get(dt.kind)
    if maker is None:
        raise TypeError(f"No conversion path for dtype: {dt!r}")
    return maker(dt, logical)


def _described_integer(dt, _):
    base = integer(dt.itemsize, dt.kind == "i", _byte_order(dt))
    values = _hints.check_enum_dtype(dt)
    if values is None:
        return base
    return ("enum", base, tuple((name.encode("utf-8"), int(value)) for name, value in values.items()))


def _described_complex(dt, _):
    part = floating(dt.itemsize // 2, _byte_order(dt))
    names = get_config()
    half = dt.itemsize // 2
    return ("compound", dt.itemsize, ((names._r_name, 0, part), (names._i_name, half, part)))


def _described_string(dt, _):
    encoding = _hints.check_string_dtype(dt).encoding
    return ("string", max(dt.itemsize, 1), 1, 1 if encoding == "utf-8" else 0)


def _described_object(dt, logical):
    vlen, ref = _hints.check_vlen_dtype(dt), _hints.check_ref_dtype(dt)
    if vlen is None and ref is None:
        if not logical:
            return ("opaque", 8, OBJECT_TAG)
        raise TypeError(f"Object dtype {dt!r} has no native HDF5 equivalent")
    if not logical:
        return ("opaque", 8, OBJECT_TAG) if ref is None else ("reference", 8, "object")
    if ref is not None:
        return ("reference", 8, "object") if ref is _hints.Reference else ("reference", 12, "region")
    if vlen is str:
        return ("vlen_string", 0, 1)
    if vlen is bytes:
        return ("vlen_string", 0, 0)
    return ("vlen", describe(vlen, logical))


def _described_void(dt, logical):
    if dt.names is None:
        return ("opaque", max(dt.itemsize, 1), b"")
    fields = [(name, dt.fields[name][1], dt.fields[name][0]) for name in dt.names]
    if logical and dt.hasobject:
        if dt.isalignedstruct:
            raise TypeError("a compound with elements of variable length cannot be aligned as numpy aligns it")
        return _packed(fields)
    if not fields:
        raise ValueError("a compound needs at least one member")
    described = tuple((name.encode("utf-8"), offset, describe(of, logical)) for name, offset, of in fields)
    return ("compound", dt.itemsize, described)


def _packed(fields):
    """Members right behind one another, at the sizes they have in the file."""
    described, end = [], 0
    for name, _, of in fields:
        member = describe(of)
        described.append((name.encode("utf-8"), end, member))
        end += file_size(member)
    return ("compound", end, tuple(described))


_DESCRIPTIONS = {
    "i": _described_integer,
    "u": _described_integer,
    "f": lambda dt, _: floating(dt.itemsize, _byte_order(dt)),
    "c": _described_complex,
    "b": lambda dt, _: boolean(),
    "S": _described_string,
    "O": _described_object,
    "V": _described_void,
    "T": lambda dt, logical: ("vlen_string", 0, 1) if logical else ("opaque", 8, OBJECT_TAG),
}
