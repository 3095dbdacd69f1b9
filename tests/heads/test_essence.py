"""The head: fit, both modes, and what is saved."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from occamhead.essence import fit_circuit
from occamhead.heads.essence import EssenceHead
from tests.essence.rules import bits, next_cell

WINDOWS = torch.tensor(bits(9), dtype=torch.float32)
CELL = torch.tensor(next_cell(bits(9)))


def test_it_is_the_circuit_in_eval_mode_and_soft_in_train_mode():
    head = EssenceHead(9, 2).fit(WINDOWS, CELL).eval()
    circuit = fit_circuit(bits(9), next_cell(bits(9)))
    assert head.circuit.weights.tolist() == circuit.weights.tolist()
    assert torch.equal(head.predict(WINDOWS), CELL)
    # What the second of two scores of 0 to 2 is above the first.
    assert set(head(WINDOWS).unique().tolist()) <= {-2, -1, 0, 1, 2}
    x = WINDOWS.clone().requires_grad_()
    head.train()(x).square().sum().backward()
    assert x.grad.abs().sum() > 0


def test_a_backbone_learns_through_it():
    """A layer learns to undo the exchange of two features, from labels alone."""
    x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = torch.tensor([0, 0, 1, 0])  # the first and not the second
    head = EssenceHead(2, 2, slope=4.0).fit(x, y).train()
    torch.manual_seed(0)
    backbone = torch.nn.Linear(2, 2)
    optimiser = torch.optim.Adam(backbone.parameters(), lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(4 * head(backbone(x.flip(1))), y).backward()
        optimiser.step()
    assert torch.equal(head.predict(backbone(x.flip(1))), y)
    assert torch.equal(head.eval().predict(backbone(x.flip(1))), y)


def test_the_state_holds_the_circuit(tmp_path):
    head = EssenceHead(9, 2).fit(WINDOWS, CELL).eval()
    torch.save(head.state_dict(), tmp_path / "head.pt")
    other = EssenceHead(9, 2).eval()
    other.load_state_dict(torch.load(tmp_path / "head.pt", weights_only=True))
    assert torch.equal(other(WINDOWS), head(WINDOWS))
    assert other.circuit.literals == head.circuit.literals
    constant = EssenceHead(9, 2).fit(WINDOWS, torch.ones_like(CELL)).eval()
    other.load_state_dict(constant.state_dict())
    assert (other.predict(WINDOWS) == 1).all()


def test_rows_may_be_frames_and_lists_and_labels_names():
    pandas = pytest.importorskip("pandas")
    names = ["dead", "alive"]
    said = [names[cell] for cell in CELL.tolist()]
    wanted = EssenceHead(9, 2).fit(WINDOWS, CELL).formula()
    for x in (pandas.DataFrame(WINDOWS.numpy()), WINDOWS.tolist(), WINDOWS.numpy()):
        for y in (said, pandas.Series(said), np.array(said)):
            head = EssenceHead(9, 2, classes=names).fit(x, y, validation=(x, y))
            assert head.formula() == wanted
    with pytest.raises(ValueError, match="label 'asleep' is none of the classes dead, alive"):
        EssenceHead(9, 2, classes=names).fit(WINDOWS, ["asleep", *said[1:]])


def test_it_exports():
    head = EssenceHead(9, 2).fit(WINDOWS, CELL).eval()
    program = torch.export.export(head, (WINDOWS,))
    assert torch.equal(program.module()(WINDOWS), head(WINDOWS))


def test_what_is_wrong_is_told():
    head = EssenceHead(9, 2)
    with pytest.raises(ValueError, match="call fit"):
        head(WINDOWS)
    with pytest.raises(ValueError, match=r"\[batch, 9\], got \(4, 2\)"):
        head.fit(torch.zeros(4, 2), torch.zeros(4, dtype=torch.long))
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        head.fit(WINDOWS, CELL * 2)
    with pytest.raises(ValueError, match="got 0 and 2"):
        EssenceHead(0, 2)
