"""Version numbers, of this package and of what it stands in for."""

PACKAGE = "0.1.0"
#: The version of h5py whose interface this is.
H5PY = "3.16.0"
#: The version of HDF5 whose features are offered.
HDF5 = (2, 0, 0)
