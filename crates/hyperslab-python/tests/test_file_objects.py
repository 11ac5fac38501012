"""Files that are in Python file objects."""

import io
import threading

import numpy as np
import pytest

import hyperslab


class Counting(io.BytesIO):
    """Knows how many bytes were read."""

    read_bytes = 0

    def readinto(self, buffer):
        count = super().readinto(buffer)
        self.read_bytes += count
        return count


class ReadOnly:
    """The least that a file object is: one that reads."""

    def __init__(self, data):
        self._inner = io.BytesIO(data)

    def seek(self, offset, whence=0):
        return self._inner.seek(offset, whence)

    def read(self, count):
        # As many streams do, it gives less than was asked for.
        return self._inner.read(min(count, 1000))


def _made(size=1 << 20):
    with io.BytesIO() as stream:
        with hyperslab.File(stream, "w") as file:
            file["x"] = np.arange(size // 8)
            file.create_dataset("z", data=np.arange(1000), chunks=(100,), compression="gzip")
        return stream.getvalue()


def test_only_what_is_needed_is_read():
    stream = Counting(_made())
    with hyperslab.File(stream) as file:
        assert file["x"][70000] == 70000
        assert stream.read_bytes < 1 << 16


def test_a_file_object_that_only_reads_will_do():
    with hyperslab.File(ReadOnly(_made())) as file:
        np.testing.assert_array_equal(file["x"][...], np.arange(1 << 17))
        np.testing.assert_array_equal(file["z"][...], np.arange(1000))


def test_what_it_raises_is_raised():
    class Broken(io.BytesIO):
        broken = False

        def readinto(self, buffer):
            if self.broken:
                raise ZeroDivisionError("broken")
            return super().readinto(buffer)

    stream = Broken(_made())
    with hyperslab.File(stream) as file:
        dataset = file["x"]
        stream.broken = True
        with pytest.raises(ZeroDivisionError, match="broken"):
            dataset[...]
        stream.broken = False
        assert dataset[5] == 5


def test_it_is_changed_in_place():
    stream = io.BytesIO(_made())
    with hyperslab.File(stream, "r+") as file:
        file["x"][:10] = -1
        file.create_group("g").attrs["a"] = 1
        del file["z"]
    with hyperslab.File(stream) as file:
        assert file["x"][8:12].tolist() == [-1, -1, 10, 11] and file["g"].attrs["a"] == 1 and "z" not in file


def test_many_threads_share_one():
    stream = io.BytesIO(_made())
    with hyperslab.File(stream, "r+") as file:
        wrong = []

        def work(number):
            for step in range(20):
                file.require_group(f"{number}/{step}").attrs["at"] = step
                if file["z"][...].sum() != 499500 or file["x"].shape != (1 << 17,):
                    wrong.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not wrong and not any(thread.is_alive() for thread in threads)
    with hyperslab.File(stream) as file:
        assert all(len(file[str(number)]) == 20 for number in range(4))


def test_limits_count_in_memory_too():
    with hyperslab.File.in_memory() as file:
        file["end"] = 1
        file["a"] = hyperslab.SoftLink("/b")
        file["b"] = hyperslab.SoftLink("/end")
        file.flush()
        image = file.id.get_file_image()
    with hyperslab.File(io.BytesIO(image), limits={"links": 1}) as file, pytest.raises(Exception, match="the limit `links`"):
        file["a"]
