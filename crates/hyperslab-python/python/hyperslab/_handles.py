"""Files that are open: each file once, however many times a program opened it."""

import os
import threading
import warnings

from . import _native

_lock = threading.RLock()
_shared: "dict[tuple, SharedFile]" = {}
#: Files whose users were warned of where they are.
_warned: "set[tuple]" = set()


class SharedFile:
    """The engine's handle on a file, shared by all who opened it."""

    users = 0
    #: Called with the file's bytes when it is flushed or closed, for files that are in memory.
    on_flush = None
    #: Called once it is closed.
    on_close = None
    #: How the file was made, when it was made here.
    fcpl = None
    swmr = False
    #: Whether it is read while somebody else may be writing it.
    live = False
    #: Whether it was made by this handle, and nobody can have had it open before.
    made = False
    #: How the file was asked to be locked when it was first opened, if that was said.
    locking = None
    #: What the engine was told when it opened the file.
    how = {}
    _descriptor = None

    def __init__(self, native, path, writable, key=None):
        self.native = native
        self.path = path
        self.writable = writable
        self.key = key

    def descriptor(self):
        """A descriptor of the file, for programs that ask for one; a number of its own for a file in memory."""
        if self.key is None:
            return id(self.native)
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR if self.writable else os.O_RDONLY)
        return self._descriptor

    def warn_of_mount(self, depth):
        """Warns, once for each file, when readers may not see what is written there."""
        if self.key is None or self.key[:2] in _warned:
            return
        caution = self.native.caution
        # On the layers of a container only files matter that somebody has open since before.
        if caution is not None and not (self.made and "overlay" in caution):
            _warned.add(self.key[:2])
            warnings.warn(f"{os.fsdecode(self.path)}: the file {caution}", stacklevel=depth)

    def flush(self, durable=False):
        if self.writable:
            if durable:
                self.native.sync()
            else:
                self.native.flush()
            if self.on_flush is not None:
                self.on_flush(self.native)

    def flush_dataset(self, dataset, durable=False):
        """Writes what waits for one dataset, and of a file that nobody reads meanwhile all."""
        if self.on_flush is not None:
            self.flush(durable)
        elif self.writable:
            dataset.flush(durable)

    def settle(self):
        """Has the engine place what waits; a live file is flushed only when it is asked for."""
        if not self.swmr:
            self.flush()

    def release(self):
        with _lock:
            self.users -= 1
            if self.users > 0:
                return
            if self.key is not None and _shared.get(self.key) is self:
                del _shared[self.key]
        try:
            self.flush()
        finally:
            if self._descriptor is not None:
                os.close(self._descriptor)
            # Whoever still has a closed handle holds no lock by it.
            self.native.close()
            if self.on_close is not None:
                self.on_close()
            self.on_flush = self.on_close = None


class OpenFile:
    """One opening of a file: what was opened through it closes with it."""

    def __init__(self, shared, **options):
        self.shared = shared
        self.open = True
        #: What the file was opened with, so that a copy of the handle can be opened elsewhere.
        self.options = options
        #: Whether missing sources of virtual datasets are looked for before each read.
        self.checks_sources = options.get("vds_missing", "fill") != "fill"
        with _lock:
            shared.users += 1

    def describe(self, **options):
        """Keeps more of what the file was opened with."""
        self.options.update(options)
        self.checks_sources = self.options.get("vds_missing", "fill") != "fill"

    @property
    def native(self):
        return self.shared.native

    def close(self):
        if self.open:
            self.open = False
            # A Python file object goes when nobody else has it.
            self.options.pop("fapl", None)
            self.shared.release()

    def __del__(self):
        try:
            self.close()
        except Exception:  # nobody is there to hear of it
            pass


def key_of(path):
    """What a file is, whatever it is called; ``None`` when there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def found(path, live=False):
    """The file at ``path`` if it is open already; who follows a file shares it only with others who do."""
    if not _shared:
        return None
    key = key_of(path)
    with _lock:
        return None if key is None else _shared.get((*key, live))


def keep(native, path, writable, live=False):
    """Shares a file that was just opened."""
    key = native.identity or key_of(path)
    shared = SharedFile(native, path, writable, None if key is None else (*key, live))
    shared.live = live
    with _lock:
        if shared.key is not None:
            _shared[shared.key] = shared
    return shared


def beside(file, native, opened):
    """The opening of the file that an external link led to from ``opened``, and the object in it.

    The other file can be written when the first one can.
    """
    path = os.fsencode(file.path)
    live = opened.shared.live
    shared = found(path, live)
    if shared is not None and shared.native.same(file):
        return OpenFile(shared, **opened.options), native
    where = native.path
    if shared is None and opened.shared.writable and os.access(path, os.W_OK):
        # What was opened to follow the link would keep out who writes.
        file.close()
        shared = _reopened(path, opened.shared.how)
    if shared is None:
        shared = SharedFile(native.file, path, False)
        shared.live = live
        return OpenFile(shared, **opened.options), native
    root = shared.native.root()
    return OpenFile(shared, **opened.options), root if where.strip(b"/") == b"" else root.object(where)


def _reopened(path, how):
    """The file at ``path``, opened to write if that is to be had, under what was said of the one that led to it."""
    how = {**how, "swmr": False}
    try:
        shared = keep(_native.open(path, {**how, "writable": True}), path, True)
    except OSError:
        shared = keep(_native.open(path, {**how, "writable": False}), path, False)
    shared.how = how
    return shared


def _in_child():
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
