"""Dataspaces: a shape, and a selection of elements of it."""

import numpy as np

from . import _native
from ._objects import ObjectID, phil, with_phil  # noqa: F401

NO_CLASS, SCALAR, SIMPLE, NULL = -1, 0, 1, 2
UNLIMITED = 2**64 - 1
SELECT_NOOP, SELECT_SET, SELECT_OR, SELECT_AND, SELECT_XOR, SELECT_NOTB, SELECT_NOTA, SELECT_APPEND, SELECT_PREPEND = range(-1, 8)
SELECT_INVALID = 8
SEL_ERROR, SEL_NONE, SEL_POINTS, SEL_HYPERSLABS, SEL_ALL = range(-1, 4)

_KINDS = {"none": SEL_NONE, "points": SEL_POINTS, "regular": SEL_HYPERSLABS, "blocks": SEL_HYPERSLABS, "all": SEL_ALL}


def _bounded(value):
    return None if value == UNLIMITED else int(value)


def _counted(value):
    return UNLIMITED if value is None else value


class SpaceID(ObjectID):
    """A shape and what is selected of it; no shape at all is the null dataspace."""

    def __init__(self, dims=(), maximum=None, selection=None):
        super().__init__()
        self._dims = None if dims is None else tuple(int(n) for n in dims)
        self._max = self._dims if maximum is None else tuple(None if n is None else _bounded(n) for n in maximum)
        self._selection = _native.Selection.all() if selection is None else selection

    # Shape

    @property
    def shape(self):
        """The length of each axis; () for a scalar, None for the null dataspace."""
        return self._dims

    def copy(self):
        return SpaceID(self._dims, self._max, self._selection)

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    def is_simple(self):
        return True

    def get_simple_extent_ndims(self):
        return len(self._dims or ())

    def get_simple_extent_dims(self, maxdims=False):
        if self._dims is None:
            return ()
        return tuple(_counted(n) for n in self._max) if maxdims else self._dims

    def get_simple_extent_npoints(self):
        return 0 if self._dims is None else int(np.prod(self._dims, dtype=np.int64))

    def get_simple_extent_type(self):
        return NULL if self._dims is None else SIMPLE if self._dims else SCALAR

    def set_extent_simple(self, dims, max_dims=None):
        SpaceID.__init__(self, dims, max_dims)

    def set_extent_none(self):
        SpaceID.__init__(self, None)

    def extent_copy(self, source):
        SpaceID.__init__(self, source._dims, source._max)

    def encode(self):
        raise NotImplementedError("h5s.SpaceID.encode")

    # Selection

    def select_all(self):
        self._selection = _native.Selection.all()

    def select_none(self):
        self._selection = _native.Selection.none()

    def select_hyperslab(self, start, count, stride=None, block=None, op=SELECT_SET):
        """Regularly spaced blocks, combined with what is selected already as ``op`` says."""
        rank = len(self._dims or ())
        stride = (1,) * rank if stride is None else stride
        block = (1,) * rank if block is None else block
        parts = [start, stride, count, block]
        if rank == 0 or any(len(part) != rank for part in parts):
            raise ValueError(f"start, stride, count and block need {rank} numbers each")
        start, stride, count, block = ([int(n) for n in part] for part in parts)
        if sum(UNLIMITED in pair for pair in zip(count, block)) > 1:
            raise RuntimeError("a hyperslab has at most one unlimited axis")
        if 0 in count or 0 in block:
            new = _native.Selection.none()
        else:
            slabs = zip(start, stride, map(_bounded, count), map(_bounded, block))
            new = _native.Selection.hyperslab(list(slabs))
        self._selection = self._combined(new, op)

    def select_elements(self, coords, op=SELECT_SET):
        """Single elements, in the order of the list."""
        coords = np.asarray(coords, dtype=np.uint64).reshape(-1, len(self._dims or ()))
        given = coords.tolist()
        if op in (SELECT_APPEND, SELECT_PREPEND):
            old = self._selection.coordinates()
            given = old + given if op == SELECT_APPEND else given + old
        elif op != SELECT_SET:
            raise ValueError("points are set, appended or prepended")
        flat = [n for point in given for n in point]
        self._selection = _native.Selection.points(len(self._dims), flat)

    def combine_select(self, space, op=SELECT_OR):
        """A dataspace with the combination of two selections."""
        both = self.copy()
        both.modify_select(space, op)
        return both

    def modify_select(self, space, op=SELECT_OR):
        self._selection = self._combined(space._selection, op)

    def select_copy(self, source):
        self._selection = source._selection

    def _combined(self, new, op):
        old = self._selection
        if op == SELECT_SET:
            return new
        if op == SELECT_OR:
            if new.kind == "none" or old.kind == "none":
                return old if new.kind == "none" else new
            return old.union(new, self._dims)
        if op == SELECT_AND:
            return old.intersection(new, self._dims)
        masks = [self._mask(old), self._mask(new)]
        if op == SELECT_XOR:
            mask = masks[0] ^ masks[1]
        elif op == SELECT_NOTB:
            mask = masks[0] & ~masks[1]
        elif op == SELECT_NOTA:
            mask = ~masks[0] & masks[1]
        else:
            raise ValueError(f"no selection is made by operation {op}")
        return _of_mask(mask)

    def _mask(self, selection):
        mask = np.zeros(self._dims, dtype=bool)
        mask.reshape(-1)[flat_indices(selection, self._dims)] = True
        return mask

    def select_valid(self):
        return self._dims is None or self._selection.fits(self._dims)

    def select_shape_same(self, space):
        mine, other = (list(one._selection.shape(one._dims)) for one in (self, space))
        return mine == other

    def get_select_type(self):
        return _KINDS[self._selection.kind]

    def get_select_npoints(self):
        if self._dims is None:
            return 0
        if self._selection.unlimited_axis is not None:
            return UNLIMITED
        return self._selection.count(self._dims)

    def get_select_bounds(self):
        bounds = self._selection.bounds(self._dims)
        if bounds is None:
            raise ValueError("nothing is selected, so there are no bounds")
        return tuple(map(tuple, bounds))

    def is_regular_hyperslab(self):
        return self._selection.kind == "regular"

    def get_regular_hyperslab(self):
        """Start, stride, count and block of a regular selection."""
        axes = self._selection.axes()
        if axes is None:
            raise TypeError("the selection is not a regular hyperslab")
        start, stride, count, block = (tuple(part) for part in zip(*axes))
        return start, stride, tuple(map(_counted, count)), tuple(map(_counted, block))

    def get_select_hyper_nblocks(self):
        return len(self._selection.boxes(self._dims))

    def get_select_hyper_blocklist(self):
        return np.array(self._selection.boxes(self._dims), dtype=np.uint64)

    def get_select_elem_npoints(self):
        return len(self._selection.coordinates())

    def get_select_elem_pointlist(self):
        return np.array(self._selection.coordinates(), dtype=np.uint64)

    def offset_simple(self, offset=None):
        if offset is not None and any(offset):
            raise NotImplementedError("h5s.SpaceID.offset_simple with an offset that is not zero")


