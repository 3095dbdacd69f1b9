"""Features that are written batch by batch, and go on after a stop."""

from __future__ import annotations

import json
import resource
import threading
import time

import numpy as np
import pytest

from occamhead.vision import growing
from occamhead.vision.features import cached_features, extract
from occamhead.vision.growing import Growing, alone
from tests.vision.test_features import QUIET

ROWS = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


@pytest.fixture
def every_batch(monkeypatch):
    """Each batch is a shard."""
    monkeypatch.setattr(growing, "SHARD_SECONDS", 0.0)


def begun(file, batches, size=8):
    made = Growing(file, ROWS.shape, size)
    for start in range(0, batches * size, size):
        made.write(ROWS[start : start + size])
    return made


def ended(made):
    for start in range(made.done, len(ROWS), made.batch):
        made.write(ROWS[start : start + made.batch])
    made.finish()
    return np.load(made.file)


@pytest.mark.usefixtures("every_batch")
@pytest.mark.parametrize("batches", [0, 1, 3, 5])
def test_it_goes_on_after_a_stop(tmp_path, batches):
    begun(tmp_path / "x.npy", batches)  # and no more is heard of it
    again = Growing(tmp_path / "x.npy", ROWS.shape, 8)
    assert again.done == 8 * batches and not (tmp_path / "x.npy").exists()
    assert np.array_equal(ended(again), ROWS)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


@pytest.mark.usefixtures("every_batch")
@pytest.mark.parametrize("row", [0, 9, 23])
def test_a_damaged_shard_and_all_after_it_are_written_again(tmp_path, caplog, row):
    begun(tmp_path / "x.npy", 4)
    array = np.load(tmp_path / "x.part.npy", mmap_mode="r+")
    array[row, 1] += 1
    array.flush()
    again = Growing(tmp_path / "x.npy", ROWS.shape, 8)
    assert again.done == row // 8 * 8 and f"damaged from row {again.done} on" in caplog.text
    assert np.array_equal(ended(again), ROWS)


@pytest.mark.usefixtures("every_batch")
@pytest.mark.parametrize("text", [
    "", "{", "[]", '{"batch": 8}', '{"batch": 8, "shards": [[80, 1]]}',
    '{"batch": 8, "shards": [["x"]]}',
])  # fmt: skip
def test_a_damaged_index_is_not_believed(tmp_path, text):
    begun(tmp_path / "x.npy", 4)
    (tmp_path / "x.index.json").write_text(text)
    again = Growing(tmp_path / "x.npy", ROWS.shape, 8)
    assert again.done == 0 and np.array_equal(ended(again), ROWS)


@pytest.mark.usefixtures("every_batch")
def test_other_batches_begin_anew(tmp_path):
    """Of other batches the last bits may be others."""
    begun(tmp_path / "x.npy", 4)
    assert Growing(tmp_path / "x.npy", ROWS.shape, 16).done == 0
    index = json.loads((tmp_path / "x.index.json").read_text())
    assert index["batch"] == 8 and [end for end, _ in index["shards"]] == [8, 16, 24, 32]


class Stop(BaseException):
    pass


def test_pictures_that_passed_do_not_pass_again(tmp_path, make_backbone, grey_pictures):
    backbone = make_backbone()
    wanted = extract(backbone, grey_pictures, batch_size=2, **QUIET)
    seen = []

    def watch(limit):
        class Watching:
            def __enter__(self):
                return self.see

            def __exit__(self, *error):
                return None

            def see(self, rows):
                if len(seen) == limit:
                    raise Stop
                seen.append(list(rows))

        return lambda backbone, pictures: Watching()

    with pytest.raises(Stop):
        cached_features(backbone, grey_pictures, tmp_path, batch_size=2, watch=watch(2), **QUIET)
    # The third batch had been written, and nobody had been told.
    found = cached_features(
        backbone, grey_pictures, tmp_path, batch_size=2, watch=watch(99), **QUIET
    )
    assert np.array_equal(found, wanted)
    assert [*seen[0], *seen[1]] == [0, 1, 2, 3] and seen[2][0] == 6
    assert len(list(tmp_path.iterdir())) == 1


def test_a_second_process_waits_for_the_first(tmp_path, caplog):
    order = []

    def second():
        with alone(tmp_path / "x.npy"):
            order.append("second")

    with alone(tmp_path / "x.npy"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"] and "another process is writing it" in caplog.text


@pytest.mark.slow
def test_two_gigabytes_pass_through_little_memory(tmp_path):
    rows, width, batch = 250_000, 2048, 2500
    block = np.random.default_rng(0).normal(size=(batch, width)).astype(np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = Growing(tmp_path / "x.npy", (rows, width), batch)
    for _ in range(rows // batch):
        made.write(block)
    made.finish()
    assert (tmp_path / "x.npy").stat().st_size > 2_000_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000
