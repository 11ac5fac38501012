"""The indexing language: from what stands between brackets to a selection."""


from . import _native


class MultiBlockSlice:
    """Blocks of ``block`` neighbours, ``count`` of them, beginning ``stride`` apart.

    ``None`` for ``count`` or ``block`` is as many as there are.
    """

    def __init__(self, start=0, stride=1, count=None, block=1):
        if start < 0:
            raise ValueError("start cannot be negative")
        if stride < 1 or (block is not None and block < 1) or (count is not None and count < 1):
            raise ValueError("stride, count and block are at least 1")
        if block is not None and block > stride:
            raise ValueError("blocks overlap: block is larger than stride")
        self.start, self.stride, self.count, self.block = start, stride, count, block

    def indices(self, length):
        """Start, stride, count and block on an axis of this length."""
        start, stride, count, block = self.start, self.stride, self.count, self.block
        if length < 0:
            raise ValueError("a length is not negative")
        if block is None:
            block = length - start
        if count is None:
            count = (length - start - block) // stride + 1
            if count < 1:
                raise ValueError(f"{self} has no full block on an axis of {length}")
        if start + (count - 1) * stride + block > length:
            raise ValueError(f"{self} goes beyond an axis of {length}")
        return start, stride, count, block

    def _repr(self, count=None):
        return (
            f"MultiBlockSlice(start={self.start}, stride={self.stride}, count={self.count}, block={self.block})"
        )

    __repr__ = _repr


class Selector:
    """Makes selections of one dataspace."""

    def __init__(self, space):
        self.spaceobj = space
        self.shape = space.shape

    def make_selection(self, args):
        """A selection object for an index."""
        from ._hl import selections

        space, lengths, dropped, listed = picked(self.spaceobj, args)
        self.spaceobj._selection = space._selection
        kept = tuple(n for n, drop in zip(lengths, dropped) if not drop)
        kind = selections.FancySelection if listed else selections.SimpleSelection
        return kind(self.shape, space, tuple(lengths), kept)


def picked(space, args):
    """The dataspace with an index selected, the length of each axis, which axes are dropped, and if there is a list."""
    args = args if isinstance(args, tuple) else (args,)
    if not space.shape:
        if all(arg is Ellipsis for arg in args):
            return space.copy(), [], [], False
        raise ValueError(f"{len(args)} indexing arguments for 0 dimensions")
    selection, lengths, dropped, listed = _native.pick(args, list(space.shape))
    chosen = space.copy()
    chosen._selection = selection
    return chosen, lengths, dropped, listed


class Reader:
    """Reads a dataset by index in as few steps as there are."""

    def __init__(self, dataset_id):
        self._id = dataset_id

    def read(self, args):
        """What ``args`` select, as an array or a scalar."""
        dataset = self._id
        space, lengths, dropped, _ = picked(dataset.get_space(), args)
        kept = tuple(n for n, drop in zip(lengths, dropped) if not drop)
        array = dataset._elements(space._selection, dataset.dtype)
        array = array.reshape(kept + array.shape[1:])
        return array[()] if array.ndim == 0 else array


