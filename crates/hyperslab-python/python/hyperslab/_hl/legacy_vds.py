"""Deprecated: virtual datasets under the names of h5py's first documentation of them.

``VirtualTarget`` and ``VirtualMap`` stand for what ``VirtualLayout`` does now, and mean the same: the part of the target that was
chosen, steps included, shows the part of the source that was chosen.
"""

from copy import copy
from warnings import warn

from .. import h5s
from ..h5py_warnings import H5pyDeprecationWarning
from .vds import VirtualLayout, _tuple


def _deprecated(what):
    warn(f"{what} is deprecated, use VirtualLayout", H5pyDeprecationWarning, stacklevel=3)


class VirtualTarget:
    """The virtual dataset to be made: ``key`` is its name, ``path`` says nothing. Index it to choose a part."""

    def __init__(self, path, key, shape, dtype=None, maxshape=None):
        _deprecated("VirtualTarget")
        self.path, self.key, self.dtype = path, key, dtype
        self.shape, self.maxshape = tuple(_tuple(shape)), _tuple(maxshape)
        self._chosen = ()

    def __getitem__(self, key):
        part = copy(self)
        part._chosen = key if isinstance(key, tuple) else (key,)
        return part


class VirtualMap:
    """A part of a target, and the part of a source that it shows."""

    def __init__(self, source, target, dtype):
        _deprecated("VirtualMap")
        self.src, self.target, self.dtype = source, target, dtype


def is_list(given):
    """Whether these are maps."""
    return isinstance(given, (list, tuple)) and all(isinstance(one, VirtualMap) for one in given) or isinstance(given, VirtualMap)


def layout(maps):
    """The name of the dataset, and its layout."""
    maps = [maps] if isinstance(maps, VirtualMap) else list(maps)
    if not maps:
        raise ValueError("a virtual dataset is made from at least one VirtualMap")
    first = maps[0].target
    made = VirtualLayout(first.shape, maps[-1].dtype, first.maxshape)
    for one in maps:
        source, chosen = one.src, one.target._chosen
        if _endless(one.target.maxshape) and _endless(source.maxshape) and source._whole:
            chosen = _open_ended(chosen, one.target.shape, one.target.maxshape)
            source = source[_open_ended((), source.shape, source.maxshape)]
        made[chosen] = source
    return first.key, made


def _endless(maxshape):
    return maxshape is not None and any(length in (None, h5s.UNLIMITED) for length in maxshape)


def _open_ended(chosen, shape, maxshape):
    """The same choice, which goes on along the axis that does, unless it ends there already."""
    given = list(chosen)
    at = given.index(Ellipsis) if Ellipsis in given else len(given)
    given[at : at + 1] = [slice(None)] * (len(shape) - len([one for one in given if one is not Ellipsis]))
    for axis, (key, length) in enumerate(zip(given, maxshape)):
        if length in (None, h5s.UNLIMITED) and isinstance(key, slice) and key.stop is None:
            given[axis] = slice(key.start, h5s.UNLIMITED, key.step)
    return tuple(given)
