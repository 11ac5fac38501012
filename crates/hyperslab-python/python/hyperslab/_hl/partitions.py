"""Beyond h5py: what a virtual dataset lacks, and regions of a dataset to work on one at a time."""

import warnings
from itertools import product
from pathlib import Path  # noqa: F401
from typing import NamedTuple

import numpy as np


class Gaps(NamedTuple):
    """What has no source."""

    #: Elements that read as the fill value because no source has them.
    elements: int
    #: Number, file, path and problem of each mapping that cannot be read.
    mappings: "list[tuple[int, str, str, str]]"

    def __bool__(self):
        return bool(self.elements or self.mappings)


class SourceFile(NamedTuple):
    """Where the file of a source is."""

    #: As the mappings name it, numbers of blocks put in.
    name: str
    #: Where it was looked for, in this order; nowhere for the file of the virtual dataset itself.
    tried: "list[Path]"
    #: The path that is used; ``None`` when there is none.
    found: "Path | None"
    #: Why a file that is there cannot be used.
    problem: "str | None"


class MappingStatus(NamedTuple):
    """How a mapping stands."""

    number: int
    file: str
    path: str
    tried: "list[Path]"
    found: "Path | None"
    #: What keeps it from being read in full; ``None`` for nothing.
    problem: "str | None"


def check(gaps, policy, name):
    """Warns or raises when sources are missing."""
    _, mappings = gaps
    if not mappings:
        return
    number, file, path, problem = mappings[0]
    more = f" and {len(mappings) - 1} more" if len(mappings) > 1 else ""
    message = f"{name}: mapping {number} ({file}: {path}){more}: {problem}"
    if policy == "error":
        raise OSError(message)
    warnings.warn(message, stacklevel=4)


def partitions(dset, nbytes):
    """Tuples of slices that cover a dataset, each of about ``nbytes``, cut where chunks or sources end."""
    if not dset.shape:
        return [()] if dset.shape == () else []
    steps = _grain(dset)
    room = max(nbytes // max(dset.dtype.itemsize, 1), 1)
    counts = [1] * len(steps)
    # Whole rows first: the last axis grows until it is full, then the one before.
    for axis in reversed(range(len(steps))):
        taken = int(np.prod([count * step for count, step in zip(counts, steps)], dtype=float))
        most = -(-dset.shape[axis] // steps[axis])
        counts[axis] = max(1, min(most, room // max(taken, 1)))
        if counts[axis] < most:
            break
    widths = [count * step for count, step in zip(counts, steps)]
    axes = [
        [slice(start, min(start + width, length)) for start in range(0, length, width)]
        for width, length in zip(widths, dset.shape)
    ]
    return list(product(*axes))


def _grain(dset):
    """The length on each axis at which regions may be cut without dividing a chunk or a source."""
    if dset.chunks is not None:
        return list(dset.chunks)
    if not dset.is_virtual:
        return [1] * dset.ndim
    edges = [{0} for _ in dset.shape]
    for mapping in dset.virtual_sources():
        bounds = mapping.vspace._selection.bounds(list(dset.shape))
        if bounds is not None:
            for axis, (first, last) in enumerate(zip(*bounds)):
                edges[axis] |= {first, last + 1}
    return [max(int(np.gcd.reduce(sorted(found))), 1) for found in edges]
