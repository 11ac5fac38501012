"""Where libhdf5 looks for plugins; the engine has its filters built in, so the list has no effect."""

import os

_paths = [os.fsencode(path) for path in os.environ.get("HDF5_PLUGIN_PATH", "/usr/local/hdf5/lib/plugin").split(os.pathsep)]


def _checked(index):
    if not 0 <= index < len(_paths):
        raise RuntimeError(f"there is no plugin path with number {index}")
    return index


def append(search_path):
    _paths.append(search_path)


def prepend(search_path):
    _paths.insert(0, search_path)


def insert(search_path, index):
    _paths.insert(_checked(index), search_path)


def replace(search_path, index):
    _paths[_checked(index)] = search_path


def remove(index):
    del _paths[_checked(index)]


def get(index):
    return _paths[_checked(index)]


def size():
    return len(_paths)
