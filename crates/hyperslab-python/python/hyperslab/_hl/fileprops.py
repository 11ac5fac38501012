"""From the keywords of ``File`` to property lists."""

from .. import h5f, h5fd, h5p

LIBVERS = {
    "earliest": h5f.LIBVER_EARLIEST,
    "latest": h5f.LIBVER_LATEST,
    "v108": h5f.LIBVER_V18,
    "v110": h5f.LIBVER_V110,
    "v112": h5f.LIBVER_V112,
    "v114": h5f.LIBVER_V114,
    "v200": h5f.LIBVER_V200,
}
LIBVER_NAMES = {number: name for name, number in LIBVERS.items()}

STRATEGIES = {
    "fsm": h5f.FSPACE_STRATEGY_FSM_AGGR,
    "page": h5f.FSPACE_STRATEGY_PAGE,
    "aggregate": h5f.FSPACE_STRATEGY_AGGR,
    "none": h5f.FSPACE_STRATEGY_NONE,
}

TRACKED = h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED


def _fileobj(plist, fileobj=None):
    plist.set_fileobj_driver(h5fd.fileobj_driver, fileobj)


def _no_mpi():
    raise ValueError("hyperslab has no MPI support, so there is no mpio driver")


drivers = {
    "sec2": lambda plist, **options: plist.set_fapl_sec2(**options),
    "stdio": lambda plist, **options: plist.set_fapl_stdio(**options),
    "core": lambda plist, **options: plist.set_fapl_core(**options),
    "family": lambda plist, **options: plist.set_fapl_family(memb_fapl=plist.copy(), **options),
    "split": lambda plist, **options: plist.set_fapl_split(**options),
    "mpio": lambda plist, **options: _no_mpi(),
    "fileobj": _fileobj,
}

DRIVER_NAMES = {
    h5fd.SEC2: "sec2",
    h5fd.STDIO: "stdio",
    h5fd.CORE: "core",
    h5fd.FAMILY: "family",
    h5fd.MULTI: "split",
    h5fd.fileobj_driver: "fileobj",
}


def make_fapl(driver=None, libver=None, rdcc_nslots=None, rdcc_nbytes=None, rdcc_w0=None, locking=None, page_buf_size=None,
              min_meta_keep=0, min_raw_keep=0, alignment_threshold=1, alignment_interval=1, meta_block_size=None,
              **options):  # fmt: skip
    """How a file is opened."""
    plist = h5p.create(h5p.FILE_ACCESS)
    if libver is not None:
        plist.set_libver_bounds(*_bounds(libver))
    if (alignment_threshold, alignment_interval) != (1, 1):
        plist.set_alignment(alignment_threshold, alignment_interval)
    given = (None, rdcc_nslots, rdcc_nbytes, rdcc_w0)
    if given != (None, None, None, None):
        plist.set_cache(*(old if new is None else new for old, new in zip(plist.get_cache(), given)))
    if page_buf_size:
        plist.set_page_buffer_size(int(page_buf_size), int(min_meta_keep), int(min_raw_keep))
    if meta_block_size is not None:
        plist.set_meta_block_size(int(meta_block_size))
    if locking is not None:
        set_locking(plist, locking)
    if driver is None:
        if options:
            raise TypeError(f"{next(iter(options))!r} is an invalid keyword argument for this function")
        return plist
    if driver not in drivers:
        raise ValueError(f"Unknown driver type {driver!r}")
    drivers[driver](plist, **options)
    return plist


def _bounds(libver):
    if isinstance(libver, str):
        return LIBVERS[libver], h5f.LIBVER_LATEST
    low, high = (LIBVERS[one] for one in libver)
    return low, high


def set_locking(plist, locking):
    """Puts ``locking=`` of ``File`` into a property list."""
    if locking in ("false", False):
        plist.set_file_locking(False, False)
    elif locking in ("true", True):
        plist.set_file_locking(True, False)
    elif locking == "best-effort":
        plist.set_file_locking(True, True)
    else:
        raise ValueError(f"Unsupported locking value: {locking}")


def make_fcpl(track_order=False, track_times=False, fs_strategy=None, fs_persist=False, fs_threshold=1, fs_page_size=None):
    """How a file is made."""
    plist = h5p.create(h5p.FILE_CREATE)
    if track_order:
        plist.set_link_creation_order(TRACKED)
        plist.set_attr_creation_order(TRACKED)
    if track_times not in (True, False, None):
        raise TypeError("track_times must be either True or False")
    plist.set_obj_track_times(bool(track_times))
    if fs_strategy:
        if fs_strategy not in STRATEGIES:
            raise ValueError("Invalid file space strategy type")
        plist.set_file_space_strategy(STRATEGIES[fs_strategy], fs_persist, fs_threshold)
        if fs_page_size and fs_strategy == "page":
            plist.set_file_space_page_size(int(fs_page_size))
    return plist


def make_fid(name, mode, userblock_size, fapl, fcpl=None, swmr=False):
    """Opens or makes a file as ``mode`` says."""
    if userblock_size is not None:
        if mode in ("r", "r+"):
            raise ValueError("User block may only be specified when creating a file")
        try:
            userblock_size = int(userblock_size)
        except (TypeError, ValueError):
            raise ValueError("User block size must be an integer") from None
        fcpl = h5p.create(h5p.FILE_CREATE) if fcpl is None else fcpl
        fcpl.set_userblock(userblock_size)
    fid = _opened(name, mode, fapl, fcpl, swmr)
    if userblock_size is not None and fid.get_create_plist().get_userblock() != userblock_size:
        found = fid.get_create_plist().get_userblock()
        fid.close()
        raise ValueError(f"Requested userblock size ({userblock_size}) does not match that of existing file ({found})")
    return fid


def _opened(name, mode, fapl, fcpl, swmr):
    if mode == "r":
        return h5f.open(name, h5f.ACC_RDONLY | (h5f.ACC_SWMR_READ if swmr else 0), fapl)
    if mode == "r+":
        return h5f.open(name, h5f.ACC_RDWR, fapl)
    if mode in ("w-", "x"):
        return h5f.create(name, h5f.ACC_EXCL, fcpl, fapl)
    if mode == "w":
        return h5f.create(name, h5f.ACC_TRUNC, fcpl, fapl)
    if mode != "a":
        raise ValueError("Invalid mode; must be one of r, r+, w, w-, x, a")
    # What is no file behind a Python object is known only by trying to open it.
    missing = OSError if fapl.get_driver() in (h5fd.CORE, h5fd.STDIO) else FileNotFoundError
    try:
        fid = h5f.open(name, h5f.ACC_RDWR, fapl)
    except missing:
        return h5f.create(name, h5f.ACC_EXCL, fcpl, fapl)
    if fcpl is not None and "file_space_strategy" in fcpl._values:
        fid.close()
        raise ValueError("Unable to set file space strategy of an existing file")
    return fid