def flat_indices(selection, dims):
    """Where the selected elements are in a flat array of this shape, in the order of selection."""
    dims = tuple(dims)
    if selection.kind == "none":
        return np.zeros(0, dtype=np.intp)
    numbers = np.arange(int(np.prod(dims, dtype=np.int64))).reshape(dims)
    if selection.kind == "all" or not dims:
        return numbers.ravel()
    if selection.kind == "points":
        points = np.array(selection.coordinates(), dtype=np.intp).reshape(-1, len(dims))
        return numbers[tuple(points.T)]
    if selection.kind == "regular":
        taken = []
        for (start, stride, count, block), dim in zip(selection.axes(), dims):
            count = (dim - start) // stride if count is None else count
            starts = start + stride * np.arange(count)
            taken.append((starts[:, None] + np.arange(block)).ravel())
        return numbers[np.ix_(*taken)].ravel()
    mask = np.zeros(dims, dtype=bool)
    for first, last in selection.boxes(dims):
        mask[tuple(slice(a, b + 1) for a, b in zip(first, last))] = True
    return numbers[mask]


def _of_mask(mask):
    runs, coords = [], np.argwhere(mask)
    for point in coords.tolist():
        if runs and runs[-1][1][:-1] == point[:-1] and runs[-1][1][-1] + 1 == point[-1]:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    if not runs:
        return _native.Selection.none()
    return _native.Selection.blocks(mask.ndim, [n for first, last in runs for n in (*first, *last)])


class _All(ObjectID):
    """The whole of whatever dataspace it is used with."""

    _selection = None


ALL = _All()


def create(class_code):
    """A scalar or null dataspace, or a simple one that gets its shape later."""
    if class_code not in (SCALAR, SIMPLE, NULL):
        raise ValueError(f"there is no class {class_code} of dataspaces")
    return SpaceID(None if class_code == NULL else ())


def create_simple(dims_tpl, max_dims_tpl=None):
    """A dataspace with this shape, and the largest shape it may get."""
    if max_dims_tpl is not None and len(max_dims_tpl) != len(dims_tpl):
        raise ValueError("a shape and its largest shape have the same number of axes")
    if max_dims_tpl is not None and any(m not in (None, UNLIMITED) and m < n for n, m in zip(dims_tpl, max_dims_tpl)):
        raise ValueError(f"the largest shape {max_dims_tpl} is smaller than the shape {dims_tpl}")
    return SpaceID(dims_tpl, max_dims_tpl)


def decode(buf):
    raise NotImplementedError("h5s.decode")
