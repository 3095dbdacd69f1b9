"""A disk without room for a file: a real limit of the system on the size of files."""

from __future__ import annotations

import resource
from contextlib import contextmanager

import pytest
import torch

from occamhead import OccamHead
from occamhead.saving import Kept


@contextmanager
def room_for(size):
    """Files of so many bytes at most; Python ignores the signal that comes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["head.pt", "formula.py", "formula.json", "formula.c"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_file_that_does_not_fit_leaves_the_good_one(tmp_path, name, share):
    head, file = OccamHead(3, 2).eval(), tmp_path / name

    def save() -> None:
        head.save(file) if name == "head.pt" else head.export(file, overwrite=True)

    save()
    good = file.read_bytes()
    with pytest.raises(OSError, match=f"too large: '{file}'"), room_for(int(share * len(good))):
        save()
    assert file.read_bytes() == good and list(tmp_path.iterdir()) == [file]
    save()
    assert file.read_bytes() == good


@pytest.mark.parametrize("value", [list(range(500)), {"weights": torch.ones(2000)}])
def test_a_part_that_does_not_fit_leaves_the_one_before(tmp_path, value):
    kept = Kept(tmp_path)
    before = {"weights": torch.zeros(3)} if isinstance(value, dict) else [1]
    kept.write("part", before)
    with pytest.raises(OSError, match=f"too large: '{tmp_path}/part"), room_for(1000):
        kept.write("part", value)
    assert repr(kept.read("part")) == repr(before) and len(list(tmp_path.iterdir())) == 1
