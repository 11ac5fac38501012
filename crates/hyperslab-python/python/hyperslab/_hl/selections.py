"""Selections as the high level has them: which elements, and the shape of the array they make."""

import numpy as np

from .. import _selector, h5r, h5s


def select(shape, args, dataset=None):
    """The selection of an index on an array of this shape."""
    args = args if isinstance(args, tuple) else (args,)
    if len(args) == 1:
        (arg,) = args
        if isinstance(arg, Selection):
            if arg.shape != shape:
                raise TypeError(f"a selection of shape {arg.shape} does not fit {shape}")
            return arg
        if isinstance(arg, np.ndarray) and arg.dtype.kind == "b":
            if arg.shape != shape and not (arg.ndim == 1 and len(shape) > 1 and arg.shape == shape[:1]):
                raise TypeError(f"a mask of shape {arg.shape} does not fit {shape}")
            if arg.shape == shape:
                return PointSelection.from_mask(arg)
        elif isinstance(arg, h5r.RegionReference):
            if dataset is None:
                raise TypeError("a region is selected of a dataset")
            space = h5r.get_region(arg, dataset.id)
            if shape != space.shape:
                raise TypeError(f"the region is of shape {space.shape}, not {shape}")
            return SimpleSelection(shape, space)
    space = h5s.create_simple(shape) if dataset is None else dataset.id.get_space()
    return _selector.Selector(space).make_selection(args)


class Selection:
    """Elements of an array of shape ``shape``."""

    def __init__(self, shape, spaceid=None):
        if spaceid is not None:
            self._id, self._shape = spaceid, spaceid.shape
        else:
            self._shape = tuple(shape)
            self._id = h5s.create_simple(self._shape) if self._shape else h5s.create(h5s.SCALAR)

    @property
    def id(self):
        """The dataspace with the elements selected."""
        return self._id

    @property
    def shape(self):
        """The shape of the whole."""
        return self._shape

    @property
    def nselect(self):
        """How many elements are selected."""
        return self._id.get_select_npoints()

    @property
    def mshape(self):
        """The shape of the selection, with every axis of the whole."""
        return (self.nselect,)

    @property
    def array_shape(self):
        """The shape of the array that the elements make."""
        return self.mshape

    def expand_shape(self, source_shape):
        """The shape in which data of ``source_shape`` is taken for the selection."""
        if product(source_shape) != self.nselect:
            raise TypeError(f"{source_shape} cannot be broadcast to {self.array_shape}")
        return source_shape

    def broadcast(self, source_shape):
        """The dataspaces to which data of ``source_shape`` goes, one after another."""
        if source_shape == ():
            yield self._id
        elif product(source_shape) == self.nselect:
            yield self._id
        else:
            raise TypeError(f"{source_shape} cannot be broadcast to {self.array_shape}")

    def __getitem__(self, args):
        raise NotImplementedError("this kind of selection cannot be selected from")


def product(shape):
    return int(np.prod(shape, dtype=np.int64))


class PointSelection(Selection):
    """Single elements, in the order of a list."""

    def __init__(self, shape, spaceid=None, points=None):
        super().__init__(shape, spaceid)
        if points is not None:
            self.set(points)

    @classmethod
    def from_mask(cls, mask, spaceid=None):
        """The elements where a mask is true."""
        points = np.argwhere(mask)
        made = cls(mask.shape, spaceid)
        made.set(points)
        return made

    def _points(self, points, op):
        if len(points) == 0 and op == h5s.SELECT_SET:
            self._id.select_none()
        else:
            self._id.select_elements(points, op)

    def set(self, points):
        """Selects these points."""
        self._points(points, h5s.SELECT_SET)

    def append(self, points):
        """Selects these points after those that are selected."""
        self._points(points, h5s.SELECT_APPEND)

    def prepend(self, points):
        """Selects these points before those that are selected."""
        self._points(points, h5s.SELECT_PREPEND)


class SimpleSelection(Selection):
    """Boxes, regularly spaced."""

    def __init__(self, shape, spaceid=None, mshape=None, array_shape=None):
        super().__init__(shape, spaceid)
        self._mshape = mshape if mshape is not None else guess_shape(self._id) if spaceid is not None else self._shape
        self._array_shape = array_shape if array_shape is not None else self._mshape

    @property
    def mshape(self):
        return self._mshape

    @property
    def array_shape(self):
        return self._array_shape


class FancySelection(SimpleSelection):
    """A list on one axis, boxes on the others."""


def guess_shape(sid):
    """The shape that a selected dataspace most likely stands for; ``None`` for the null dataspace."""
    kind = sid.get_simple_extent_type()
    if kind == h5s.NULL:
        return None
    if kind == h5s.SCALAR:
        return () if sid.get_select_npoints() else None
    if kind != h5s.SIMPLE:
        raise TypeError(f"a dataspace of class {kind} has no shape")
    count, chosen = sid.get_select_npoints(), sid.get_select_type()
    if chosen in (h5s.SEL_POINTS, h5s.SEL_NONE):
        return (count,)
    if chosen == h5s.SEL_ALL:
        return sid.shape
    if sid._selection.unlimited_axis is not None:
        return tuple((c if c is not None else h5s.UNLIMITED) * (b or 1) for _, _, c, b in sid._selection.axes())
    shape = tuple(sid._selection.shape(sid.shape))
    return shape if product(shape) == count else (count,)


