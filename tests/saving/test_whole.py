"""Files that appear whole or not at all."""

from __future__ import annotations

import pytest
import torch

from occamhead import OccamHead
from occamhead.saving import replaced, write_whole


def test_an_error_while_writing_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    file = tmp_path / "formula.json"
    write_whole(file, "the good one")
    with pytest.raises(RuntimeError, match="disk"), replaced(file) as part:
        part.write_text("half of the n")
        raise RuntimeError("disk full")
    assert file.read_text() == "the good one"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_replaced_by_one_of_the_same_suffix_in_the_same_folder(tmp_path):
    file = tmp_path / "model.onnx"
    with replaced(file) as part:
        assert (part.parent, part.suffix) == (tmp_path, ".onnx")
        part.write_text("µ", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == "µ" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["head.pt", "formula.py", "formula.json", "formula.c"])
def test_a_save_that_fails_keeps_the_good_file(tmp_path, monkeypatch, name):
    head, file = OccamHead(3, 2).eval(), tmp_path / name

    def save() -> None:
        head.save(file) if name == "head.pt" else head.export(file, overwrite=True)

    save()
    good = file.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OSError, match="No space"):
        save()
    assert file.read_bytes() == good and list(tmp_path.iterdir()) == [file]
