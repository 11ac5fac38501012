"""Kept for programs that import it; elements are converted by the engine."""


def needs_proxy(datatype):
    """Whether elements of a datatype are kept by numpy as objects."""
    return datatype.dtype.hasobject
