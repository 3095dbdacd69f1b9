"""Memory that runs out, and packages that are missing, are called so."""

import numpy as np
import pytest
import torch

from occamhead.checks import enough_memory, is_out_of_memory, needs
from occamhead.commands import entry

HUGE = 1 << 60


@pytest.mark.parametrize(
    "ask",
    [lambda: np.empty(HUGE, np.uint8), lambda: torch.empty(HUGE), lambda: bytearray(HUGE),
     lambda: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory."))],
    ids=["numpy", "torch", "python", "device"],
)  # fmt: skip
def test_every_way_in_which_memory_runs_out_is_one_error(ask):
    with (
        pytest.raises(MemoryError, match="out of memory while adding; take less"),
        enough_memory("adding", "take less"),
    ):
        result = ask()
        next(result)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="size mismatch"), enough_memory("adding"):
        torch.ones(3, 3) @ torch.ones(2)
    assert not is_out_of_memory(RuntimeError("something else"))


def test_a_command_says_it_in_one_line(monkeypatch, capsys, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")

    def run(args):
        torch.empty(HUGE)

    monkeypatch.setattr("occamhead.commands.law.run", run)
    assert entry.main(["law", str(table), "--target", "b"]) == 1
    said = capsys.readouterr().err
    assert (
        said.startswith("occamhead law: out of memory; take fewer rows") and said.count("\n") == 1
    )


def test_a_package_that_is_there_and_lacks_another_is_told_from_one_that_is_missing():
    said = r"x needs timm: pip install .*No module named 'nowhere'"
    with pytest.raises(ImportError, match=said), needs("timm", "x"):
        import nowhere  # noqa: F401
