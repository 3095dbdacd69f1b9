"""Parts of a run that are kept on disk."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from occamhead.saving import Kept, WrongRun


def never() -> None:
    raise AssertionError("computed again")


@pytest.mark.parametrize("value", [
    0, False, "", [], {"a": [0.1 + 0.2, float("inf"), -0.0]}, [1, [2, "µ"], {"b": None}],
])  # fmt: skip
def test_a_part_is_made_once_and_read_back_as_it_was(tmp_path, value):
    assert Kept(tmp_path).once("row 1/2: π", lambda: value) == value
    assert repr(Kept(tmp_path).once("row 1/2: π", never)) == repr(value)


def test_tensors_are_read_back_to_the_bit(tmp_path):
    state = {"w": torch.randn(3, 2, dtype=torch.float64), "step": 7, "n": [torch.arange(3)]}
    Kept(tmp_path).once("search", lambda: state)
    found = Kept(tmp_path).once("search", never)
    assert torch.equal(found["w"], state["w"]) and found["w"].dtype == torch.float64
    assert found["step"] == 7 and torch.equal(found["n"][0], torch.arange(3))


def test_numbers_of_numpy_and_tuples_are_plain_whether_read_or_made(tmp_path):
    row = {"r2": np.float64(0.1), "n": np.int64(3), "pair": (1, np.bool_(True))}
    made = Kept(tmp_path).once("row", lambda: row)
    assert made == Kept(tmp_path).once("row", never) == {"r2": 0.1, "n": 3, "pair": [1, True]}
    assert [type(made[name]) for name in ("r2", "n")] == [float, int]


@pytest.mark.parametrize("value", [[1.5, 2.5], {"w": torch.ones(300)}])
@pytest.mark.parametrize("damage", [
    lambda data: data[: len(data) // 2],
    lambda data: b"",
    lambda data: b"\xff" + data[1:],
])  # fmt: skip
def test_a_damaged_part_is_computed_again_and_said(tmp_path, caplog, value, damage):
    Kept(tmp_path).write("part", value)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert Kept(tmp_path).once("part", lambda: "anew") == "anew"
    assert "damaged, computed again" in caplog.text and str(file) in caplog.text


def test_names_that_a_file_cannot_have_do_not_collide(tmp_path):
    kept = Kept(tmp_path)
    names = ["a/b", "a-b", "a b", "x" * 300, "x" * 301]
    for name in names:
        kept.write(name, name)
    assert [kept.read(name) for name in names] == names


def test_another_run_is_refused_and_the_difference_named(tmp_path):
    Kept(tmp_path, {"seed": "0", "rows": "10"}).write("part", 1)
    assert Kept(tmp_path, {"seed": "0", "rows": "10"}).read("part") == 1
    with pytest.raises(WrongRun, match="seed '0', and this one has '1'"):
        Kept(tmp_path, {"seed": "1", "rows": "10"})


def test_nothing_is_kept_without_a_folder_or_by_others_than_the_first(tmp_path):
    assert Kept(None).once("part", lambda: 1) == 1 and Kept(None).read("part") is None
    Kept(tmp_path / "a", writes=False).write("part", 1)
    assert not (tmp_path / "a").exists()
