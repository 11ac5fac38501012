"""Identifiers of what is in a file: what groups, datasets and named datatypes have in common."""

from . import _handles, _native
from ._errors import ClosedError
from ._objects import ObjectID


def encoded(name):
    """The bytes of a name or path."""
    if isinstance(name, str):
        return name.encode("utf-8", "surrogateescape")
    return bytes(name)


def joined(base, name):
    """The path of ``name`` seen from ``base``, as short as it can be said."""
    path = name if name.startswith(b"/") else (base or b"").rstrip(b"/") + b"/" + name
    if b"//" not in path and b"/." not in path and not path.endswith(b"/"):
        return path
    return b"/" + b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))


class NodeID(ObjectID):
    """An object in a file."""

    def __init__(self, opened, native, path):
        self._opened = opened
        self._object = native
        self._path = path

    @property
    def valid(self):
        return not self._closed and self._opened.open

    def _key(self):
        return self._opened.shared, self._object.address

    def _need(self):
        """The engine's object, if it is still open."""
        if self._closed or not self._opened.open:
            raise ClosedError(f"Not a {self._what} (the identifier or its file is closed)")
        return self._object

    _what = "location"

    def _need_writable(self, doing, kind=ValueError):
        native = self._need()
        if not self._opened.shared.writable:
            raise kind(f"cannot {doing}: the file is open to read only (no write intent on file)")
        return native

    def _created_with(self):
        """Properties that say how the object was made."""
        info, both = self._need().info(), 3
        return {
            "obj_track_times": info["timed"],
            "link_creation_order": both if info["links_ordered"] else 0,
            "attr_creation_order": both if info["attributes_ordered"] else 0,
        }

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


def wrapped(opened, native, path):
    """The identifier of an object of the engine."""
    if not native.is_in(opened.shared.native):
        path = native.path
        opened, native = _handles.beside(native.file, native, opened)
    kind = native.kind
    if kind == "dataset":
        return h5d.DatasetID(opened, native, path)
    if kind == "group":
        return h5g.GroupID(opened, native, path)
    return h5t.of_native(native.datatype(), NodeID(opened, native, path))


def node(loc):
    """The object in a file that an identifier is of."""
    if isinstance(loc, NodeID):
        return loc
    found = getattr(loc, "_node", loc)
    if not isinstance(found, NodeID):
        raise TypeError(f"{type(loc).__name__} is not an object in a file")
    return found


def located(loc, name):
    """The group a path begins at, and the path from there."""
    start = node(loc)
    start._need()
    return start, encoded(name)


def find(loc, name):
    """The object at a path."""
    start, path = located(loc, name)
    if path in (b".", b""):
        return loc
    if b"\0" in path:
        raise ValueError("a name cannot hold a NUL")
    native = start._object
    if path.startswith(b"/"):
        native, path = start._opened.native.root(), b"/" + path.lstrip(b"/")
    try:
        found = native if path == b"/" else native.object(path)
    except FileNotFoundError as error:
        # The file that an external link leads to.
        raise KeyError(f"Unable to synchronously open object ({error})") from error
    return wrapped(start._opened, found, joined(start._path, path))


def parent_of(loc, name, lcpl=None):
    """The group that holds the last name of a path, made when ``lcpl`` says so, and that name."""
    start, path = located(loc, name)
    if b"\0" in path:
        raise ValueError("a name cannot hold a NUL")
    native = start._opened.native.root() if path.startswith(b"/") else start._object
    *groups, last = [part for part in path.split(b"/") if part not in (b"", b".")] or [b"."]
    make = lcpl is not None and lcpl.get_create_intermediate_group()
    for group in groups:
        if make and not has_link(native, group):
            native = native.create_group(group, {})
        else:
            native = native.object(group)
    if native.kind != "group":
        raise ValueError(f"{path!r} does not lead through groups")
    return start, native, last


def has_link(native, name):
    """Whether a group of the engine has a link of that name, or is itself called that."""
    if name == b".":
        return True
    try:
        native.link(name)
    except KeyError:
        return False
    return True


# These need what is above. They are not looked for when they are needed: a program that ends finds no modules any more.
from . import h5d, h5g, h5t  # noqa: E402

__all__ = ["NodeID", "encoded", "find", "has_link", "joined", "located", "node", "parent_of", "wrapped", "_native"]
