"""Links: the names in a group and what they lead to."""

from ._nodes import encoded, has_link, located, node, parent_of
from ._objects import phil, with_phil  # noqa: F401

TYPE_HARD, TYPE_SOFT, TYPE_EXTERNAL = 0, 1, 64

_TYPES = {"hard": TYPE_HARD, "soft": TYPE_SOFT, "external": TYPE_EXTERNAL}


class LinkInfo:
    """What a link is."""

    def __init__(self, target, order=None, name=b""):
        self.type = _TYPES[target[0]] if target[0] != "user" else target[1]
        self.corder_valid = order is not None
        self.corder = order or 0
        self.cset = 0 if name.isascii() else 1
        #: The address of a hard link's object, the bytes of any other's value.
        self.u = target[1] if target[0] == "hard" else sum(len(part) + 1 for part in target[1:] if isinstance(part, bytes))


class LinkProxy:
    """The links of one group."""

    def __init__(self, group):
        self.id = group.id
        self._group = group

    def __eq__(self, other):
        return isinstance(other, LinkProxy) and self._group == other._group

    def __hash__(self):
        raise TypeError("LinkProxy objects are not hashable")

    def _target(self, name):
        _, native, last = parent_of(self._group, name)
        return native.link(last)

    def _free(self, name, lcpl):
        """The group and name for a new link."""
        node(self._group)._need_writable("create a link")
        _, native, last = parent_of(self._group, name, lcpl)
        if has_link(native, last):
            raise ValueError(f"Unable to create link {encoded(name)!r} (name already exists)")
        return native, last

    def create_hard(self, new_name, cur_loc, cur_name, lcpl=None, lapl=None):
        from ._nodes import find

        target = node(find(cur_loc, cur_name))
        native, last = self._free(new_name, lcpl)
        native.link_hard(last, target._need())

    def create_soft(self, new_name, target, lcpl=None, lapl=None):
        native, last = self._free(new_name, lcpl)
        native.link_soft(last, encoded(target))

    def create_external(self, link_name, file_name, obj_name, lcpl=None, lapl=None):
        native, last = self._free(link_name, lcpl)
        native.link_external(last, encoded(file_name), encoded(obj_name))

    def get_val(self, name, lapl=None):
        """The path of a soft link, or file and path of an external one."""
        target = self._target(name)
        if target[0] == "soft":
            return target[1]
        if target[0] == "external":
            return target[1], target[2]
        raise ValueError(f"the link {encoded(name)!r} has no value")

    def get_info(self, name, index=-1, *, lapl=None):
        return LinkInfo(self._target(name), name=encoded(name))

    def exists(self, name, lapl=None):
        start, path = located(self._group, name)
        if path.strip(b"/") == b"":
            return path.startswith(b"/")
        try:
            _, native, last = parent_of(self._group, path)
        except (KeyError, ValueError, OSError):
            return False
        return has_link(native, last)

    def move(self, src_name, dst_loc, dst_name, lcpl=None, lapl=None):
        node(self._group)._need_writable("move a link")
        _, native, last = parent_of(self._group, src_name)
        native.link(last)
        _, into, new = parent_of(dst_loc, dst_name, lcpl)
        if has_link(into, new):
            raise ValueError(f"Unable to move to {encoded(dst_name)!r} (name already exists)")
        native.rename(last, into.path.rstrip(b"/") + b"/" + new)

    def iterate(self, func, *, idx_type=0, order=0, obj_name=b".", lapl=None, info=False, start=0):
        """Calls ``func`` with each name until it gives something; what it gave, and where to go on."""
        from ._nodes import find

        links = find(self._group, obj_name)._need().links(bool(idx_type))
        links = links[::-1] if order == 1 else links
        for at, (name, target) in enumerate(links[start:], start):
            result = func(name, LinkInfo(target)) if info else func(name)
            if result is not None:
                return result, at + 1
        return None, len(links)

    def visit(self, func, *, idx_type=0, order=0, obj_name=b".", lapl=None, info=False):
        """Calls ``func`` with the path of each link below, each group entered once, until it gives something."""
        from ._nodes import find

        group = find(self._group, obj_name)._need()
        return _visit(group, b"", func, info, bool(idx_type), {group.address})


def _visit(group, prefix, func, info, by_order, seen):
    for name, target in group.links(by_order):
        path = prefix + name
        result = func(path, LinkInfo(target)) if info else func(path)
        if result is not None:
            return result
        if target[0] != "hard":
            continue
        found = group.object(name)
        if found.kind == "group" and found.address not in seen:
            seen.add(found.address)
            result = _visit(found, path + b"/", func, info, by_order, seen)
            if result is not None:
                return result
    return None
