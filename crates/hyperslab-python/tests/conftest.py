import numpy as np
import pytest

import hyperslab


@pytest.fixture
def path(tmp_path):
    """A file with a dataset, and a virtual dataset of which one source is missing."""
    name = tmp_path / "data.h5"
    with hyperslab.File(name, "w") as file:
        file.create_dataset("plain", data=np.arange(24).reshape(4, 6), chunks=(2, 3), compression="gzip")
        layout = hyperslab.VirtualLayout((8, 6), "i8")
        layout[:4] = hyperslab.VirtualSource(file["plain"])
        layout[4:] = hyperslab.VirtualSource(tmp_path / "missing.h5", "plain", shape=(4, 6))
        file.create_virtual_dataset("virtual", layout, fillvalue=-1)
    return name
