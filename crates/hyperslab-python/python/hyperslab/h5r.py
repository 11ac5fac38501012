"""References: pointers to objects and to regions of datasets."""

from . import _hints, h5s
from ._nodes import find, node, wrapped
from ._objects import phil, with_phil  # noqa: F401

OBJECT, DATASET_REGION = 0, 1


class Reference:
    """A pointer to an object of a file; false when it points at nothing."""

    typecode = OBJECT
    _region = False
    _length = 8

    def __init__(self, value=None):
        self._bytes = bytes(self._length) if value is None else value._bytes
        self._opened = None if value is None else value._opened

    @classmethod
    def _of(cls, opened, data):
        made = cls()
        made._opened, made._bytes = opened, data
        return made

    def __bool__(self):
        return any(self._bytes)

    def _key(self):
        return self._bytes.rstrip(b"\0")

    def __eq__(self, other):
        return isinstance(other, Reference) and self.typecode == other.typecode and self._key() == other._key()

    def __hash__(self):
        return hash((self.typecode, self._key()))

    def __repr__(self):
        return f"<HDF5 object reference{'' if self else ' (null)'}>"


class RegionReference(Reference):
    """A pointer to a region of a dataset; false when it points at nothing."""

    typecode = DATASET_REGION
    _region = True
    _length = 12

    def __repr__(self):
        return f"<HDF5 region reference{'' if self else ' (null)'}>"


def wrapper(opened):
    """Makes references of a file from their bytes."""

    def wrap(data, region):
        return (RegionReference if region else Reference)._of(opened, data)

    return wrap


def unwrapper(opened):
    """Gives the bytes by which references are stored in a file."""

    def unwrap(value, region, size):
        if value is None or (not isinstance(value, Reference) and not value):
            return bytes(size)
        if not isinstance(value, Reference):
            raise TypeError(f"a reference is expected, not a {type(value).__name__}")
        if value._region != region:
            raise TypeError("cannot convert between references to objects and to regions")
        return value._bytes[:size].ljust(size, b"\0")

    return unwrap


def create(loc, name, ref_type, space=None):
    """A reference to the object at a path, or to what ``space`` selects of a dataset."""
    place = node(find(loc, name))
    place._need()
    if ref_type == OBJECT:
        return Reference._of(place._opened, place._object.address.to_bytes(8, "little"))
    if ref_type != DATASET_REGION:
        raise ValueError(f"there are no references of type {ref_type}")
    if space is None:
        raise ValueError("a reference to a region needs the dataspace that selects it")
    native = place._need_writable("store a region")
    return RegionReference._of(place._opened, native.region(space._selection))


def _found(ref, loc):
    place = node(loc)
    place._need()
    found = place._opened.native.dereference(ref._region, ref._bytes)
    return place, found


def dereference(ref, loc):
    """The object a reference points at, ``None`` for a null one."""
    if not ref:
        return None
    place, found = _found(ref, loc)
    if found is None:
        return None
    return wrapped(place._opened, found[0], _named(place, found[0].address))


def get_region(ref, loc):
    """The dataspace of the dataset a reference points at, with its region selected."""
    if not ref._region:
        raise TypeError("the reference is to an object, not to a region")
    if not ref:
        return None
    _, (found, selection) = _found(ref, loc)
    extent = found.dataset().extent
    return h5s.SpaceID(extent[0], extent[1], selection)


def get_obj_type(ref, loc):
    """The kind of object a reference points at."""
    from . import h5g

    found = dereference(ref, loc)
    return None if found is None else h5g._TYPES[node(found)._object.kind]


def get_name(ref, loc):
    """A path of the object a reference points at."""
    if not ref:
        return None
    place, found = _found(ref, loc)
    return _named(place, found[0].address)


def _named(place, address):
    """A path that leads to the object whose header is at this address."""
    root = place._opened.native.root()
    if root.address == address:
        return b"/"
    seen, groups = {root.address}, [(root, b"/")]
    while groups:
        group, prefix = groups.pop(0)
        for name, target in group.links():
            if target[0] != "hard" or target[1] in seen:
                continue
            if target[1] == address:
                return prefix + name
            seen.add(target[1])
            try:
                found = group.object(name)
            except (OSError, KeyError):
                continue
            if found.kind == "group":
                groups.append((found, prefix + name + b"/"))
    return None


_hints.Reference, _hints.RegionReference = Reference, RegionReference
