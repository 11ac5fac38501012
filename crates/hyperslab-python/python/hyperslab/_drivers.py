"""Files that are not simply files: in memory, or behind a Python file object."""

import os
import threading

from . import _handles, _native, h5fd

_TRUNCATE, _EXCLUSIVE, _WRITE = 2, 4, 1


def _core(name, flags, fapl, how):
    """A file in memory; with a backing store it is written to its name when it is flushed."""
    _, backing = fapl.get_fapl_core()
    image = fapl._values.get("image")
    writable = bool(flags & _WRITE)
    if "created" in how:
        if flags & _EXCLUSIVE and os.path.exists(name):
            raise FileExistsError(17, "the file exists", os.fsdecode(name))
        if backing:
            open(name, "ab").close()
        native = _native.create_bytes(options=how["created"])
    else:
        if image is None:
            with open(name, "rb") as file:
                image = file.read()
        native = _native.open_bytes(image, how)
    shared = _handles.SharedFile(native, bytes(name), writable)
    if backing and writable:
        shared.on_flush = lambda native: _store(name, native.image())
    return shared


def _store(name, data):
    with open(name, "wb") as file:
        file.write(data)


class _Stream:
    """Bytes at offsets of an object with ``seek``, ``readinto`` or ``read``, ``write`` and ``truncate``."""

    def __init__(self, fileobj):
        self._fileobj = fileobj
        # Where it reads is part of the object: one at a time.
        self._lock = threading.RLock()

    def length(self):
        with self._lock:
            end = self._fileobj.seek(0, os.SEEK_END)
            return self._fileobj.tell() if end is None else end

    def read_at(self, offset, length):
        with self._lock:
            self._fileobj.seek(offset)
            if not hasattr(self._fileobj, "readinto"):
                return self._read(length)
            data = bytearray(length)
            view, done = memoryview(data), 0
            while done < length:
                count = self._fileobj.readinto(view[done:])
                if not count:
                    break
                done += count
            return bytes(data if done == length else data[:done])

    def _read(self, length):
        parts = []
        while length > 0:
            part = self._fileobj.read(length)
            if not part:
                break
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def write_at(self, offset, data):
        with self._lock:
            self._fileobj.seek(offset)
            view = memoryview(data)
            while len(view):
                count = self._fileobj.write(view)
                view = view[len(view) if count is None else count :]

    def truncate(self, length):
        with self._lock:
            there = self.length()
            if there > length:
                self._fileobj.truncate(length)
            elif there < length:
                self.write_at(length - 1, b"\0")

    def close(self):
        """Lets go of the object, which may be the only place it is kept."""
        self._fileobj = None

    def flush(self):
        with self._lock:
            if hasattr(self._fileobj, "flush"):
                self._fileobj.flush()


def _fileobj(name, flags, fapl, how):
    """A file behind a Python file object."""
    fileobj = fapl._values["fileobj"]
    if not hasattr(fileobj, "seek") or not (hasattr(fileobj, "read") or hasattr(fileobj, "readinto")):
        raise TypeError(f"{fileobj!r} is no file object: it needs seek, and read or readinto")
    writable, stream = bool(flags & _WRITE), _Stream(fileobj)
    if "created" in how:
        stream.truncate(0)
        native = _native.create_stream(stream, options=how["created"])
    elif writable and not stream.length():
        # There is no file yet: where one may be made, as with mode 'a', it is.
        raise FileNotFoundError(2, "the file object is empty", os.fsdecode(name))
    else:
        native = _native.open_stream(stream, how)
    shared = _handles.SharedFile(native, bytes(name), writable)
    if writable:
        shared.on_flush = lambda _: stream.flush()
    shared.on_close = stream.close
    return shared


openers = {h5fd.CORE: _core, h5fd.fileobj_driver: _fileobj}
