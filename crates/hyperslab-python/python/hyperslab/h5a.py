"""Attributes: small named values on objects."""

import numpy as np

from . import _convert, h5r, h5s, h5t
from ._nodes import NodeID, encoded, find, node
from ._objects import ObjectID, phil, with_phil  # noqa: F401


class AttrInfo:
    """What :func:`get_info` tells of an attribute."""

    def __init__(self, attr):
        self.corder_valid = False
        self.corder = 0
        self.cset = 0
        self.data_size = attr.get_storage_size()


class AttrID(ObjectID):
    """An attribute."""

    def __init__(self, parent, native):
        super().__init__()
        self._parent = parent
        self._attribute = native
        self._type = None

    @property
    def valid(self):
        return not self._closed and self._parent.valid

    def _key(self):
        return self._parent._key(), self.name

    @property
    def name(self):
        return self._attribute.name

    def get_name(self):
        return self._attribute.name

    @property
    def shape(self):
        extent = self._attribute.extent
        return None if extent is None else tuple(extent[0])

    @property
    def dtype(self):
        return self.get_type().dtype

    def get_type(self):
        if self._type is None:
            named = self._attribute.named_datatype()
            place = None if named is None else NodeID(self._parent._opened, named, None)
            self._type = h5t.of_native(self._attribute.datatype, place)
        return self._type

    def get_space(self):
        extent = self._attribute.extent
        return h5s.SpaceID(None) if extent is None else h5s.SpaceID(*extent)

    def get_storage_size(self):
        extent = self._attribute.extent
        count = 0 if extent is None else int(np.prod(extent[0], dtype=np.int64))
        return count * self._attribute.datatype.size

    def _elements(self, dt):
        """All elements, in one dimension."""
        of = self.get_type()._of
        opened = self._parent._opened
        if _convert.is_plain(dt) and not self._attribute.datatype.has_reference:
            base, inner = _convert.parts(dt)
            data = self._attribute.read(_convert.native_type(dt))
            return np.frombuffer(bytearray(data), dtype=base).reshape(-1, *inner)
        values = self._attribute.values()
        return _convert.array_of(values, dt, of, h5r.wrapper(opened))

    def read(self, arr, mtype=None):
        """Reads the whole attribute into ``arr``."""
        dt = arr.dtype if mtype is None or arr.dtype.hasobject else mtype.dtype
        arr[...] = self._elements(dt).reshape(arr.shape)

    def write(self, arr, mtype=None):
        """Writes the whole attribute from ``arr``."""
        self._parent._need_writable("write an attribute")
        self._attribute = _store(self._parent, self.name, self.get_type(), self.get_space(), np.asarray(arr))


def value_of(loc, name):
    """The value of an attribute of numbers or of one text, in one step; ``None`` when it needs more."""
    return node(loc)._need().attribute_value(name)


def set_value(loc, name, value):
    """Sets an attribute to a number, numbers or a text, in one step; ``False`` when it needs more."""
    return node(loc)._need_writable("create an attribute", OSError).set_attribute_value(name, value)


def _store(parent, name, datatype, space, array):
    """Puts an attribute in the place of one of the same name, if there is one."""
    native = parent._need_writable("create an attribute", OSError)
    dims, kind = space._dims, _typed(parent, datatype)
    if array is None or dims is None:
        return native.set_attribute(name, kind, dims, None)
    of = datatype._of
    flat = np.ascontiguousarray(array).reshape(-1)
    if _convert.is_plain(array.dtype) and not _has_heap(of):
        memory = _convert.native_type(np.dtype((array.dtype, tuple(of[2]))) if of[0] == "array" else array.dtype)
        flat = flat.view(np.uint8) if flat.size else np.zeros(0, np.uint8)
        return native.set_attribute(name, kind, dims, (memory, flat))
    if of[0] == "array":
        flat = flat.reshape(-1, *of[2]) if array.dtype.kind != "O" else flat
    values = _convert.values_of(flat, of, h5r.unwrapper(parent._opened))
    return native.set_attribute_values(name, kind, dims, values)


def _typed(parent, datatype):
    """The engine's datatype, and the object of the same file that has its name, if there is one."""
    place = getattr(datatype, "_node", None)
    named = place._need() if place is not None and place._opened.shared is parent._opened.shared else None
    return datatype._native, named


def _has_heap(of):
    kind = of[0]
    if kind == "compound":
        return any(_has_heap(member) for _, _, member in of[2])
    return kind in ("vlen", "vlen_string", "reference") or (kind == "array" and _has_heap(of[1]))


def _attributes(loc, by_order=False):
    return node(loc)._need().attributes(by_order)


def open(loc, name=None, index=-1, *, obj_name=b".", lapl=None, index_type=0, order=0):
    """The attribute of that name, or with that number."""
    place = node(find(loc, obj_name))
    if name is None:
        found = _attributes(place, bool(index_type))
        if not 0 <= index < len(found):
            raise KeyError(f"there is no attribute with number {index}")
        return AttrID(place, found[index])
    wanted = encoded(name)
    found = place._need().attribute(wanted)
    if found is None:
        raise KeyError(f"Unable to synchronously open attribute (can't locate attribute: {wanted.decode('utf-8', 'replace')!r})")
    return AttrID(place, found)


def create(loc, name, tid, space, *, obj_name=b".", lapl=None):
    """A new attribute, of zeroes until it is written."""
    place = node(find(loc, obj_name))
    name = encoded(name)
    native = place._need_writable("create an attribute", OSError)
    if native.attribute(name) is not None:
        raise RuntimeError(f"Unable to synchronously create attribute (attribute already exists: {name!r})")
    return AttrID(place, native.set_attribute(name, _typed(place, tid), space._dims, None))


def exists(loc, name, *, obj_name=b".", lapl=None):
    """Whether there is an attribute of that name."""
    return node(find(loc, obj_name))._need().attribute(encoded(name)) is not None


def rename(loc, name, new_name, *, obj_name=b".", lapl=None):
    """Gives an attribute another name."""
    node(find(loc, obj_name))._need_writable("rename an attribute").rename_attribute(encoded(name), encoded(new_name))


def delete(loc, name=None, index=-1, *, obj_name=b".", lapl=None, index_type=0, order=0):
    """Removes an attribute."""
    place = node(find(loc, obj_name))
    if name is None:
        name = open(place, index=index, index_type=index_type).name
    native = place._need_writable("delete an attribute")
    if native.attribute(encoded(name)) is None:
        raise KeyError(f"Unable to synchronously delete attribute (can't locate attribute: {encoded(name).decode('utf-8', 'replace')!r})")
    native.delete_attribute(encoded(name))


def get_num_attrs(loc):
    """How many attributes an object has."""
    return len(_attributes(loc))


def get_info(loc, name=None, index=-1, **options):
    """How large an attribute is."""
    return AttrInfo(open(loc, name, index, **options))


def iterate(loc, func, index=0, *, index_type=0, order=0, info=False):
    """Calls ``func`` with the name of each attribute until it gives something."""
    found = _attributes(loc, bool(index_type))
    found = found[::-1] if order == 1 else found
    for attribute in found[index:]:
        opened = AttrID(node(loc), attribute)
        result = func(opened.name, AttrInfo(opened)) if info else func(opened.name)
        if result is not None:
            return result
    return None


