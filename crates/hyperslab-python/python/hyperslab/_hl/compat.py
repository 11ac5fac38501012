"""Names of files as the low level takes them."""

import os


def filename_encode(filename):
    """The bytes of a file name, from text, bytes or a path object."""
    return os.fsencode(filename)


def filename_decode(filename):
    """The text of a file name."""
    return os.fsdecode(filename)
