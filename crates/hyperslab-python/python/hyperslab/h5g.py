"""Groups: names that lead to objects."""

from . import h5l, h5p
from ._nodes import NodeID, encoded, find, has_link, joined, node, parent_of, wrapped
from ._objects import ObjectID, phil, with_phil  # noqa: F401

UNKNOWN, GROUP, DATASET, TYPE, LINK = -1, 0, 1, 2, 3
LINK_ERROR, LINK_HARD, LINK_SOFT = -1, 0, 1
CRT_ORDER_TRACKED = 1

_TYPES = {"group": GROUP, "dataset": DATASET, "datatype": TYPE}


class GroupStat:
    """What :func:`get_objinfo` tells of an object."""

    def __init__(self, fileno, objno, nlink, type, mtime, linklen):
        self.fileno, self.objno, self.nlink = fileno, objno, nlink
        self.type, self.mtime, self.linklen = type, mtime, linklen

    def _key(self):
        return self.fileno, self.objno, self.nlink, self.type, self.mtime, self.linklen

    def __eq__(self, other):
        return isinstance(other, GroupStat) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())


class GroupID(NodeID):
    """A group."""

    _what = "group"

    @property
    def links(self):
        """The links in this group."""
        return h5l.LinkProxy(self)

    def _names(self):
        """Names of the links, sorted by their bytes."""
        return [name for name, _ in self._need().links()]

    def __len__(self):
        return len(self._names())

    get_num_objs = __len__

    def __bool__(self):
        return self.valid

    def __iter__(self):
        return iter(self._names())

    def __contains__(self, name):
        return _path_valid(self, name)

    def get_objname_by_idx(self, idx):
        return self._names()[idx]

    def get_objtype_by_idx(self, idx):
        _, target = self._need().links()[idx]
        if target[0] != "hard":
            return LINK
        return _TYPES[self._object.object(self._names()[idx]).kind]

    def get_linkval(self, name):
        return self.links.get_val(name)

    def link(self, current_name, new_name, link_type=LINK_HARD, remote=None):
        group = self if remote is None else remote
        if link_type == LINK_SOFT:
            return group.links.create_soft(new_name, current_name)
        return group.links.create_hard(new_name, self, current_name)

    def unlink(self, name):
        self._need()
        if not self._opened.shared.writable:
            raise KeyError("Couldn't delete link (no write intent on file)")
        _, native, last = parent_of(self, name)
        native.unlink(last)

    def move(self, current_name, new_name, remote=None):
        self.links.move(current_name, self if remote is None else remote, new_name)

    def get_comment(self, name):
        raise NotImplementedError("h5g.GroupID.get_comment")

    def set_comment(self, name, comment):
        raise NotImplementedError("h5g.GroupID.set_comment")

    def get_create_plist(self):
        plist = h5p.create(h5p.GROUP_CREATE)
        plist._values.update(self._created_with())
        return plist

    def _commit(self, datatype, name, lcpl):
        start = node(self)
        start._need_writable("store a datatype")
        if name is None:
            return wrapped(start._opened, start._object.commit(None, datatype._native), None)._node
        start, native, last = parent_of(self, name, lcpl)
        if has_link(native, last):
            raise KeyError(f"Unable to commit datatype {encoded(name)!r} (name already exists)")
        made = native.commit(last, datatype._native)
        return wrapped(start._opened, made, _path(start, name))._node


def _path(start, name):
    return joined(start._path, encoded(name))


def open(loc, name):
    """The group at a path."""
    found = find(loc, name)
    if not isinstance(found, GroupID):
        raise KeyError(f"{encoded(name)!r} is not a group")
    return found


def create(loc, name, lcpl=None, gcpl=None):
    """A new group, without a name when ``name`` is ``None``."""
    options = {} if gcpl is None else gcpl.creation()
    if name is None:
        start = node(loc)
        native = start._need_writable("create a group")
        return GroupID(start._opened, native.create_group(None, options), None)
    node(loc)._need_writable("create a group")
    start, native, last = parent_of(loc, name, lcpl)
    if has_link(native, last):
        raise ValueError(f"Unable to create group {encoded(name)!r} (name already exists)")
    return GroupID(start._opened, native.create_group(last, options), _path(start, name))


def get_objinfo(obj, name=b".", follow_link=True):
    """What an object is, and when it was changed."""
    if not follow_link and encoded(name) != b".":
        start, native, last = parent_of(obj, name)
        target = native.link(last)
        if target[0] != "hard":
            return GroupStat((0, 0), (0, 0), 0, LINK, 0, len(target[1]) if target[0] == "soft" else 0)
    found = node(find(obj, name))
    info = found._need().info()
    number = (info["address"] & 0xFFFFFFFF, info["address"] >> 32)
    return GroupStat((hash(found._opened.shared), 0), number, info["links"], _TYPES[found._object.kind], info["changed"], 0)


def iterate(loc, func, startidx=0, *, obj_name=b"."):
    """Calls ``func`` with each name until it gives something."""
    for name in find(loc, obj_name)._names()[startidx:]:
        result = func(name)
        if result is not None:
            return result
    return None


def _path_valid(loc, path, lapl=None):
    """Whether a path leads to an object, or at least to a link at its end."""
    path = encoded(path)
    if path == b"":
        return False
    try:
        _, native, last = parent_of(loc, path)
    except (KeyError, OSError, ValueError):
        return False
    return has_link(native, last)


class GroupIter:
    """Iterates over the names of a group."""

    def __init__(self, group, reversed=False):
        names = group._names()
        self._names = iter(names[::-1] if reversed else names)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._names)
