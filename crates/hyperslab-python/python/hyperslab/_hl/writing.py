"""From what is assigned to a part of a dataset to an array of its elements."""

import numpy as np

from .. import h5t
from .base import _element_type


def elements(value, dtype):
    """``value`` as an array whose elements the engine can take for ``dtype``."""
    if dtype.subdtype is not None:
        return _arrays(value, dtype)
    vlen = h5t.check_vlen_dtype(dtype)
    if vlen is not None and vlen not in (str, bytes):
        return _sequences(value, np.dtype(vlen))
    if dtype.kind == "O":
        return np.asarray(value, dtype=dtype, order="C")
    if dtype.kind == "V" and not (isinstance(value, np.ndarray) and value.dtype.kind == "V"):
        return np.asarray(value, dtype=dtype, order="C")
    if dtype.kind == "S" and not isinstance(value, (bytes, np.bytes_)):
        return _strings(value, dtype)
    given = None if isinstance(value, np.ndarray) else dtype
    array = np.asarray(value, dtype=given, order="C")
    if array.dtype.kind in "OU":
        array = array.astype(dtype)
    return array


def _strings(value, dtype):
    """Fixed strings, from bytes or text."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "S":
        return value
    array = np.asarray(value, dtype=object if _element_type(value) is str else None)
    if array.dtype.kind == "U" and isinstance(value, np.ndarray):
        raise TypeError(f"no conversion from {array.dtype} to fixed strings; encode them, or use dtype=object")
    if array.dtype.kind in "OUT":
        encoded = [one.encode("utf-8") if isinstance(one, str) else one for one in array.astype(object).flat]
        array = np.array(encoded, dtype=dtype).reshape(array.shape)
    return array


def _arrays(value, dtype):
    """Elements that are arrays themselves: their axes are the last ones."""
    base, inner = dtype.subdtype
    array = np.asarray(value, order="C", dtype=None if isinstance(value, np.ndarray) else base)
    if array.shape[array.ndim - len(inner) :] != inner:
        found = array.shape[-len(inner) :]
        raise TypeError(f"the last axes of what is written must be {inner}, the shape of an element, not {found}")
    return array


def _sequences(value, base):
    """Sequences of any length, each an element of an array of objects."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "O" and base.kind != "O":
        return value if value.ndim or value.dtype.kind != "O" else value.reshape(())
    try:
        array = np.asarray(value, dtype=base)
    except (ValueError, TypeError):
        return _listed(value)
    if array.ndim <= 1:
        made = np.empty((), dtype=object)
        made[()] = np.atleast_1d(array)
        return made
    rows = array.reshape(-1, array.shape[-1])
    return np.fromiter(rows, dtype=object, count=len(rows)).reshape(array.shape[:-1])


def _listed(value):
    value = list(value)
    made = np.empty(len(value), dtype=object)
    for at, one in enumerate(value):
        made[at] = one
    return made


def fitted(shape, lengths):
    """The shape with as many axes as ``lengths`` that data of ``shape`` has for it.

    Axes are matched from the last; those of length 1 may be missing on either side.
    """
    left, matched = list(shape), []
    for length in reversed(lengths):
        if left and (left[-1] == length or (left[-1] == 1 and length != 1)):
            matched.append(left.pop())
        elif not left or length == 1:
            matched.append(1)
        else:
            raise TypeError(f"Can't broadcast {tuple(shape)} -> {tuple(lengths)}")
    if any(length != 1 for length in left):
        raise TypeError(f"Can't broadcast {tuple(shape)} -> {tuple(lengths)}")
    return tuple(reversed(matched))


def spread(array, inner, chosen):
    """The array with as many elements as are selected; the last ``inner`` axes are within an element."""
    rank = array.ndim - inner
    outer, own = array.shape[:rank], array.shape[rank:]
    if inner and outer == () and chosen.array_shape != ():
        raise TypeError("Scalar broadcasting is not supported for array dtypes")
    lengths = chosen.mshape
    matched = fitted(outer, chosen.array_shape)
    if len(matched) == len(lengths):
        return np.broadcast_to(array.reshape(matched + own), tuple(lengths) + own)
    return np.broadcast_to(array.reshape(matched + own), tuple(chosen.array_shape) + own)
