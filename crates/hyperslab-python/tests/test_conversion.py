"""Numbers converted as they are read and written, beside numpy."""

import numpy as np

import hyperslab


def test_doubles_become_halves_as_numpy_rounds_them(tmp_path):
    halves = np.arange(0x7C00, dtype="u2").view("f2").astype("f8")
    between = (halves[:-1] + halves[1:]) / 2
    doubles = np.concatenate([halves, between, np.nextafter(between, np.inf), np.nextafter(between, 0), [1e300, 65519.99, 65520.0, 1e-300, np.inf, np.nan]])
    doubles = np.concatenate([doubles, -doubles])
    with np.errstate(over="ignore"):
        expected = doubles.astype("f2")
    with hyperslab.File(tmp_path / "halves.h5", "w") as file:
        file["doubles"] = doubles
        read = file["doubles"].astype("f2")[...]
        made = file.create_dataset("halves", doubles.shape, "f2")
        made[...] = doubles
        for found in (read, made[...]):
            same = (found.view("u2") == expected.view("u2")) | (np.isnan(found) & np.isnan(expected))
            assert same.all(), (doubles[~same][:5], found[~same][:5], expected[~same][:5])
