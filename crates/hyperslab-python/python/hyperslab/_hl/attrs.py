"""Attributes as a dictionary."""

import numpy as np

from .. import h5, h5a, h5p, h5s, h5t
from . import base
from .base import Empty, is_empty_dataspace, product
from .datatype import Datatype


class AttributeManager(base.MutableMappingHDF5, base.CommonStateObject):
    """The attributes of an object, by name.

    Assigning makes the attribute anew, with the type of the value. ``create`` chooses its type and shape, ``modify`` keeps them.
    """

    def __init__(self, parent):
        self._id = parent.id

    def __getitem__(self, name):
        name = self._e(name)
        value = h5a.value_of(self._id, name)
        if value is not None:
            return value
        attribute = h5a.open(self._id, name)
        shape, dtype = attribute.shape, attribute.dtype
        if shape is None:
            return Empty(dtype)
        array = attribute._elements(dtype)
        array = array.reshape(shape + array.shape[1:])
        if dtype.subdtype is not None:
            dtype = dtype.subdtype[0]
        strings = h5t.check_string_dtype(dtype)
        if strings is not None and strings.length is None and dtype.kind == "O":
            texts = [one.decode("utf-8", "surrogateescape") for one in array.flat]
            array = np.array(texts, dtype=dtype).reshape(array.shape)
        return array[()] if array.ndim == 0 else array

    def get_id(self, name):
        """The low-level identifier of an attribute."""
        return h5a.open(self._id, self._e(name))

    def __setitem__(self, name, value):
        plain = np.asarray(value) if isinstance(value, np.number) else value
        if not h5a.set_value(self._id, self._e(name), plain):
            self.create(name, data=value)

    def __delitem__(self, name):
        h5a.delete(self._id, self._e(name))

    def create(self, name, data, shape=None, dtype=None):
        """Makes an attribute, in the place of one that has this name already.

        ``shape`` and ``dtype`` are those of ``data`` unless given.
        """
        name = self._e(name)
        named = dtype.id if isinstance(dtype, Datatype) else None
        if named is not None:
            dtype = named.dtype
        if not isinstance(data, Empty):
            data = base.array_for_new_object(data, specified_dtype=dtype)
        dtype = data.dtype if dtype is None else np.dtype(dtype)
        shape = data.shape if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        datatype = h5t.py_create(dtype, logical=True) if named is None else named
        if isinstance(data, Empty):
            self._make(name, datatype, h5s.create(h5s.NULL), None)
            return
        shape, data = _shaped(data, shape, dtype)
        if dtype.kind == "S" and data.dtype.kind == "U":
            data = np.char.encode(data, "utf-8")
        if datatype.get_class() not in (h5t.VLEN, h5t.STRING) or dtype.kind != "O":
            data = np.asarray(data, dtype=dtype if dtype.subdtype is None else dtype.subdtype[0])
        self._make(name, datatype, h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR), data)

    def _make(self, name, datatype, space, data):
        h5a._store(h5a.node(self._id), name, datatype, space, data)

    def modify(self, name, value):
        """Changes the value of an attribute and keeps its type; makes it when there is none."""
        if name not in self:
            self[name] = value
            return
        attribute = self.get_id(name)
        if is_empty_dataspace(attribute):
            raise OSError("Empty attributes can't be modified")
        dtype = None if isinstance(value, np.ndarray) else attribute.dtype
        if dtype is not None and dtype.subdtype is not None:
            dtype = dtype.subdtype[0]
        value = np.asarray(value, order="C", dtype=dtype)
        inner = attribute.dtype.subdtype[1] if attribute.dtype.subdtype is not None else ()
        if value.shape != attribute.shape + inner and not (value.size == 1 and product(attribute.shape) == 1):
            raise TypeError(f"data of shape {value.shape} for an attribute of shape {attribute.shape}")
        attribute.write(value)

    def __len__(self):
        return h5a.get_num_attrs(self._id)

    def __iter__(self):
        by_order = self._id.get_create_plist().get_attr_creation_order() & h5p.CRT_ORDER_TRACKED
        names = []
        h5a.iterate(self._id, names.append, index_type=h5.INDEX_CRT_ORDER if by_order else h5.INDEX_NAME)
        yield from map(self._d, names)

    def __reversed__(self):
        yield from reversed(list(self))

    def __contains__(self, name):
        return h5a.exists(self._id, self._e(name))

    def __repr__(self):
        if not self._id:
            return "<Attributes of closed HDF5 object>"
        return f"<Attributes of HDF5 object at {id(self._id)}>"


def _shaped(data, shape, dtype):
    """The shape of the attribute, without the axes that are within its elements, and the data in it."""
    if dtype.subdtype is not None:
        inner = dtype.subdtype[1]
        if shape[len(shape) - len(inner) :] != inner:
            raise ValueError(f"elements of shape {inner} do not make up data of shape {shape}")
        return shape[: len(shape) - len(inner)], data.reshape(shape)
    if product(shape) != product(data.shape):
        raise ValueError(f"an attribute of shape {shape} cannot be made from data of shape {data.shape}")
    return shape, data.reshape(shape)
