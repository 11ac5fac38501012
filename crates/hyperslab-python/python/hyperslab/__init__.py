"""HDF5 files, without libhdf5: ``import hyperslab as h5py``.

The names, signatures and results are h5py's. Beyond them, reads run without the interpreter's lock and in many threads, handles
can be pickled, and virtual datasets tell what they lack (``Dataset.gaps()``, ``File(vds_missing=...)``).
"""

from . import h5, h5a, h5d, h5ds, h5f, h5fd, h5g, h5i, h5l, h5o, h5p, h5pl, h5r, h5s, h5t, h5z, version
from ._alias import install_as_h5py
from ._errors import silence_errors, unsilence_errors  # noqa: F401
from ._hl import filters
from ._hl.attrs import AttributeManager
from ._hl.base import Empty, HLObject, is_hdf5
from ._hl.dataset import Dataset
from ._hl.datatype import Datatype
from ._hl.files import File, register_driver, registered_drivers, unregister_driver
from ._hl.group import ExternalLink, Group, HardLink, SoftLink
from ._hl.legacy_vds import VirtualMap, VirtualTarget
from ._hl.vds import VirtualLayout, VirtualSource
from ._selector import MultiBlockSlice
from .h5 import get_config
from .h5r import Reference, RegionReference
from .h5s import UNLIMITED
from .h5t import (
    check_complex_dtype,
    check_dtype,
    check_enum_dtype,
    check_opaque_dtype,
    check_ref_dtype,
    check_string_dtype,
    check_vlen_dtype,
    complex_compat_dtype,
    enum_dtype,
    opaque_dtype,
    special_dtype,
    string_dtype,
    vlen_dtype,
)
from .version import version as __version__

ref_dtype = special_dtype(ref=Reference)
regionref_dtype = special_dtype(ref=RegionReference)


def enable_ipython_completer():
    """Does nothing: groups and attributes complete their names in IPython by themselves."""


__all__ = [
    "AttributeManager", "Dataset", "Datatype", "Empty", "ExternalLink", "File", "Group", "HLObject", "HardLink",
    "MultiBlockSlice", "Reference", "RegionReference", "SoftLink", "UNLIMITED", "VirtualLayout", "VirtualMap", "VirtualSource",
    "VirtualTarget",
    "__version__", "check_complex_dtype", "check_dtype", "check_enum_dtype", "check_opaque_dtype", "check_ref_dtype",
    "check_string_dtype", "check_vlen_dtype", "complex_compat_dtype", "enable_ipython_completer", "enum_dtype", "filters",
    "get_config", "h5", "h5a", "h5d", "h5ds", "h5f", "h5fd", "h5g", "h5i", "h5l", "h5o", "h5p", "h5pl", "h5r", "h5s", "h5t",
    "h5z", "install_as_h5py", "is_hdf5", "opaque_dtype", "ref_dtype", "register_driver", "registered_drivers", "regionref_dtype",
    "special_dtype", "string_dtype", "unregister_driver", "version", "vlen_dtype",
]  # fmt: skip
