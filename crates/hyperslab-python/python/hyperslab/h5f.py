"""Files: opening, creating and closing them."""

import gc
import os
from typing import NamedTuple

from . import _handles, _native, h5a, h5ac, h5d, h5p, h5t
from ._nodes import node
from ._objects import ObjectID, phil, with_phil  # noqa: F401
from .h5g import GroupID

ACC_RDONLY, ACC_RDWR, ACC_TRUNC, ACC_EXCL, ACC_SWMR_WRITE, ACC_SWMR_READ = 0, 1, 2, 4, 32, 64
CLOSE_DEFAULT, CLOSE_WEAK, CLOSE_SEMI, CLOSE_STRONG = range(4)
OBJ_FILE, OBJ_DATASET, OBJ_GROUP, OBJ_DATATYPE, OBJ_ATTR, OBJ_ALL, OBJ_LOCAL = 1, 2, 4, 8, 16, 31, 32
SCOPE_LOCAL, SCOPE_GLOBAL = 0, 1
LIBVER_EARLIEST, LIBVER_V18, LIBVER_V110, LIBVER_V112, LIBVER_V114, LIBVER_V200 = range(6)
LIBVER_LATEST = LIBVER_V200
FSPACE_STRATEGY_FSM_AGGR, FSPACE_STRATEGY_PAGE, FSPACE_STRATEGY_AGGR, FSPACE_STRATEGY_NONE = range(4)
FILE_IMAGE_OPEN_RW = 1
UNLIMITED = 2**64 - 1


class PageStats(NamedTuple):
    """Numbers of a page buffer: one of metadata, one of raw data."""

    meta: int
    raw: int


class PageBufStats(NamedTuple):
    """What a page buffer did."""

    acc: PageStats
    hits: PageStats
    miss: PageStats
    evict: PageStats
    bypass: PageStats


class FileID(GroupID):
    """An open file; as a location it is its root group."""

    _what = "file"

    def __init__(self, opened, fcpl=None):
        super().__init__(opened, opened.native.root(), b"/")
        self._fcpl = fcpl

    @property
    def name(self):
        return self._opened.shared.path

    def close(self):
        """Closes the file and everything that was opened through it."""
        super().close()
        self._opened.close()

    _close = close

    def _close_open_objects(self, types):
        if types & OBJ_FILE:
            self._opened.close()

    def reopen(self):
        return FileID(_handles.OpenFile(self._opened.shared, **self._opened.options))

    def flush(self):
        flush(self)

    def get_filesize(self):
        self._need()
        return self._opened.native.size

    def get_create_plist(self):
        self._need()
        plist = h5p.create(h5p.FILE_CREATE)
        plist._values.update(self._created_with())
        plist._values["userblock"] = self._opened.native.user_block
        fcpl = self._opened.shared.fcpl
        if fcpl is not None:
            # What the file does not keep is known as long as it is open.
            plist.set_file_space_strategy(*fcpl.get_file_space_strategy())
            plist.set_file_space_page_size(fcpl.get_file_space_page_size())
        return plist

    def get_access_plist(self):
        self._need()
        fapl = self._opened.options.get("fapl")
        return h5p.create(h5p.FILE_ACCESS) if fapl is None else fapl.copy()

    def get_freespace(self):
        return 0

    def get_intent(self):
        self._need()
        shared = self._opened.shared
        if not shared.writable or self._opened.options.get("mode") == "r":
            return ACC_SWMR_READ if self._opened.options.get("swmr") else ACC_RDONLY
        return ACC_RDWR | (ACC_SWMR_WRITE if shared.swmr else 0)

    def get_vfd_handle(self, fapl=None):
        self._need()
        return self._opened.shared.descriptor()

    def get_file_image(self):
        self._need()
        return self._opened.native.image()

    def start_swmr_write(self):
        self._need_writable("start writing for readers", RuntimeError)
        shared = self._opened.shared
        try:
            shared.native.start_swmr()
        except ValueError as error:
            raise RuntimeError(str(error)) from None
        shared.swmr = True
        shared.warn_of_mount(4)

    # The engine has no metadata cache of libhdf5's kind: these answer as an idle one would.

    def get_mdc_config(self):
        return h5ac.CacheConfig()

    def set_mdc_config(self, config):
        pass

    def get_mdc_hit_rate(self):
        return 0.0

    def get_mdc_size(self):
        return 0, 0, 0, 0

    def reset_mdc_hit_rate_stats(self):
        pass

    def get_page_buffering_stats(self):
        size = self.get_access_plist().get_page_buffer_size()[0]
        if not size:
            raise RuntimeError("the file has no page buffer")
        return PageBufStats(*(PageStats(0, 0) for _ in range(5)))

    def reset_page_buffering_stats(self):
        self.get_page_buffering_stats()


def _limits(fapl):
    return {} if fapl is None else fapl._values.get("limits", {})


def _sources(fapl):
    """Which other files may be opened, if that was said."""
    return None if fapl is None else fapl._values.get("sources")


def _locking(fapl):
    """The locking of a property list; the environment has the last word, in the engine."""
    wanted, lenient = (True, True) if fapl is None else fapl.get_file_locking()
    return ("best-effort" if lenient else "true") if wanted else "false"


def _asked(fapl):
    """The locking that was asked for, ``None`` when nothing was said."""
    return None if fapl is None else fapl._values.get("file_locking")


