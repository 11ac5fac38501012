"""Objects: what groups, datasets and named datatypes have in common."""

from functools import partial

from ._nodes import encoded, find, has_link, joined, node, parent_of, wrapped
from ._objects import phil, with_phil  # noqa: F401

TYPE_GROUP, TYPE_DATASET, TYPE_NAMED_DATATYPE = 0, 1, 2
COPY_SHALLOW_HIERARCHY_FLAG = 1
COPY_EXPAND_SOFT_LINK_FLAG = 2
COPY_EXPAND_EXT_LINK_FLAG = 4
COPY_EXPAND_REFERENCE_FLAG = 8
COPY_WITHOUT_ATTR_FLAG = 16
COPY_PRESERVE_NULL_FLAG = 32

_TYPES = {"group": TYPE_GROUP, "dataset": TYPE_DATASET, "datatype": TYPE_NAMED_DATATYPE}


class ObjInfo:
    """What :func:`get_info` tells of an object."""

    def __init__(self, place, info):
        self.fileno = hash(place._opened.shared)
        self.addr = info["address"]
        self.type = _TYPES[place._object.kind]
        self.rc = info["links"]
        self.mtime = info["changed"]
        self.ctime = self.btime = self.atime = self.mtime
        self._place = place

    @property
    def num_attrs(self):
        """How many attributes the object has."""
        return len(self._place._need().attributes())

    def _hash(self):
        return hash((self.fileno, self.addr))


def open(loc, name, lapl=None):
    """The object at a path."""
    return find(loc, name)


def get_info(loc, name=None, index=-1, **_):
    """What an object is, how many links lead to it, and when it was changed."""
    place = node(loc if name is None else find(loc, name))
    return ObjInfo(place, place._need().info())


def exists_by_name(loc, name, lapl=None):
    """Whether a path leads to an object."""
    try:
        find(loc, name)
    except (KeyError, OSError):
        return False
    return True


def link(obj, loc, name, lcpl=None, lapl=None):
    """Gives an object a name."""
    place = node(obj)
    place._need()
    node(loc)._need_writable("create a link")
    start, native, last = parent_of(loc, name, lcpl)
    if has_link(native, last):
        raise ValueError(f"Unable to create link {encoded(name)!r} (name already exists)")
    if not place._opened.shared.native.same(start._opened.native):
        raise ValueError("a hard link leads to an object of its own file")
    native.link_hard(last, place._object)
    if place._path is None:
        place._path = joined(start._path, encoded(name))


def copy(src_loc, src_name, dst_loc, dst_name, copypl=None, lcpl=None):
    """Copies an object, with all that is below it."""
    source = node(find(src_loc, src_name))
    node(dst_loc)._need_writable("copy")
    start, native, last = parent_of(dst_loc, dst_name, lcpl)
    if has_link(native, last):
        raise RuntimeError(f"Unable to copy to {encoded(dst_name)!r} (name already exists)")
    flags = 0 if copypl is None else copypl.get_copy_object()
    native.copy(last, source._need(), flags)
    return wrapped(start._opened, native.object(last), joined(start._path, encoded(dst_name)))


def visit(loc, func, *, idx_type=0, order=0, obj_name=b".", lapl=None, info=False):
    """Calls ``func`` with the path of each object below, each object once, until it gives something."""
    if info:
        return walk(find(loc, obj_name), lambda path, found: func(path, get_info(found())), bool(idx_type))
    return walk(find(loc, obj_name), lambda path, _: func(path), bool(idx_type))


def walk(loc, func, by_order=False):
    """Calls ``func`` with the path of each object below, and what makes its identifier, until it gives something."""
    start = node(loc)
    return _walk(start, start._need(), b"", func, by_order, {start._object.address})


def _walk(start, group, prefix, func, by_order, seen):
    if group.kind != "group":
        return None
    for name, target in group.links(by_order):
        if target[0] != "hard" or target[1] in seen:
            continue
        seen.add(target[1])
        path, found = prefix + name, group.object(name)
        result = func(path, partial(wrapped, start._opened, found, joined(start._path, path)))
        if result is None and found.kind == "group":
            result = _walk(start, found, path + b"/", func, by_order, seen)
        if result is not None:
            return result
    return None


def get_comment(loc, comment=b"", **_):
    raise NotImplementedError("h5o.get_comment")


def set_comment(loc, comment, **_):
    raise NotImplementedError("h5o.set_comment")


def refresh(loc):
    """Looks at an object again."""
    node(loc)._refresh()


