"""What virtual datasets lack, and how they are divided."""

import numpy as np
import pytest

import hyperslab


def test_gaps_names_the_missing_source(path):
    with hyperslab.File(path) as file:
        gaps = file["virtual"].gaps()
        assert gaps.elements == 24
        (number, name, dataset, problem) = gaps.mappings[0]
        assert number == 1 and name.endswith("missing.h5") and dataset == "plain" and problem
        assert not file["virtual"].gaps(np.s_[:4])


def test_a_missing_source_reads_as_the_policy_says(path):
    with hyperslab.File(path) as file:
        assert (file["virtual"][4:] == -1).all()
    with hyperslab.File(path, vds_missing="warn") as file:
        with pytest.warns(UserWarning, match="missing.h5"):
            file["virtual"][4:]
        file["virtual"][:4]
    with hyperslab.File(path, vds_missing="error") as file, pytest.raises(OSError, match="missing.h5"):
        file["virtual"][4:]


@pytest.mark.parametrize("name", ["plain", "virtual"])
@pytest.mark.parametrize("nbytes", [1, 100, 1 << 20])
def test_partitions_cover_a_dataset_once(path, name, nbytes):
    with hyperslab.File(path) as file:
        dataset = file[name]
        seen = np.zeros(dataset.shape, dtype=int)
        for part in dataset.partitions(nbytes):
            seen[part] += 1
        assert (seen == 1).all()


def test_partitions_divide_no_chunk(path):
    with hyperslab.File(path) as file:
        for rows, columns in file["plain"].partitions(1):
            assert rows.start % 2 == 0 and columns.start % 3 == 0
