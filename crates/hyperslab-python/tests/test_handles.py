"""Handles elsewhere: pickled, in threads, in child processes."""

import io
import multiprocessing
import pickle
import sys
import tempfile
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


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_reads_with_the_handle_it_has(path):
    with hyperslab.File(path) as file:
        dataset = file["plain"]
        expected = _sum(dataset)
        child = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(_sum(dataset) != expected))
        child.start()
        child.join(60)
        assert child.exitcode == 0 and _sum(dataset) == expected


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


def test_a_dask_cluster_reads_a_virtual_dataset_from_a_pickled_handle(path):
    distributed = pytest.importorskip("distributed")
    array = pytest.importorskip("dask.array")
    with hyperslab.File(path) as file, distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster, distributed.Client(cluster):
        data = array.from_array(file["virtual"], chunks=(2, 3))
        assert data.mean().compute() == file["virtual"][...].mean()


def test_an_empty_file_object_is_a_file_to_be_made():
    with tempfile.TemporaryFile() as empty:
        with hyperslab.File(empty, "a") as file:
            file["x"] = [1, 2, 3]
        with hyperslab.File(empty, "r") as file:
            assert file["x"][...].tolist() == [1, 2, 3]
        with pytest.raises(OSError), hyperslab.File(io.BytesIO(), "r+"):
            pass


def test_which_other_files_are_opened_is_for_the_one_who_opens_to_say(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    with hyperslab.File(tmp_path / "out.h5", "w") as f:
        f["x"] = 1
    with hyperslab.File(tmp_path / "in" / "a.h5", "w") as f:
        f["out"] = hyperslab.ExternalLink("../out.h5", "/x")
    for sources in (None, [tmp_path]):
        with hyperslab.File(tmp_path / "in" / "a.h5", sources=sources) as f:
            assert f["out"][()] == 1
    for sources in ("tree", "none", [tmp_path / "in"]):
        with hyperslab.File(tmp_path / "in" / "a.h5", sources=sources) as f, pytest.raises(OSError, match="refused by the policy"):
            f["out"]
    with hyperslab.File(tmp_path / "in" / "b.h5", "w") as f:
        f["a"] = hyperslab.ExternalLink("a.h5", "/")
    for mode in ("r", "r+"):
        with hyperslab.File(tmp_path / "in" / "b.h5", mode, sources="tree") as f:
            with pytest.raises(OSError, match="refused by the policy"):
                f["a"]["out"]
    monkeypatch.setenv("HYPERSLAB_SOURCES", "tree")
    with hyperslab.File(tmp_path / "in" / "a.h5") as f, pytest.raises(OSError, match="refused by the policy"):
        f["out"]
