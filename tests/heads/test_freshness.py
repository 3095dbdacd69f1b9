"""Whatever way the weights change, what runs is the formula of the weights as they are."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from occamhead import EssenceHead, OccamHead, attach_head
from occamhead.vision import build_backbone
from tests.heads.heads import ESSENCE, changed, fitted

Model = nn.Sequential


def model_of(head: nn.Module) -> Model:
    return nn.Sequential(nn.Identity(), head).eval()


def other_of(model: Model) -> OccamHead:
    return changed(model[1])


def load(model: Model, **options: bool) -> None:
    model.load_state_dict(model_of(other_of(model)).state_dict(), **options)


def step(model: Model) -> None:
    optimiser = torch.optim.Adam(model.parameters(), lr=30.0)
    model[1].soft(fitted("sums").x).square().sum().backward()
    optimiser.step()


def write_data(model: Model) -> None:
    for mine, other in zip(model.parameters(), other_of(model).parameters(), strict=True):
        mine.data.copy_(other.data)


def replace_data(model: Model) -> None:
    for mine, other in zip(model.parameters(), other_of(model).parameters(), strict=True):
        mine.data = other.data.clone()


def replace_parameter(model: Model) -> None:
    logits = model[1].network.logits
    logits[0] = nn.Parameter(logits[0].detach().flip(-1))


def replace_network(model: Model) -> None:
    model[1].network = other_of(model).network


CHANGES: dict[str, Callable[[Model], None]] = {
    "load": load,
    "assign": lambda model: load(model, assign=True),
    "step": step,
    "data": write_data,
    "data =": replace_data,
    "parameter": replace_parameter,
    "network": replace_network,
    "digits": lambda model: setattr(model[1], "digits", 1),
}
LOADED = {"load", "assign"}


def write_one_number(model: Model) -> None:
    """Put another edge first, in a place that eager mode does not look at."""
    logits = model[1].network.logits[0]
    logits.data[-1, -1, logits[-1, -1].argmin()] = 100.0


EVERY_CHANGE = {**CHANGES, "number": write_one_number}

changes = pytest.mark.parametrize("change", CHANGES)


def wanted(model: Model, x: Tensor) -> Tensor:
    return model[1].formula().torch()(x)


@pytest.mark.slow
@changes
def test_eager(change):
    head, x, _ = fitted("sums")
    model = model_of(head)
    before = model(x)
    CHANGES[change](model)
    torch.testing.assert_close(model(x), wanted(model, x))
    assert not torch.equal(model(x), before)


@pytest.mark.parametrize("change", EVERY_CHANGE)
@pytest.mark.parametrize("strict", [False, True])
def test_an_export_is_of_the_weights_as_they_are_or_none(change, strict):
    head, x, _ = fitted("sums")
    model = model_of(head)
    EVERY_CHANGE[change](model)
    if change not in LOADED:
        with pytest.raises(RuntimeError, match=r"weights have changed .* head\.eval\(\)"):
            torch.export.export(model, (x,), strict=strict)
        model.eval()
    program = torch.export.export(model, (x,), strict=strict)
    torch.testing.assert_close(program.module()(x), wanted(model, x))


@pytest.mark.parametrize("change", EVERY_CHANGE)
def test_a_model_compiled_before_follows_or_says_so(change):
    head, x, _ = fitted("sums")
    model = model_of(head)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    compiled(x)
    EVERY_CHANGE[change](model)
    if change not in LOADED:
        with pytest.raises(RuntimeError, match="weights have changed"):
            compiled(x)
        model.eval()
    torch.testing.assert_close(compiled(x), wanted(model, x))
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore::torch.jit.TracerWarning")
@changes
def test_traces_and_copies(change):
    head, x, _ = fitted("sums")
    model = model_of(head)
    CHANGES[change](model)
    torch.testing.assert_close(torch.jit.trace(model, x, check_trace=False)(x), wanted(model, x))
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(copied(x), wanted(model, x))
        program = torch.export.export(copied, (x,))
        torch.testing.assert_close(program.module()(x), wanted(model, x))


@pytest.mark.parametrize("name", ["deep", "phi_b"])
def test_a_compiled_formula_of_another_shape(name):
    """Not its numbers alone change, but the operators that it is made of."""
    head, x, _ = fitted(name)
    compiled = torch.compile(head, backend="eager", fullgraph=True)
    for other in (head, changed(head)):
        head.load_state_dict(other.state_dict())
        torch.testing.assert_close(compiled(x), head(x), equal_nan=True)
    torch._dynamo.reset()


@pytest.mark.parametrize("name", ESSENCE)
def test_a_circuit_follows_what_is_loaded(name):
    head, x, _ = fitted(name)
    other = changed(head)
    head.load_state_dict(other.state_dict())
    assert isinstance(head, EssenceHead) and head.formula() == other.formula()
    assert torch.equal(head(x), other(x))
    assert torch.equal(torch.export.export(head, (x,)).module()(x), other(x))


def test_a_whole_model_that_is_loaded():
    torch.manual_seed(0)
    models = [build_backbone("resnet18").eval() for _ in range(2)]
    for model in models:
        model.fc = nn.Linear(512, 3)
        attach_head(model, bases=["affine3"], noise=1.0)
    trained, loaded = models
    loaded.load_state_dict(trained.state_dict())
    x = torch.randn(2, 3, 32, 32)
    program = torch.export.export(loaded, (x,))
    torch.testing.assert_close(program.module()(x), trained(x))


def test_a_model_cast_to_half_and_loaded():
    head, x, _ = fitted("sums")
    model, text = model_of(head).half(), head.formula().text()
    state = copy.deepcopy(model.state_dict())
    load(model)
    assert head.formula().text() != text and head(x.half()).dtype == torch.float16
    model.load_state_dict(state)
    assert head.formula().text() == text
