"""The configuration of the package, and the constants of indexes and iteration."""

from . import _hints, _versions

INDEX_NAME, INDEX_CRT_ORDER = 0, 1
ITER_INC, ITER_DEC, ITER_NATIVE = 0, 1, 2


class ByteStringContext:
    """Kept for programs that enter it; strings are bytes unless asked otherwise, always."""

    def __bool__(self):
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


class H5PYConfig:
    """Options of the whole package; :func:`get_config` gives the only one."""

    def __init__(self):
        self._r_name, self._i_name = b"r", b"i"
        self._f_name, self._t_name = b"FALSE", b"TRUE"
        self.track_order = False
        self.default_file_mode = "r"
        self.swmr_min_hdf5_version = (1, 9, 178)
        self.vds_min_hdf5_version = (1, 9, 233)
        self.mpi = self.ros3 = self.direct_vfd = False
        #: The complex class of HDF5 2.0 is read and written.
        self.has_native_complex = True
        self.bytestring_io = ByteStringContext()

    @property
    def complex_names(self):
        """Names of the two members by which a compound is known as a complex number."""
        return tuple(_text(name) for name in (self._r_name, self._i_name))

    @complex_names.setter
    def complex_names(self, names):
        real, imaginary = _pair(names, "complex_names")
        self._r_name, self._i_name = real, imaginary

    @property
    def bool_names(self):
        """Names of the two values by which an enumeration is known as a boolean."""
        return tuple(_text(name) for name in (self._f_name, self._t_name))

    @bool_names.setter
    def bool_names(self, names):
        false, true = _pair(names, "bool_names")
        self._f_name, self._t_name = false, true

    @property
    def read_byte_strings(self):
        return self.bytestring_io

    def __repr__(self):
        return f"<hyperslab configuration: complex_names={self.complex_names}, track_order={self.track_order}>"


def _text(name):
    return name.decode("utf-8")


def _pair(names, what):
    try:
        pair = [name.encode("utf-8") if isinstance(name, str) else bytes(name) for name in names]
    except TypeError:
        pair = []
    if len(pair) != 2:
        raise TypeError(f"{what} must be a pair of strings")
    return pair


_config = H5PYConfig()


def get_config():
    """The configuration of the package."""
    return _config


def get_libversion():
    """The version of HDF5 whose features this package offers."""
    return _versions.HDF5


_hints.get_config = get_config
