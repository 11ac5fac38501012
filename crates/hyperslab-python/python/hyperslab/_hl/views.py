"""A dataset seen with other elements: as another dtype, as text, or some of its fields only."""

import numpy as np

from .. import h5t


class AbstractView:
    """Reads a dataset in another form; ``view[...]`` reads, as do numpy's functions."""

    def __init__(self, dset):
        self._dset = dset

    def __len__(self):
        return len(self._dset)

    @property
    def dtype(self):
        """The dtype of what is read."""
        return self._dset.dtype

    @property
    def ndim(self):
        return self._dset.ndim

    @property
    def shape(self):
        return self._dset.shape

    @property
    def size(self):
        return self._dset.size

    def __getitem__(self, idx):
        raise NotImplementedError

    def __array__(self, dtype=None, copy=True):
        if copy is False:
            raise ValueError(f"{type(self).__name__}.__array__ received copy=False but memory allocation cannot be avoided on read")
        return np.asarray(self[()], dtype=self.dtype if dtype is None else dtype)


class AstypeWrapper(AbstractView):
    """A dataset read as another dtype."""

    def __init__(self, dset, dtype):
        super().__init__(dset)
        self._dtype = np.dtype(dtype)

    @property
    def dtype(self):
        return self._dtype

    def __getitem__(self, args):
        return self._dset.__getitem__(args, new_dtype=self._dtype)

    def __array__(self, dtype=None, copy=True):
        if copy is False:
            raise ValueError("AstypeWrapper.__array__ received copy=False but memory allocation cannot be avoided on read")
        return self._dset.__array__(dtype=self._dtype if dtype is None else dtype)


class AsStrWrapper(AbstractView):
    """Strings read as text."""

    def __init__(self, dset, encoding, errors="strict"):
        super().__init__(dset)
        self.encoding = h5t.check_string_dtype(dset.dtype).encoding if encoding is None else encoding
        self.errors = errors

    @property
    def dtype(self):
        return np.dtype(object)

    def __getitem__(self, args):
        found = self._dset[args]
        if isinstance(found, bytes):
            return found.decode(self.encoding, self.errors)
        if isinstance(found, str):
            return found
        texts = [one.decode(self.encoding, self.errors) for one in found.flat]
        return np.array(texts, dtype=object).reshape(found.shape)


class FieldsWrapper(AbstractView):
    """Some fields of a dataset of compounds; of a single one, only its values."""

    extract_field = None

    def __init__(self, dset, prior_dtype, names):
        super().__init__(dset)
        if isinstance(names, str):
            self.extract_field = names
            names = [names]
        self._dtype = readtime_dtype(prior_dtype, names)

    @property
    def dtype(self):
        return self._dtype if self.extract_field is None else self._dtype.fields[self.extract_field][0]

    def __getitem__(self, args):
        found = self._dset.__getitem__(args, new_dtype=self._dtype)
        return found if self.extract_field is None else found[self.extract_field]


def readtime_dtype(basetype, names):
    """The dtype with these fields only."""
    if basetype.names is None:
        raise ValueError("Field names only allowed for compound types")
    for name in names:
        if name not in basetype.names:
            raise ValueError(f"Field {name} does not appear in this type.")
    return np.dtype([(name, basetype.fields[name][0]) for name in names])


class ChunkIterator:
    """Goes over the chunks of a dataset that meet a region, as tuples of slices."""

    def __init__(self, dset, source_sel=None):
        self._shape, self._chunks = dset.shape, dset.chunks
        if self._chunks is None:
            raise TypeError("Chunked dataset required")
        self._bounds = self._region(source_sel)
        self._regions = self._all()

    def _region(self, source_sel):
        """First and last-plus-one coordinate of each axis."""
        if source_sel is None:
            return [(0, length) for length in self._shape]
        given = source_sel if isinstance(source_sel, tuple) else (source_sel,)
        if len(given) != len(self._shape):
            raise ValueError("Invalid selection - selection region must have same rank as dataset")
        bounds = []
        for one, length in zip(given, self._shape):
            if not isinstance(one, (slice, int, np.integer)):
                raise TypeError(f"{one}: a region is made of slices and integers")
            one = one if isinstance(one, slice) else slice(one, one + 1)
            first, last = one.start or 0, length if one.stop is None else one.stop
            if not 0 <= first < max(length, 1) or last > length:
                raise ValueError("Invalid selection - selection region must be within dataset space")
            bounds.append((first, last))
        return bounds

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._regions)

    def _all(self):
        if not self._shape or any(first >= last for first, last in self._bounds):
            return
        axes = []
        for (first, last), chunk in zip(self._bounds, self._chunks):
            starts = range(first // chunk * chunk, last, chunk)
            axes.append([slice(max(start, first), min(start + chunk, last), 1) for start in starts])
        counts = [len(axis) for axis in axes]
        for at in np.ndindex(*counts):
            yield tuple(axis[number] for axis, number in zip(axes, at))
