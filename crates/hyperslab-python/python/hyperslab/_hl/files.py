"""Files."""

import os
import uuid
import warnings
from itertools import count

from .. import h5, h5f, h5i
from .._objects import ObjectID, phil, with_phil  # noqa: F401
from . import base
from .compat import filename_decode, filename_encode
from .fileprops import DRIVER_NAMES, LIBVER_NAMES, drivers, make_fapl, make_fcpl, make_fid
from .group import Group

_drivers = drivers
direct_vfd = False
mpi = ros3 = False

_in_memory = count()


def register_driver(name, set_fapl):
    """Makes a driver known by a name: ``set_fapl(plist, **kwargs)`` sets it in a property list."""
    drivers[name] = set_fapl


def unregister_driver(name):
    """Forgets a driver."""
    del drivers[name]


def registered_drivers():
    """The names of all drivers."""
    return frozenset(drivers)


class File(Group):
    """An HDF5 file; as a group it is the file's root group.

    name
        A path, or an object with ``seek`` and ``read`` or ``readinto`` (and ``write``, ``truncate``, ``flush`` to write).
    mode
        r reads, r+ reads and writes, w makes anew in the place of what is there, w- or x makes anew, a reads and writes what is
        there or else makes it.
    driver, libver, userblock_size, swmr, rdcc_nslots, rdcc_nbytes, rdcc_w0, track_order, fs_strategy, fs_persist, fs_threshold,
    fs_page_size, page_buf_size, min_meta_keep, min_raw_keep, locking, alignment_threshold, alignment_interval, meta_block_size
        As in h5py. The sizes of libhdf5's caches and buffers are kept and given back; the engine has its own.
    vds_missing
        What reading a virtual dataset does where a source is missing: ``'fill'`` gives the fill value, ``'warn'`` warns too, and
        ``'error'`` raises. ``Dataset.gaps()`` tells what is missing.
    sources
        Which other files may be opened for virtual datasets, external links and raw files: ``'anywhere'``, as in h5py, ``'tree'``
        for those in the directory of the file and below, ``'none'``, or a list of directories. The environment variable
        ``HYPERSLAB_SOURCES`` says it for files of which nothing is said.
    limits
        How much the file may ask for before it is refused, as a dictionary of names and numbers; an error that meets a limit
        names it.
    """

    def __init__(self, name, mode="r", driver=None, libver=None, userblock_size=None, swmr=False, rdcc_nslots=None,
                 rdcc_nbytes=None, rdcc_w0=None, track_order=None, fs_strategy=None, fs_persist=False, fs_threshold=1,
                 fs_page_size=None, page_buf_size=None, min_meta_keep=0, min_raw_keep=0, locking=None, alignment_threshold=1,
                 alignment_interval=1, meta_block_size=None, *, track_times=False, vds_missing="fill",
                 limits=None, sources=None, **kwds):  # fmt: skip
        if isinstance(name, ObjectID):
            super().__init__(name if isinstance(name, h5f.FileID) else h5i.get_file_id(name))
            return
        if vds_missing not in ("fill", "warn", "error"):
            raise ValueError(f"vds_missing is 'fill', 'warn' or 'error', not {vds_missing!r}")
        if driver == "ros3":
            raise ValueError("hyperslab has no ROS3 support, can't use ros3 driver")
        if swmr and mode != "r":
            warnings.warn(
                "swmr=True only affects read ('r') mode. For swmr write mode, set f.swmr_mode = True after opening the file.",
                stacklevel=2,
            )
        if fs_strategy and mode not in ("w", "w-", "x", "a"):
            raise ValueError("Unable to set file space strategy of an existing file")
        given = dict(
            driver=driver, libver=libver, swmr=swmr, rdcc_nslots=rdcc_nslots, rdcc_nbytes=rdcc_nbytes, rdcc_w0=rdcc_w0,
            page_buf_size=page_buf_size, min_meta_keep=min_meta_keep, min_raw_keep=min_raw_keep, locking=locking,
            alignment_threshold=alignment_threshold, alignment_interval=alignment_interval, meta_block_size=meta_block_size,
            vds_missing=vds_missing, limits=limits, sources=sources, **kwds,
        )  # fmt: skip
        name, driver, kwds = _named(name, driver, kwds)
        fapl = make_fapl(
            driver, libver, rdcc_nslots, rdcc_nbytes, rdcc_w0, locking, page_buf_size, min_meta_keep, min_raw_keep,
            alignment_threshold, alignment_interval, meta_block_size, **kwds,
        )  # fmt: skip
        if limits:
            fapl._values["limits"] = dict(limits)
        if sources is not None:
            fapl._values["sources"] = sources if isinstance(sources, str) else ":".join(map(os.fspath, sources))
        fcpl = None
        if mode not in ("r", "r+"):
            track_order = h5.get_config().track_order if track_order is None else track_order
            fcpl = make_fcpl(track_order, track_times, fs_strategy, fs_persist, fs_threshold, fs_page_size)
        fid = make_fid(name, mode, userblock_size, fapl, fcpl, swmr)
        fid._opened.describe(given=given, vds_missing=vds_missing)
        if isinstance(libver, tuple):
            # libhdf5 gives the bounds back as they were asked for.
            fid._opened.options["fapl"] = fapl
        super().__init__(fid)

    @classmethod
    def _of(cls, fid):
        made = cls.__new__(cls)
        Group.__init__(made, fid)
        return made

    @classmethod
    def in_memory(cls, file_image=None, **kwargs):
        """A file in memory: a new one, or one with these bytes. ``f.id.get_file_image()`` gives its bytes."""
        for key in ("driver", "locking", "backing_store") if file_image is None else kwargs:
            if key in kwargs:
                if file_image is not None and key in ("mode", "track_order"):
                    raise TypeError(f"{key} parameters cannot be used with file_image")
                if file_image is None:
                    raise TypeError(f"File.in_memory() got an unexpected keyword argument {key!r}")
        block_size = kwargs.pop("block_size", 64 * 1024)
        plist_keys = {key: kwargs.pop(key) for key in list(kwargs) if key in _CREATION}
        if file_image is not None and (plist_keys or "userblock_size" in kwargs):
            named = ", ".join([*plist_keys, *(["userblock_size"] if "userblock_size" in kwargs else [])])
            raise TypeError(f"{named} parameters cannot be used with file_image")
        userblock_size = kwargs.pop("userblock_size", None)
        fapl = make_fapl("core", backing_store=False, block_size=block_size, **kwargs)
        name = f"in-memory-{next(_in_memory)}-{uuid.uuid4().hex[:8]}".encode()
        if file_image is not None:
            fapl.set_file_image(bytes(file_image))
            fid = h5f.open(name, h5f.ACC_RDWR, fapl)
        else:
            if plist_keys.get("track_order") is None:
                plist_keys["track_order"] = h5.get_config().track_order
            fid = make_fid(name, "w", userblock_size, fapl, make_fcpl(**plist_keys))
        return cls._of(fid)

    # What it is

    @property
    def attrs(self):
        """The attributes of the root group."""
        return base.attrs.AttributeManager(self["/"])

    @property
    def file(self):
        """This file."""
        return self if self.id else super().file

    @property
    def filename(self):
        """The name it was opened by."""
        self.id._need()
        return filename_decode(h5f.get_name(self.id))

    @property
    def driver(self):
        """How its bytes are reached."""
        return DRIVER_NAMES.get(self.id.get_access_plist().get_driver(), "unknown")

    @property
    def mode(self):
        """r or r+."""
        return "r+" if self.id.get_intent() & (h5f.ACC_RDWR | h5f.ACC_SWMR_WRITE) else "r"

    @property
    def libver(self):
        """The oldest and newest format that is written."""
        return tuple(LIBVER_NAMES[one] for one in self.id.get_access_plist().get_libver_bounds())

    @property
    def userblock_size(self):
        """Bytes before the HDF5 file proper."""
        return self.id.get_create_plist().get_userblock()

    @property
    def meta_block_size(self):
        """Kept and given back, without effect."""
        return self.id.get_access_plist().get_meta_block_size()

    @property
    def swmr_mode(self):
        """Whether readers may follow the file while it is written; set it to begin."""
        return bool(self.id.get_intent() & (h5f.ACC_SWMR_READ | h5f.ACC_SWMR_WRITE))

    @swmr_mode.setter
    def swmr_mode(self, value):
        if not value:
            raise ValueError("It is not possible to forcibly switch SWMR mode off.")
        self.id.start_swmr_write()

    def writer_state(self):
        """What became of whoever writes the file: 'writing', 'closed', 'died', 'replaced' or 'deleted'."""
        self.id._need()
        return self.id._opened.native.writer_state()

    @property
    def retries(self):
        """How often something in a live file was found half written and read again, by the kind of structure."""
        self.id._need()
        return self.id._opened.native.retries

    # Endings

    def close(self):
        """Closes the file and everything that was opened through it."""
        if self.id.valid:
            self.id.close()

    def flush(self):
        """Writes to the file what was changed."""
        h5f.flush(self.id)

    def flush_together(self, datasets):
        """Writes to the file what was changed in some datasets.

        In SWMR mode readers see them change in the order given, so the last may count what the others have.
        """
        shared = self.id._opened.shared
        if shared.on_flush is not None:
            shared.flush()
        else:
            shared.native.flush_together([dataset.id._dataset for dataset in datasets])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.id:
            self.close()

    # Elsewhere

    def _reopening(self):
        """Name, mode and options by which this file can be opened again."""
        options = self.id._opened.options
        if self.driver in ("core", "fileobj"):
            raise TypeError("a file in memory cannot be pickled")
        return os.path.abspath(self.filename), self.mode, options.get("given", {})

    def __reduce__(self):
        name, mode, given = self._reopening()
        return _open_again, (name, mode, given)

    def __getnewargs__(self):
        return self._reopening()

    def __dask_tokenize__(self):
        status = os.stat(self.filename)
        return "File", os.path.abspath(self.filename), status.st_mtime_ns, status.st_size

    def __repr__(self):
        if not self.id:
            return "<Closed HDF5 file>"
        return f'<HDF5 file "{os.path.basename(self.filename)}" (mode {self.mode})>'


_CREATION = ("track_order", "track_times", "fs_strategy", "fs_persist", "fs_threshold", "fs_page_size")


def _open_again(name, mode, given):
    return File(name, mode, **given)


def _named(name, driver, kwds):
    """The bytes of the name, and the driver: a Python file object has its own."""
    if not (hasattr(name, "read") or hasattr(name, "readinto")):
        return filename_encode(name), driver, kwds
    if driver not in (None, "fileobj"):
        raise ValueError("Driver must be 'fileobj' for file-like object if specified.")
    if kwds.get("fileobj", name) is not name:
        raise ValueError("Invalid value of 'fileobj' argument; must equal to file-like object if specified.")
    return repr(name).encode("ascii", "replace"), "fileobj", {**kwds, "fileobj": name}


