"""collect_features: what reaches the head, and nothing left behind."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import Tensor, nn

from occamhead import attach_head, collect_features


class Body(nn.Module):
    """A model whose training mode differs from its eval mode, and that can be given names."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.body = nn.BatchNorm1d(6), nn.Linear(6, 4)
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(4, 3)

    def features(self, x: Tensor) -> Tensor:
        return self.drop(self.body(self.norm(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x))


@pytest.fixture
def model() -> Body:
    torch.manual_seed(0)
    model = Body()
    model(torch.randn(30, 6))  # so that the running mean is not 0
    return model.train()


def batches(count: int = 3) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(5, 6, generator=generator), torch.arange(5) % 3) for _ in range(count)]


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in model.modules())


@pytest.mark.parametrize("kind", ["occam", "essence"])
def test_features_are_those_of_eval_mode_and_nothing_stays(model, kind):
    attach_head(model, kind=kind)
    model.norm.eval()  # as a frozen backbone's
    state = copy.deepcopy(model.state_dict())
    modes = {module: module.training for module in model.modules()}
    x, y = collect_features(model, batches())
    assert all(module.training == mode for module, mode in modes.items())
    assert hooks(model) == 0
    after = model.state_dict()
    assert all(
        torch.equal(after[name], value) for name, value in state.items() if value is not None
    )
    with torch.no_grad():
        wanted = torch.cat([model.eval().features(inputs) for inputs, _ in batches()])
    assert torch.equal(x, wanted) and not x.requires_grad
    assert torch.equal(y, torch.cat([labels for _, labels in batches()]))


def test_a_model_is_stored_whole_afterwards(model):
    attach_head(model)
    x, _ = collect_features(model, batches())
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    assert torch.equal(again.eval().fc(x), model.eval().fc(x))


def test_batches_may_be_dictionaries(model):
    attach_head(model)
    named = [{"x": inputs, "labels": labels} for inputs, labels in batches()]
    for ours, theirs in zip(
        collect_features(model, named), collect_features(model, batches()), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_tokens_are_rows_without_those_that_losses_ignore():
    model = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3))
    attach_head(model, name="1")
    inputs = torch.randn(2, 5, 6)
    labels = torch.tensor([[0, 1, 2, 0, -100], [1, -100, -100, 2, 0]])
    x, y = collect_features(model, [(inputs, labels)])
    assert y.tolist() == [0, 1, 2, 0, 1, 2, 0]
    with torch.no_grad():
        assert torch.equal(x, model[0](inputs)[labels >= 0])


class Forgetful(Body):
    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


@pytest.mark.parametrize(
    ("loader", "error", "message"),
    [
        ([], ValueError, "the loader gave no batch"),
        ([torch.zeros(5, 6)], TypeError, "got a Tensor; wrap the loader"),
        ([(torch.zeros(5, 6),)], TypeError, "got a tuple of 1"),
        ([{"x": torch.zeros(5, 6)}], TypeError, "got a dictionary with x"),
        ([(torch.zeros(5, 6), torch.zeros(4))], ValueError, "do not belong together"),
        ([(torch.zeros(5, 7), torch.zeros(5))], RuntimeError, "running_mean|expected input"),
    ],
    ids=range(6),
)
def test_wrong_batches_are_named_and_leave_nothing_behind(model, loader, error, message):
    attach_head(model)
    with pytest.raises(error, match=message):
        collect_features(model, loader)
    assert hooks(model) == 0 and model.training and model.drop.training


def test_labels_that_are_text_are_told_what_to_be(model):
    attach_head(model)
    with pytest.raises(TypeError, match="wanted numbers of classes as labels, got the text 'ant'"):
        collect_features(model, [(batches(1)[0][0], ["ant", "bee"])])


def test_models_without_a_head_that_is_reached():
    with pytest.raises(ValueError, match="attach_head"):
        collect_features(Body(), batches())
    model = Forgetful()
    attach_head(model)
    with pytest.raises(ValueError, match="does not reach its head"):
        collect_features(model, batches())
