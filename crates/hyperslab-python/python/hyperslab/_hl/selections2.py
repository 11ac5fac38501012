"""Which dtypes a read has, and selections of scalar datasets."""

import numpy as np

from .. import h5s


def read_dtypes(dataset_dtype, names):
    """The dtype of the result, and the one read for it, when only the fields ``names`` are wanted."""
    if not names:
        return dataset_dtype, dataset_dtype
    if dataset_dtype.names is None:
        raise ValueError("only compound types have fields")
    unknown = [name for name in names if name not in dataset_dtype.names]
    if unknown:
        raise ValueError(f"the type has no field {unknown[0]!r}")
    read = np.dtype([(name, dataset_dtype.fields[name][0]) for name in names])
    return (read[0] if len(names) == 1 else read), read


def read_selections_scalar(dsid, args):
    """The shape of the result, ``None`` for a bare scalar, and the dataspace to read."""
    if dsid.shape != ():
        raise RuntimeError("the dataset is not a scalar")
    chosen = ScalarReadSelection(dsid.get_space(), args)
    return chosen.mshape, chosen.fspace


class ScalarReadSelection:
    """What of a scalar dataset ``args`` select: everything."""

    def __init__(self, fspace, args):
        if args not in ((), (Ellipsis,)):
            raise ValueError("a scalar dataset is indexed by () or ... only")
        self.mshape = None if args == () else ()
        self.mspace = h5s.create(h5s.SCALAR)
        self.fspace = fspace

    def __iter__(self):
        yield self.fspace, self.mspace


def select_read(fspace, args):
    """The selection of a scalar dataset."""
    if fspace.shape == ():
        return ScalarReadSelection(fspace, args)
    raise NotImplementedError("selections2.select_read of anything but scalars")
