"""numpy dtypes that stand for HDF5 types numpy has no dtype of its own for.

The meaning is in the dtype's metadata, under the names h5py uses, so that arrays made with either are understood by both.
"""

from typing import NamedTuple

import numpy as np

# The classes of references and the options of the package, which come from modules that need this one.
Reference = RegionReference = get_config = None


class string_info(NamedTuple):
    """How a string is stored: its encoding, and its length in bytes or ``None`` for any length."""

    encoding: str
    length: "int | None"


def _hint(dtype, key):
    return (getattr(dtype, "metadata", None) or {}).get(key)


def string_dtype(encoding="utf-8", length=None):
    """The dtype of HDF5 strings.

    ``length=None`` gives strings of any length, which numpy keeps as objects; a number gives strings in that many bytes.
    """
    encoding = {"utf-8": "utf-8", "utf8": "utf-8", "ascii": "ascii"}.get(encoding)
    if encoding is None:
        raise ValueError("the encoding of a string is 'utf-8' or 'ascii'")
    if length is None:
        return np.dtype("O", metadata={"vlen": str if encoding == "utf-8" else bytes})
    if isinstance(length, (int, np.integer)) and not isinstance(length, bool):
        return np.dtype(f"S{length}", metadata={"h5py_encoding": encoding})
    raise TypeError(f"the length of a string is an integer or None, not {length!r}")


def vlen_dtype(basetype):
    """The dtype of sequences of any number of elements of ``basetype``."""
    return np.dtype("O", metadata={"vlen": basetype})


def enum_dtype(values_dict, basetype=np.uint8):
    """The dtype of integers of which some have names: ``values_dict`` maps names to values."""
    dtype = np.dtype(basetype)
    if not np.issubdtype(dtype, np.integer):
        raise TypeError("only integers can have names")
    return np.dtype(dtype, metadata={"enum": values_dict})


def opaque_dtype(np_dtype):
    """The dtype stored as opaque bytes tagged with its numpy name: for datetimes and other kinds HDF5 lacks."""
    dtype = np.dtype(np_dtype)
    if np.issubdtype(dtype, np.object_):
        raise TypeError("objects cannot be stored as opaque bytes")
    if dtype.names is not None:
        raise TypeError("a structured dtype cannot be stored as opaque bytes")
    if dtype.subdtype is not None:
        raise TypeError("an array dtype cannot be stored as opaque bytes")
    if dtype.itemsize == 0:
        raise TypeError("a dtype of no bytes cannot be stored as opaque bytes")
    return np.dtype(dtype, metadata={"h5py_opaque": True})


def complex_compat_dtype(complex_dtype):
    """A structured dtype by which complex numbers are stored as a compound of two floats."""
    dtype = np.dtype(complex_dtype)
    if dtype.kind != "c":
        raise TypeError(f"{dtype} is not complex")
    part = np.dtype(f"{dtype.byteorder}f{dtype.itemsize // 2}")
    return np.dtype([(name, part) for name in get_config().complex_names])


def check_complex_dtype(dtype):
    """The complex dtype that ``dtype`` stands for, or ``None``."""
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        return dtype
    if dtype.names == get_config().complex_names:
        first, second = (dtype[name] for name in dtype.names)
        if first == second and first.kind == "f":
            return np.dtype(f"{first.byteorder}c{first.itemsize * 2}")
    return None


def check_string_dtype(dt):
    """How strings of this dtype are stored, as a :class:`string_info`; ``None`` for any other dtype."""
    vlen = check_vlen_dtype(dt)
    if vlen is str:
        return string_info("utf-8", None)
    if vlen is bytes:
        return string_info("ascii", None)
    if getattr(dt, "kind", None) == "T":
        return string_info("utf-8", None)
    if getattr(dt, "kind", None) == "S":
        return string_info(_hint(dt, "h5py_encoding") or "ascii", dt.itemsize)
    return None


def check_vlen_dtype(dt):
    """What the sequences of this dtype are made of, ``str`` or ``bytes`` for strings; ``None`` for any other dtype."""
    return _hint(dt, "vlen")


def check_enum_dtype(dt):
    """The dictionary of names and values of this dtype, or ``None``."""
    return _hint(dt, "enum")


def check_opaque_dtype(dt):
    """Whether this dtype is to be stored as opaque bytes."""
    return bool(_hint(dt, "h5py_opaque"))


def check_ref_dtype(dt):
    """``Reference`` or ``RegionReference`` for dtypes of references, else ``None``."""
    return _hint(dt, "ref")


def special_dtype(**kwds):
    """Old way to make a special dtype: exactly one of ``vlen=``, ``enum=(basetype, dict)`` and ``ref=``."""
    if len(kwds) != 1:
        raise TypeError("exactly one keyword must be given")
    name, value = kwds.popitem()
    if name not in ("vlen", "enum", "ref"):
        raise TypeError(f'unknown special type "{name}"')
    if name == "vlen":
        return np.dtype("O", metadata={"vlen": value})
    if name == "enum":
        try:
            base, values = value
        except (TypeError, ValueError):
            raise TypeError("an enumeration is given as (basetype, dictionary)") from None
        return enum_dtype(values, base)
    if value not in (Reference, RegionReference):
        raise ValueError("a reference is a Reference or a RegionReference")
    return np.dtype("O", metadata={"ref": value})


def check_dtype(**kwds):
    """Old way to ask for a special dtype: exactly one of ``vlen=``, ``enum=`` and ``ref=``, each with a dtype."""
    if len(kwds) != 1:
        raise TypeError("exactly one keyword must be given")
    name, dt = kwds.popitem()
    if name not in ("vlen", "enum", "ref"):
        raise TypeError(f'unknown special type "{name}"')
    return _hint(dt, name)
