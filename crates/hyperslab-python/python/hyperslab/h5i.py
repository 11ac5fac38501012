"""Identifiers: of what kind they are, and of what."""

from . import h5a, h5d, h5f, h5g, h5p, h5s, h5t
from ._nodes import node
from ._objects import phil, with_phil  # noqa: F401

INVALID_HID, BADID = -1, -1
FILE, GROUP, DATATYPE, DATASPACE, DATASET, ATTR, GENPROP_CLS, GENPROP_LST = 1, 2, 3, 4, 5, 7, 10, 11

_KINDS = [
    (h5f.FileID, FILE),
    (h5g.GroupID, GROUP),
    (h5t.TypeID, DATATYPE),
    (h5s.SpaceID, DATASPACE),
    (h5d.DatasetID, DATASET),
    (h5a.AttrID, ATTR),
    (h5p.PropClassID, GENPROP_CLS),
    (h5p.PropInstanceID, GENPROP_LST),
]


def get_type(obj):
    """The kind of an identifier."""
    if not obj.valid:
        return BADID
    return next((number for kind, number in _KINDS if isinstance(obj, kind)), BADID)


def get_name(obj):
    """The path an object was opened by; ``None`` when it has none."""
    try:
        place = node(obj)
    except TypeError:
        return None
    return place._path if place.valid else None


def get_file_id(obj):
    """The file an object is in."""
    place = obj._parent if isinstance(obj, h5a.AttrID) else node(obj)
    if isinstance(place, h5f.FileID):
        return place
    place._need()
    return h5f.FileID(place._opened)


def inc_ref(obj):
    raise NotImplementedError("h5i.inc_ref")


def dec_ref(obj):
    raise NotImplementedError("h5i.dec_ref")


def get_ref(obj):
    return 1 if obj.valid else 0


def wrap_identifier(number):
    raise NotImplementedError("h5i.wrap_identifier")
