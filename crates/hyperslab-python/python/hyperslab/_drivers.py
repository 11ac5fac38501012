"""Files that are not simply files: in memory, or behind a Python file object."""

import os

from . import _handles, _native, h5fd

_TRUNCATE, _EXCLUSIVE, _WRITE = 2, 4, 1


def _core(name, flags, fapl, created=None):
    """A file in memory; with a backing store it is written to its name when it is flushed."""
    _, backing = fapl.get_fapl_core()
    image = fapl._values.get("image")
    writable = bool(flags & _WRITE)
    if created is not None:
        if flags & _EXCLUSIVE and os.path.exists(name):
            raise FileExistsError(17, "the file exists", os.fsdecode(name))
        if backing:
            open(name, "ab").close()
        native = _native.create_bytes(options=created)
    else:
        if image is None:
            with open(name, "rb") as file:
                image = file.read()
        native = _native.open_bytes(image, writable=writable)
    shared = _handles.SharedFile(native, bytes(name), writable)
    if backing and writable:
        shared.on_flush = lambda native: _store(name, native.image())
    return shared


def _store(name, data):
    with open(name, "wb") as file:
        file.write(data)


def _fileobj(name, flags, fapl, created=None):
    """A file behind an object with ``seek``, ``readinto`` or ``read``, ``write`` and ``truncate``."""
    fileobj = fapl._values["fileobj"]
    if not hasattr(fileobj, "seek") or not (hasattr(fileobj, "read") or hasattr(fileobj, "readinto")):
        raise TypeError(f"{fileobj!r} is no file object: it needs seek, and read or readinto")
    writable = bool(flags & _WRITE)
    if created is not None:
        native = _native.create_bytes(options=created)
    else:
        fileobj.seek(0)
        content = _content(fileobj)
        if writable and not content:
            # There is no file yet: where one may be made, as with mode 'a', it is.
            raise FileNotFoundError(2, "the file object is empty", os.fsdecode(name))
        native = _native.open_bytes(content, writable=writable)
    shared = _handles.SharedFile(native, bytes(name), writable)
    if writable:
        shared.on_flush = lambda native: _give(fileobj, native.image())
    return shared


def _content(fileobj):
    if hasattr(fileobj, "read"):
        return fileobj.read()
    size = fileobj.seek(0, os.SEEK_END)
    data = bytearray(size)
    fileobj.seek(0)
    fileobj.readinto(data)
    return bytes(data)


def _give(fileobj, data):
    fileobj.seek(0)
    fileobj.write(data)
    fileobj.truncate(len(data))
    if hasattr(fileobj, "flush"):
        fileobj.flush()


openers = {h5fd.CORE: _core, h5fd.fileobj_driver: _fileobj}

