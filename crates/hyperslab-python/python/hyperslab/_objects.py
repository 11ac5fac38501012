"""What all low-level identifiers have in common, and the lock that h5py's callers know as ``phil``."""

import os
import threading
from contextlib import contextmanager
from functools import wraps
from itertools import count

_numbers = count(1 << 24)


class FastRLock:
    """A lock that one thread may take many times.

    The engine has no global lock and reads without it; it is here for programs that take h5py's.
    """

    def __init__(self):
        self._lock = threading.RLock()

    def acquire(self, blocking=True):
        return self._lock.acquire(blocking=blocking)

    def release(self):
        self._lock.release()

    def __enter__(self):
        self._lock.acquire()
        return self

    def __exit__(self, *_):
        self._lock.release()


phil = FastRLock()

if hasattr(os, "register_at_fork"):
    # A lock that another thread holds would stay locked in the child for ever.
    os.register_at_fork(before=phil.acquire, after_in_parent=phil.release, after_in_child=phil.release)


def with_phil(function):
    """Runs a function while holding ``phil``."""

    @wraps(function)
    def locked(*args, **kwargs):
        with phil:
            return function(*args, **kwargs)

    return locked


@contextmanager
def nothing():
    """A context that does nothing."""
    yield


class ObjectID:
    """Something that is open: a file, an object in it, or a description that lives in memory."""

    locked = False
    #: Given when somebody asks for it: most identifiers are never seen.
    _number = None
    _closed = False

    def __init__(self, number=None):
        if number is not None:
            self._number = number

    @property
    def id(self):
        """A number that no other identifier of this process has; 0 once closed."""
        if not self.valid:
            return 0
        if self._number is None:
            self._number = next(_numbers)
        return self._number

    @property
    def valid(self):
        """Whether it is still open."""
        return not self._closed

    def close(self):
        """Closes it; closing twice is nothing."""
        self._closed = True

    _close = close

    def _key(self):
        """What says that two identifiers are of one thing; ``None`` when only their numbers do."""
        return None

    def __bool__(self):
        return self.valid

    def __eq__(self, other):
        if not isinstance(other, ObjectID):
            return NotImplemented
        key = self._key()
        if key is None:
            return self is other or (self._number is not None and self._number == other._number)
        return key == other._key()

    def __hash__(self):
        key = self._key()
        if key is None:
            raise TypeError(f"{type(self).__name__} objects are not hashable")
        return hash(key)

    def __copy__(self):
        return self.copy() if hasattr(self, "copy") else self

    def __repr__(self):
        return f"<{type(self).__name__} {self.id}>"
