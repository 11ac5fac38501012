"""Dimension scales: names and coordinates of the axes of a dataset."""

import warnings

from .. import h5ds
from ..h5py_warnings import H5pyDeprecationWarning
from . import base


class DimensionProxy(base.CommonStateObject):
    """One axis of a dataset: its label, and its scales by number or name."""

    def __init__(self, id_, dimension):
        self._id = id_
        self._dimension = dimension

    @property
    def label(self):
        """The name of the axis."""
        return self._d(h5ds.get_label(self._id, self._dimension))

    @label.setter
    def label(self, value):
        h5ds.set_label(self._id, self._dimension, self._e(value))

    def __hash__(self):
        return hash((DimensionProxy, self._id, self._dimension))

    def __eq__(self, other):
        return hash(self) == hash(other)

    def __len__(self):
        return h5ds.get_num_scales(self._id, self._dimension)

    def __iter__(self):
        yield from self.keys()

    def _scales(self):
        found = []
        h5ds.iterate(self._id, self._dimension, found.append)
        return found

    def __getitem__(self, item):
        from .dataset import Dataset

        if isinstance(item, int):
            return Dataset(self._scales()[item])
        for scale in self._scales():
            if h5ds.get_scale_name(scale) == self._e(item):
                return Dataset(scale)
        raise KeyError(item)

    def attach_scale(self, dset):
        """Makes a dataset a scale of this axis."""
        h5ds.attach_scale(self._id, dset.id, self._dimension)

    def detach_scale(self, dset):
        """Takes a scale from this axis."""
        h5ds.detach_scale(self._id, dset.id, self._dimension)

    def items(self):
        """Names and datasets of the scales."""
        from .dataset import Dataset

        scales = self._scales() if len(self) else []
        return [(self._d(h5ds.get_scale_name(scale)), Dataset(scale)) for scale in scales]

    def keys(self):
        """Names of the scales."""
        return [name for name, _ in self.items()]

    def values(self):
        """Datasets of the scales."""
        return [scale for _, scale in self.items()]

    def __repr__(self):
        if not self._id:
            return "<Dimension of closed HDF5 dataset>"
        return f'<"{self.label}" dimension {self._dimension} of HDF5 dataset at {id(self._id)}>'


class DimensionManager(base.CommonStateObject):
    """The axes of a dataset."""

    def __init__(self, parent):
        self._id = parent.id

    def __getitem__(self, index):
        if index > len(self) - 1:
            raise IndexError("Index out of range")
        return DimensionProxy(self._id, index)

    def __len__(self):
        return self._id.rank

    def __iter__(self):
        for axis in range(len(self)):
            yield self[axis]

    def create_scale(self, dset, name=""):
        """Old way to make a dataset a scale."""
        warnings.warn("use make_scale of the dataset", H5pyDeprecationWarning, stacklevel=2)
        dset.make_scale(name)

    def __repr__(self):
        if not self._id:
            return "<Dimensions of closed HDF5 dataset>"
        return f"<Dimensions of HDF5 object at {id(self._id)}>"
