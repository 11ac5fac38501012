"""Versions: of the package, of h5py whose interface it has, of HDF5 whose features it offers."""

import sys
from typing import NamedTuple

import numpy

from . import _versions


class _Version(NamedTuple):
    major: int
    minor: int
    bugfix: int
    pre: "str | None" = None
    post: "str | None" = None
    dev: "str | None" = None


#: h5py's, since programs compare it; the package's own is ``hyperslab_version``.
version = _versions.H5PY
hyperslab_version = _versions.PACKAGE
_major, _minor, _bugfix = (int(part) for part in version.split("."))
version_tuple = _Version(_major, _minor, _bugfix)
api_version = "1.8"
api_version_tuple = (1, 8)
hdf5_version_tuple = hdf5_built_version_tuple = _versions.HDF5
hdf5_version = ".".join(str(part) for part in _versions.HDF5)

info = f"""\
hyperslab   {hyperslab_version}
h5py        {version} (its interface)
HDF5        {hdf5_version} (its features; no libhdf5 inside)
Python      {sys.version}
sys.platform {sys.platform}
numpy       {numpy.__version__}
"""
