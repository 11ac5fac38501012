"""Copying objects with everything below them, within a file or into another."""

import numpy as np

from . import h5a, h5d, h5o, h5r, h5t
from ._nodes import NodeID, node, wrapped


class Copier:
    """One copy: what was copied already gets another link, not another copy."""

    def __init__(self, opened, flags):
        self._opened = opened
        self._flags = flags
        self._made = {}
        #: Attributes are copied last, when every object they may point at is.
        self._waiting = []

    def copy(self, source, group, name, depth=0):
        """Copies the object ``source`` into a group of the engine, under a name."""
        key = source._key()
        if key in self._made:
            group.link_hard(name, self._made[key])
            return
        kind = source._object.kind
        made = {"group": self._group, "dataset": self._dataset, "datatype": self._datatype}[kind](source, group, name, depth)
        if not self._flags & h5o.COPY_WITHOUT_ATTR_FLAG:
            self._waiting.append((source, made))
        if depth == 0:
            while self._waiting:
                self._attributes(*self._waiting.pop())

    def _group(self, source, group, name, depth):
        plist = source.get_create_plist()
        tracked = bool(plist.get_link_creation_order())
        made = self._made[source._key()] = group.create_group(name, {"track_order": tracked})
        if depth and self._flags & h5o.COPY_SHALLOW_HIERARCHY_FLAG:
            return made
        for link, target in source._need().links(tracked):
            self._link(source, made, link, target, depth + 1)
        return made

    def _link(self, source, made, name, target, depth):
        kind = target[0]
        expand = {"soft": h5o.COPY_EXPAND_SOFT_LINK_FLAG, "external": h5o.COPY_EXPAND_EXT_LINK_FLAG}.get(kind, 0)
        if kind == "hard" or self._flags & expand:
            try:
                found = node(wrapped(source._opened, source._object.object(name), None))
            except KeyError:
                found = None
            if found is not None:
                self.copy(found, made, name, depth)
                return
        if kind == "soft":
            made.link_soft(name, target[1])
        elif kind == "external":
            made.link_external(name, target[1], target[2])

    def _dataset(self, source, group, name, depth):
        datatype, space = h5t.typewrap(source.get_type()._of, source.get_type()._made), source.get_space()
        owner = NodeID(self._opened, group, None)
        into = h5d.create(owner, name, datatype, space, source.get_create_plist())
        made = self._made[source._key()] = into._object
        if space._dims is None or source._dataset.layout == "virtual" or not source.get_storage_size():
            return made
        values = source._dataset.datatype
        everything = space._selection
        if values.has_variable_length or values.has_reference:
            plain = source._dataset.values(everything)
            into._dataset.write_values(everything, [self._carried(one, datatype._of, source) for one in plain])
        else:
            into._dataset.write(everything, values, source._dataset.read(everything, values))
        return made

    def _carried(self, value, of, source):
        """A plain value as it is in the copy: references into another file point at nothing there, unless expanded."""
        kind = of[0]
        if kind == "reference":
            return self._reference(value, of, source)
        if kind in ("vlen", "array"):
            return [self._carried(one, of[1], source) for one in value]
        if kind == "compound" and isinstance(value, tuple):
            return tuple(self._carried(one, member, source) for one, (_, _, member) in zip(value, of[2]))
        return value

    def _reference(self, data, of, source):
        expand = self._flags & h5o.COPY_EXPAND_REFERENCE_FLAG and of[2] == "object"
        if not any(data) or (not expand and source._opened.shared is self._opened.shared):
            return data
        if not expand:
            return bytes(len(data))
        reference = h5r.Reference._of(source._opened, data)
        found = node(h5r.dereference(reference, source))
        if found._key() not in self._made:
            root = self._opened.native.root()
            name = b"~obj_pointed_by_%d" % found._object.address
            self.copy(found, root, name, 1)
        return self._made[found._key()].address.to_bytes(8, "little")

    def _datatype(self, source, group, name, depth):
        made = self._made[source._key()] = group.commit(name, source._object.datatype())
        return made

    def _attributes(self, source, made):
        into = NodeID(self._opened, made, None)
        for attribute in source._need().attributes(True):
            opened = h5a.AttrID(source, attribute)
            datatype, space = opened.get_type(), opened.get_space()
            if space._dims is None:
                h5a._store(into, attribute.name, datatype, space, None)
            elif attribute.datatype.has_variable_length or attribute.datatype.has_reference:
                values = [self._carried(one, datatype._of, source) for one in attribute.values()]
                made.set_attribute_values(attribute.name, datatype._native, space._dims, values)
            else:
                data = attribute.read(attribute.datatype)
                made.set_attribute(attribute.name, datatype._native, space._dims, attribute.datatype, _bytes(data))


def _bytes(data):
    return np.frombuffer(data, dtype=np.uint8)


