"""Dimension scales: datasets that are the coordinates of an axis of others."""

import numpy as np

from . import h5a, h5r, h5s, h5t
from ._nodes import encoded
from ._objects import phil, with_phil  # noqa: F401

_CLASS, _NAME, _LIST, _USED, _LABELS = b"CLASS", b"NAME", b"DIMENSION_LIST", b"REFERENCE_LIST", b"DIMENSION_LABELS"
_SCALE = b"DIMENSION_SCALE"


def _text_attribute(dset, name, text):
    if h5a.exists(dset, name):
        h5a.delete(dset, name)
    datatype = h5t.typewrap(("string", len(text) + 1, h5t.STR_NULLTERM, h5t.CSET_ASCII))
    h5a.create(dset, name, datatype, h5s.create(h5s.SCALAR)).write(np.array(text, dtype=f"S{len(text) + 1}"))


def _text(dset, name):
    if not h5a.exists(dset, name):
        return None
    attribute = h5a.open(dset, name)
    value = attribute._elements(attribute.dtype)[0]
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)


def set_scale(dset, dimname=b""):
    """Makes a dataset a dimension scale."""
    if h5a.exists(dset, _LIST):
        raise RuntimeError("a dataset with scales of its own cannot be one")
    _text_attribute(dset, _CLASS, _SCALE)
    if dimname:
        _text_attribute(dset, _NAME, encoded(dimname))


def is_scale(dset):
    """Whether a dataset is a dimension scale."""
    return (_text(dset, _CLASS) or b"").rstrip(b"\0") == _SCALE


def get_scale_name(dscale):
    """The name of a scale; empty when it has none."""
    if not is_scale(dscale):
        raise RuntimeError("the dataset is not a dimension scale")
    return (_text(dscale, _NAME) or b"").rstrip(b"\0")


def _lists(dset):
    """References to the scales of each axis."""
    if not h5a.exists(dset, _LIST):
        return [[] for _ in range(dset.rank)]
    attribute = h5a.open(dset, _LIST)
    return [list(found) for found in attribute._elements(attribute.dtype)]


def _store_lists(dset, lists):
    if h5a.exists(dset, _LIST):
        h5a.delete(dset, _LIST)
    if not any(lists):
        return
    array = np.empty(len(lists), dtype=h5t.vlen_dtype(h5t.ref_dtype))
    for axis, found in enumerate(lists):
        array[axis] = np.array(found, dtype=object)
    datatype = h5t.vlen_create(h5t.STD_REF_OBJ)
    h5a.create(dset, _LIST, datatype, h5s.create_simple((len(lists),))).write(array)


def _used_type():
    place = h5t.typewrap(("compound", 12, ((b"dataset", 0, h5t.STD_REF_OBJ._of), (b"dimension", 8, h5t.STD_U32LE._of))))
    return place


def _uses(dscale):
    """The datasets and axes that use a scale."""
    if not h5a.exists(dscale, _USED):
        return []
    attribute = h5a.open(dscale, _USED)
    return [(one["dataset"], int(one["dimension"])) for one in attribute._elements(attribute.dtype)]


def _store_uses(dscale, uses):
    if h5a.exists(dscale, _USED):
        h5a.delete(dscale, _USED)
    if not uses:
        return
    array = np.empty(len(uses), dtype=[("dataset", h5t.ref_dtype), ("dimension", "<u4")])
    for at, use in enumerate(uses):
        array[at] = use
    h5a.create(dscale, _USED, _used_type(), h5s.create_simple((len(uses),))).write(array)


def _axis(dset, idx):
    if not 0 <= idx < dset.rank:
        raise RuntimeError(f"the dataset has no axis {idx}")
    return idx


def attach_scale(dset, dscale, idx):
    """Makes a scale one of an axis."""
    _axis(dset, idx)
    if dset == dscale:
        raise RuntimeError("a dataset cannot be its own scale")
    if is_scale(dset):
        raise RuntimeError("a dimension scale cannot have scales")
    if not is_scale(dscale):
        set_scale(dscale)
    if is_attached(dset, dscale, idx):
        return
    lists = _lists(dset)
    lists[idx].append(h5r.create(dscale, b".", h5r.OBJECT))
    _store_lists(dset, lists)
    _store_uses(dscale, _uses(dscale) + [(h5r.create(dset, b".", h5r.OBJECT), idx)])


def detach_scale(dset, dscale, idx):
    """Takes a scale from an axis."""
    if not is_attached(dset, dscale, idx):
        raise RuntimeError("the scale is not attached to this axis")
    scale, user = (h5r.create(one, b".", h5r.OBJECT) for one in (dscale, dset))
    lists = _lists(dset)
    lists[idx] = [found for found in lists[idx] if found != scale]
    _store_lists(dset, lists)
    _store_uses(dscale, [use for use in _uses(dscale) if use != (user, idx)])


def is_attached(dset, dscale, idx):
    """Whether a scale is one of an axis."""
    return h5r.create(dscale, b".", h5r.OBJECT) in _lists(dset)[_axis(dset, idx)]


def get_num_scales(dset, dim):
    """How many scales an axis has."""
    return len(_lists(dset)[_axis(dset, dim)])


def iterate(loc, dim, func, startidx=0):
    """Calls ``func`` with each scale of an axis until it gives something."""
    if not h5a.exists(loc, _LIST):
        raise RuntimeError("the dataset has no dimension scales")
    for reference in _lists(loc)[_axis(loc, dim)][startidx:]:
        result = func(h5r.dereference(reference, loc))
        if result is not None:
            return result
    return None


def set_label(dset, idx, label):
    """Gives an axis a name."""
    labels = _label_list(dset)
    labels[_axis(dset, idx)] = encoded(label)
    if h5a.exists(dset, _LABELS):
        h5a.delete(dset, _LABELS)
    datatype = h5t.typewrap(("vlen_string", h5t.STR_NULLTERM, h5t.CSET_ASCII))
    array = np.array(labels, dtype=object)
    h5a.create(dset, _LABELS, datatype, h5s.create_simple((len(labels),))).write(array)


def _label_list(dset):
    if not h5a.exists(dset, _LABELS):
        return [b""] * dset.rank
    attribute = h5a.open(dset, _LABELS)
    return list(attribute._elements(attribute.dtype))


def get_label(dset, idx):
    """The name of an axis; empty when it has none."""
    label = _label_list(dset)[_axis(dset, idx)]
    return label.encode("utf-8") if isinstance(label, str) else label


