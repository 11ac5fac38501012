"""Handles elsewhere: pickled, in threads, in child processes."""

import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import hyperslab


def _sum(dataset):
    return int(dataset[...].sum())


def test_a_dataset_is_pickled_with_the_options_of_its_file(path):
    with hyperslab.File(path, locking=False, vds_missing="error") as file:
        copy = pickle.loads(pickle.dumps(file["plain"]))
        np.testing.assert_array_equal(copy[...], file["plain"][...])
        with pytest.raises(OSError, match="missing.h5"):
            copy.file["virtual"][...]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_reads_an_open_dataset(path, method):
    with hyperslab.File(path) as file:
        dataset = file["plain"]
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.apply(_sum, (dataset,)) == _sum(dataset)


def test_many_threads_read_one_dataset(path):
    with hyperslab.File(path) as file, ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: _sum(file["plain"]), range(200))) == {276}


def test_dask_names_a_dataset_by_its_file_and_path(path):
    with hyperslab.File(path) as file:
        assert file["plain"].__dask_tokenize__() == file["/plain"].__dask_tokenize__()
        assert file["plain"].__dask_tokenize__() != file["virtual"].__dask_tokenize__()


def test_limits_are_given_where_a_file_is_opened(tmp_path):
    path = tmp_path / "links.h5"
    with hyperslab.File(path, "w") as f:
        f["end"] = 1
        f["a"] = hyperslab.SoftLink("/b")
        f["b"] = hyperslab.SoftLink("/end")
    with hyperslab.File(path, limits={"links": 1}) as f, pytest.raises(Exception, match="the limit `links` can be raised"):
        f["a"]
    with hyperslab.File(path, limits={"links": 2}) as f:
        assert f["a"][()] == 1
    with pytest.raises(ValueError, match="no limit is called"):
        hyperslab.File(path, limits={"patience": 2})