def open(name, flags=ACC_RDWR, fapl=None):
    """Opens a file that is there."""
    writable = bool(flags & ACC_RDWR)
    options = {"fapl": fapl, "mode": "r+" if writable else "r", "swmr": bool(flags & (ACC_SWMR_READ | ACC_SWMR_WRITE))}
    live = options["swmr"] and not writable
    shared = None if fapl is not None and fapl.is_memory() else _handles.found(name, live)
    if shared is not None:
        if writable and not shared.writable:
            raise OSError(f"unable to open file {os.fsdecode(name)!r} to write: it is open to read already")
        if None not in (shared.locking, _asked(fapl)) and shared.locking != _asked(fapl):
            raise OSError(f"unable to open file {os.fsdecode(name)!r}: it is open already, with another locking")
        return FileID(_handles.OpenFile(shared, **options))
    how = dict(
        writable=writable, swmr=options["swmr"], locking=_locking(fapl), limits=_limits(fapl),
        sources=_sources(fapl)
    )  # fmt: skip
    if fapl is not None and fapl.opens() is not None:
        shared = fapl.opens()(name, flags, fapl, {**how, "swmr": False})
    else:
        native = _native.open(name, how)
        shared = _handles.keep(native, name, writable, live)
        shared.how = how
        shared.swmr = bool(writable and flags & ACC_SWMR_WRITE)
        if options["swmr"]:
            shared.warn_of_mount(6)
        shared.locking = _asked(fapl)
    return FileID(_handles.OpenFile(shared, **options))


def create(name, flags=ACC_TRUNC, fcpl=None, fapl=None):
    """Makes a new file, in the place of an old one when ``flags`` is ``ACC_TRUNC``."""
    options = {"fapl": fapl, "mode": "r+"}
    created = _creation(fcpl, fapl)
    if fapl is not None and fapl.opens() is not None:
        shared = fapl.opens()(name, flags | ACC_RDWR, fapl, {"created": created})
        shared.fcpl = fcpl
        return FileID(_handles.OpenFile(shared, **options))
    if _handles.found(name) is not None:
        raise OSError(f"unable to truncate a file which is already open: {os.fsdecode(name)!r}")
    native = _native.create(name, exclusive=bool(flags & ACC_EXCL), locking=_locking(fapl), options=created)
    shared = _handles.keep(native, name, True)
    shared.made, shared.fcpl = True, fcpl
    shared.locking = _asked(fapl)
    return FileID(_handles.OpenFile(shared, **options))


def _creation(fcpl, fapl):
    """What the engine is told about a new file."""
    fcpl = h5p.create(h5p.FILE_CREATE) if fcpl is None else fcpl
    low, high = (0, LIBVER_LATEST) if fapl is None else fapl.get_libver_bounds()
    strategy, persist, threshold = fcpl.get_file_space_strategy()
    return {
        "userblock": fcpl.get_userblock(),
        "track_order": bool(fcpl.get_link_creation_order() & h5p.CRT_ORDER_TRACKED),
        "attribute_order": bool(fcpl.get_attr_creation_order() & h5p.CRT_ORDER_TRACKED),
        "low": low,
        "high": high,
        "strategy": strategy,
        "persist": persist,
        "threshold": threshold,
        "page_size": fcpl.get_file_space_page_size(),
        "alignment": (1, 1) if fapl is None else fapl.get_alignment(),
    }


def open_file_image(image, flags=0):
    """A file whose bytes are given; changes to it stay in memory."""
    writable = bool(flags & FILE_IMAGE_OPEN_RW)
    native = _native.open_bytes(image, {"writable": writable})
    shared = _handles.SharedFile(native, b"", writable)
    return FileID(_handles.OpenFile(shared, mode="r+" if writable else "r", image=True))


def flush(obj, scope=SCOPE_LOCAL):
    """Writes what was changed to the file."""
    place = node(obj)
    place._need()
    place._opened.shared.flush()


def is_hdf5(name):
    """Whether there is a file that begins like an HDF5 file, perhaps behind a user block."""
    signature, offset = b"\x89HDF\r\n\x1a\n", 0
    try:
        with os.fdopen(os.open(name, os.O_RDONLY), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            while offset + len(signature) <= size:
                file.seek(offset)
                if file.read(len(signature)) == signature:
                    return True
                offset = offset * 2 if offset else 512
    except OSError:
        return False
    return False


def get_name(obj):
    """The name of the file an object is in."""
    return node(obj)._opened.shared.path


def get_obj_count(where=OBJ_ALL, types=OBJ_ALL):
    """How many identifiers are open, of a file or of all."""
    return len(get_obj_ids(where, types))


def get_obj_ids(where=OBJ_ALL, types=OBJ_ALL):
    """The identifiers that are open, of a file or of all."""
    file = where._opened if isinstance(where, FileID) else None
    found = []
    # Nobody keeps a list of them; Python knows all objects there are.
    for one in gc.get_objects():
        if isinstance(one, ObjectID) and types & _obj_type(one) and one.valid:
            opened = getattr(node(getattr(one, "_parent", one)), "_opened", None)
            local = opened is file if types & OBJ_LOCAL else file is not None and opened.shared is file.shared
            if file is None or local:
                found.append(one)
    return found


def _obj_type(one):
    """The kind of an identifier of something in a file; 0 of anything else."""
    if isinstance(one, FileID):
        return OBJ_FILE
    if isinstance(one, h5t.TypeID):
        return OBJ_DATATYPE if getattr(one, "_node", None) is not None else 0
    kinds = ((GroupID, OBJ_GROUP), (h5d.DatasetID, OBJ_DATASET), (h5a.AttrID, OBJ_ATTR))
    return next((number for kind, number in kinds if isinstance(one, kind)), 0)


def mount(loc, name, fid):
    raise NotImplementedError("h5f.mount")


def unmount(loc, name):
    raise NotImplementedError("h5f.unmount")
