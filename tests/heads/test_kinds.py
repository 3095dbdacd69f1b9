"""One contract for every kind of head: what classifies in eval mode is the printed formula."""

from __future__ import annotations

import copy
import json
import pickle
import runpy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from occamhead import Expression, OccamHead, attach_head, detach_head
from occamhead.heads.base import SymbolicHead
from occamhead.heads.essence import EssenceHead
from occamhead.heads.kinds import build_head
from tests.essence.rules import bits, next_cell


def three_blobs(rows: int = 90) -> tuple[Tensor, Tensor]:
    """Points around three centres, with a fourth number that tells nothing."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % 3
    centres = torch.tensor([[0.0, 0, 5, 0], [3, 0, -5, 0], [0, 3, 0, 0]])
    return centres[labels] + 0.7 * torch.randn(rows, 4, generator=generator), labels


def disc(rows: int = 200) -> tuple[Tensor, Tensor]:
    x = torch.rand(rows, 2, generator=torch.Generator().manual_seed(0)) * 4 - 2
    return x, (x.square().sum(dim=1) < 2).long()


def life() -> tuple[Tensor, Tensor]:
    return torch.tensor(bits(9)).float(), torch.tensor(next_cell(bits(9)))


def occam(rows: tuple[Tensor, Tensor]) -> OccamHead:
    torch.manual_seed(0)
    head = OccamHead(rows[0].shape[1], int(rows[1].max()) + 1, ["affine3"])
    head.initialise(*rows)
    return head


def essence(rows: tuple[Tensor, Tensor], **options: object) -> EssenceHead:
    return EssenceHead(rows[0].shape[1], int(rows[1].max()) + 1, **options).fit(*rows)


HEADS = {
    "occam": (three_blobs, occam),
    "whole": (life, essence),
    "whole, one class": (lambda: (life()[0], torch.zeros(512, dtype=torch.long)), essence),
    "whole, quadratic": (lambda: (life()[0][:, :3], life()[0][:, 0].long()),
                         lambda rows: essence(rows, differentiae="quadratic", min_purity=0.0)),
    "real": (three_blobs, lambda rows: essence(rows, inputs="real", subconcepts=5)),
    "real, quadratic": (disc, lambda rows: essence(rows, inputs="real", differentiae="quadratic",
                                                   penalty=500.0, negligible=0.05)),
    "real, found": (disc, lambda rows: essence(rows, inputs="real", differentiae="occam",
                                               max_functions=20_000)),
}  # fmt: skip


@pytest.fixture(params=HEADS)
def fitted(request: pytest.FixtureRequest) -> tuple[SymbolicHead, Tensor, Tensor]:
    """A head in eval mode, and the rows it was fitted to."""
    data, make = HEADS[request.param]
    x, y = data()
    return make((x, y)).eval(), x, y


def test_eval_is_the_formula_in_every_form(fitted, tmp_path):
    head, x, _ = fitted
    scores, rows = head(x).numpy(), x.double().numpy()
    formula = head.formula()
    assert len(formula) == head.out_features and formula.num_inputs == head.in_features
    tolerance = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(scores, formula(rows), **tolerance)
    np.testing.assert_allclose(scores, formula.torch()(x).numpy(), **tolerance)
    again = Expression.from_json(formula.to_json())
    assert again == formula and again.to_json() == formula.to_json()
    head.export(tmp_path / "head.py")
    predict = runpy.run_path(str(tmp_path / "head.py"))["predict"]
    assert [predict(row) for row in rows.tolist()] == head.predict(x).tolist()
    json.loads((head.export(tmp_path / "head.json")).read_text())


def test_the_class_is_the_highest_score_s_and_of_equal_ones_the_lowest(fitted):
    head, x, y = fitted
    scores = head(x)
    lowest = (scores == scores.max(dim=1, keepdim=True).values).int().argmax(dim=1)
    assert torch.equal(head.predict(x), lowest)
    torch.testing.assert_close(head.probabilities(x).sum(dim=1), torch.ones(len(x)))
    if head.out_features > 1:
        assert (head.predict(x, reject_below=1.0) == -1).all()
    if not isinstance(head, OccamHead):
        assert (head.predict(x) == y).double().mean() > 0.97


def test_train_is_soft_and_passes_gradients(fitted):
    head, x, _ = fitted
    hard = head(x)
    head.train()
    rows = x.clone().requires_grad_()
    head(rows).square().sum().backward()
    if head.out_features > 1:
        assert rows.grad.abs().sum() > 0
    torch.testing.assert_close(head(x), head.soft(x))
    head.eval()
    assert torch.equal(head(x), hard)
    head.soft_eval = True
    torch.testing.assert_close(head(x), head.soft(x))


@pytest.mark.parametrize("way", ["state_dict", "file", "deepcopy", "pickle", "float64"])
def test_copies_are_the_same_head(fitted, way, tmp_path):
    head, x, _ = fitted
    if way == "state_dict":
        other = build_head(head.kind, **head.config()).eval()
        torch.save(head.state_dict(), tmp_path / "state.pt")
        other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    elif way == "file":
        head.save(tmp_path / "head.pt")
        other = type(head).load(tmp_path / "head.pt")
    elif way == "float64":
        other = copy.deepcopy(head).double()
        assert other(x.double()).dtype == torch.float64
        other = other.float()
    else:
        other = copy.deepcopy(head) if way == "deepcopy" else pickle.loads(pickle.dumps(head))
    assert other.formula() == head.formula() and other.config() == head.config()
    assert torch.equal(other(x), head(x))


def test_a_file_of_the_other_kind_is_named(fitted, tmp_path):
    head, _, _ = fitted
    head.save(tmp_path / "head.pt")
    other = EssenceHead if isinstance(head, OccamHead) else OccamHead
    with pytest.raises(ValueError, match=f"kind '{head.kind}', not '{other.kind}'"):
        other.load(tmp_path / "head.pt")


def test_it_takes_the_place_of_a_classifier(fitted):
    head, x, _ = fitted
    model = nn.Sequential(nn.Identity(), nn.Linear(head.in_features, 7)).eval()
    linear = model[1]
    assert attach_head(model, name="1", head=head) is head
    assert torch.equal(model(x), head(x))
    assert detach_head(model) is head and model[1] is linear


def test_it_exports_and_compiles(fitted):
    head, x, _ = fitted
    rows = torch.export.Dim("rows")
    program = torch.export.export(head, (x,), dynamic_shapes=({0: rows},))
    torch.testing.assert_close(program.module()(x[:7]), head(x[:7]))


def test_names_and_widths(fitted):
    head, x, _ = fitted
    names = [f"feature{i}" for i in range(head.in_features)]
    formula = head.formula(names)
    assert formula.names == tuple(names)
    assert f"in_features={head.in_features}" in repr(head)
    with pytest.raises(ValueError, match=rf"\[\.\.\., {head.in_features}\]"):
        head(x[:, 1:])
    assert head(x[:0]).shape == (0, head.out_features)


def test_a_kind_is_asked_for_by_name():
    assert isinstance(build_head("occam", 3, 2), OccamHead)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    head = attach_head(model, name="1", kind="essence", inputs="real")
    assert isinstance(head, EssenceHead) and (head.in_features, head.out_features) == (4, 3)
    with pytest.raises(ValueError, match="kind must be one of occam, essence, got 'tree'"):
        build_head("tree", 3, 2)
    with pytest.raises(ValueError, match="takes no option 'depth'"):
        build_head("essence", 3, 2, depth=2)


def test_files_of_earlier_versions_are_read(tmp_path):
    """The file's format has its own name, whatever the modules are called."""
    head = OccamHead(4, 2).eval()
    head.save(tmp_path / "head.pt")
    content = torch.load(tmp_path / "head.pt", weights_only=True)
    assert content["format"] == "occamhead.head"
    # As version 0.1.0 wrote them before there were two kinds, objectives and class names.
    old = {name: content[name] for name in ("format", "version", "state_dict", "formula")}
    config = {name: v for name, v in content["config"].items() if name not in ("loss", "classes")}
    torch.save({**old, "config": config}, tmp_path / "old.pt")
    assert OccamHead.load(tmp_path / "old.pt").formula() == head.formula()
