"""Between the plain values that the engine gives and takes and numpy arrays, for types that numpy keeps as objects."""

import numpy as np

from . import _describe, _hints, _native


def native_type(dt):
    """The engine's datatype for numpy arrays of ``dt``, which holds no objects."""
    return _native.Datatype(_describe.describe(dt))


def is_plain(dt):
    """Whether numpy keeps elements of ``dt`` in the array itself."""
    return not dt.hasobject and dt.kind != "T"


def parts(dt):
    """The dtype of what the array has in the end, and the axes that are within an element."""
    inner = ()
    while dt.subdtype is not None:
        dt, axes = dt.subdtype
        inner += axes
    return dt, inner


def array_of(values, dt, of, wrap):
    """A one-dimensional array of ``dt`` with ``values``, which are of the datatype ``of`` describes.

    ``wrap`` makes a reference from its bytes and whether it is to a region.
    """
    if dt.subdtype is not None:
        base, shape = dt.subdtype
        flat = [element for value in values for element in value]
        return array_of(flat, base, of[1], wrap).reshape((len(values), *shape))
    if of[0] == "array":
        of = of[1]
    if dt.names is not None:
        return _records(values, dt, of, wrap)
    if dt.kind == "O":
        return _objects(values, dt, of, wrap)
    if dt.kind == "T":
        return np.array([value.decode("utf-8", "surrogateescape") for value in values], dtype=dt)
    if dt.kind == "V":
        return np.frombuffer(b"".join(value[: dt.itemsize].ljust(dt.itemsize, b"\0") for value in values), dtype=dt)
    if dt.kind in "mM":
        return np.frombuffer(b"".join(values), dtype=dt)
    if values and isinstance(values[0], bytes) and dt.kind in "iufcb":
        raise TypeError(f"numbers of more than 16 bytes cannot become {dt}")
    if values and isinstance(values[0], str):
        return np.array([np.longdouble(value) for value in values], dtype=dt)
    return np.array(values, dtype=dt)


def _records(values, dt, of, wrap):
    out = np.zeros(len(values), dtype=dt)
    places = {name.decode("utf-8", "surrogateescape"): at for at, (name, _, _) in enumerate(of[2])}
    for name in dt.names:
        at = places[name]
        column = [value[at] for value in values]
        out[name] = array_of(column, dt[name], of[2][at][2], wrap)
    return out


def _objects(values, dt, of, wrap):
    if of[0] == "reference":
        region = of[2] == "region"
        return _object_array((wrap(value, region) for value in values), dt)
    vlen = _hints.check_vlen_dtype(dt)
    if vlen in (str, bytes) or vlen is None:
        return _object_array(values, dt)
    base = np.dtype(vlen)
    return _object_array((array_of(value, base, of[1], wrap) for value in values), dt)


def _object_array(values, dt):
    values = list(values)
    return np.fromiter(values, dtype=dt, count=len(values))


def values_of(array, of, unwrap):
    """The plain values of a one-dimensional array, for elements that ``of`` describes.

    ``unwrap`` gives the bytes of a reference.
    """
    kind = of[0]
    if kind == "array":
        count = int(np.prod(of[2], dtype=np.int64))
        if array.dtype.kind == "O" and array.ndim == 1:
            return [values_of(np.asarray(one).ravel(), of[1], unwrap) for one in array]
        rows = array.reshape((len(array), count))
        return [values_of(row, of[1], unwrap) for row in rows]
    if kind == "compound" and array.dtype.names is not None:
        columns = [values_of(array[name.decode("utf-8", "surrogateescape")], member, unwrap) for name, _, member in of[2]]
        return list(zip(*columns))
    if kind == "vlen_string":
        return [encoded(value, of[2]) for value in array]
    if kind == "vlen":
        return [_sequence(value, of[1], unwrap) for value in array]
    if kind == "reference":
        return [unwrap(value, of[2] == "region", of[1]) for value in array]
    if kind == "string":
        return [value if isinstance(value, bytes) else encoded(value, of[3]) for value in array.tolist()]
    if kind == "opaque":
        return [bytes(value) for value in array]
    return array.tolist()


def encoded(value, characters):
    """The bytes of a string to store."""
    if isinstance(value, str):
        data = value.encode("utf-8" if characters else "ascii", "surrogateescape")
    elif isinstance(value, bytes):
        data = value
    elif value is None or (isinstance(value, (int, float, np.generic)) and not value):
        data = b""
    else:
        data = str(value).encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise ValueError("VLEN strings do not support embedded NULLs")
    return data


def _sequence(value, of, unwrap):
    if value is None or (np.isscalar(value) and not isinstance(value, (str, bytes)) and not value):
        return []
    dt = _describe.dtype(of)
    if dt.subdtype is not None:
        base, shape = dt.subdtype
        array = np.asarray(value, dtype=base).reshape((-1, *shape))
        return [values_of(one.ravel(), of[1], unwrap) for one in array]
    array = np.asarray(value, dtype=dt) if dt.kind != "O" else np.asarray(value, dtype=object)
    return values_of(array.ravel(), of, unwrap)
