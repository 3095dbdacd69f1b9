"""The formula follows the weights, and is served by a compiled loop on a CPU."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from occamhead import OccamHead
from occamhead.expression import FormulaModule
from occamhead.expression.serving import CALLS_BEFORE_COMPILING
from tests.heads.occam_heads import (
    CHANGES,
    close,
    made,
    rows_of,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_the_formula_follows_the_weights(change):
    head = made("default")
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    before, text = head(x), head.formula().text()
    change(head)
    assert head.formula().text() != text
    after = head(x)
    assert not torch.allclose(before, after)
    close(after.detach().numpy(), head.formula()(x.numpy()), 1e-4)
    assert str(head.formula()) == str(head._formula_module.expression)


def test_eval_reads_the_formula_even_after_writing_to_data():
    """``.data`` does not count versions, so only eval() can notice."""
    head = made("default")
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    for logits in head.network.logits:
        logits.data[..., -1] += 50.0
    close(head.eval()(x).numpy(), head.formula()(x.numpy()), 1e-4)


def test_digits_that_change_in_eval_mode_reach_the_scores():
    head = made("default")
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    head(x)
    head.digits = 1
    close(head(x).numpy(), head.formula()(x.numpy()), 1e-4)


def test_equal_seeds_give_equal_formulas():
    texts = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        texts.append(OccamHead(10, 3).formula().text())
    assert texts[0] == texts[1] != texts[2]
    heads = [OccamHead(10, 3) for _ in range(2)]
    for head in heads:
        head.initialise(torch.ones(4, 10), generator=torch.Generator().manual_seed(1))
    assert heads[0].formula() == heads[1].formula()


def test_names():
    head = made("one class")
    names = ["a", "b c", "sin", "d", "e"]
    formula = head.formula(names)
    assert formula.names == tuple(names)
    assert formula == head.formula().renamed(names)
    with pytest.raises(ValueError, match="names"):
        head.formula(["a"])


def test_log_prob_of_the_default_head_is_the_sum_over_its_edges():
    head = made("default", 3)
    temperature = head.network.temperatures[0]
    wanted = (head.network.logits[0] / temperature).log_softmax(-1).amax(-1).sum(-1)
    torch.testing.assert_close(head.log_prob(), wanted.detach())
    head.network.set_temperature(1e-7)
    assert (head.log_prob() > -1e-2).all()


def served(dtype: torch.dtype = torch.float32) -> OccamHead:
    """A head whose compiled loop has taken over."""
    head = made("default", dtype=dtype)
    x = torch.zeros(1, 30, dtype=dtype)
    for _ in range(CALLS_BEFORE_COMPILING):
        head(x)
    assert head._formula_module.served._loop is not None
    return head


def by_operators(head: OccamHead, x: torch.Tensor) -> torch.Tensor:
    return FormulaModule(head.formula(), dtype=x.dtype).by_operators(x)


@pytest.mark.filterwarnings("ignore:`torch.jit")  # which torch itself still uses
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_loop_gives_the_bits_of_torch(dtype):
    head = served(dtype)
    x = torch.tensor(rows_of(head, 300), dtype=dtype)
    for rows in (x, x[:1], x[:0], x.T.contiguous().T, x[::2], x[:, torch.arange(30)]):
        assert torch.equal(head(rows), by_operators(head, rows))
    assert torch.equal(torch.jit.trace(head, x, check_trace=False)(x[:7]), head(x[:7]))
    with torch.inference_mode():
        assert torch.equal(head(x), by_operators(head, x))


def test_nan_and_inf_stay_in_the_sums_that_name_them():
    head = served()
    formula = head.formula()
    for column in formula.features:
        for value in (math.nan, math.inf, -math.inf):
            x = torch.ones(1, 30)
            x[0, column] = value
            found = head(x)
            np.testing.assert_array_equal(found, by_operators(head, x))
            touched = [column in formula[k].features for k in range(4)]
            assert (~found[0].isfinite()).tolist() == touched


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_the_loop_follows_the_weights(change):
    head = served()
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    before = head(x)
    change(head)
    for _ in range(CALLS_BEFORE_COMPILING):
        head(x[:1])
    after = head(x)
    assert not torch.equal(before, after)
    assert torch.equal(after.detach(), by_operators(head, x))


@pytest.mark.parametrize("replace", ["parameter", "network", "float64", "data"])
def test_the_loop_follows_what_is_replaced(replace):
    head, x = served(), torch.tensor(rows_of(made("default")), dtype=torch.float32)
    before = head(x)
    if replace == "parameter":
        logits = head.network.logits[0].detach().flip(-1)
        head.network.logits[0] = torch.nn.Parameter(logits)
    elif replace == "network":
        head.network = made("default", 5).network
    elif replace == "float64":
        head.double()
        x, before = x.double(), before.double()
        assert head(x).dtype == torch.float64
    else:
        for logits in head.network.logits:
            logits.data[..., -1] += 50.0
        head.eval()
    if replace != "float64":
        assert not torch.equal(head(x), before)
    close(head(x).numpy(), head.formula()(x.double().numpy()), 1e-4)


@pytest.mark.filterwarnings("ignore:`torch.jit")  # which torch itself still uses
def test_the_loop_leaves_to_torch_what_it_cannot_do():
    head = served()
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    direction = torch.ones_like(x)
    slope = by_operators(head, x + direction) - by_operators(head, x)
    tangent = torch.func.jvp(head, (x,), (direction,))[1]
    torch.testing.assert_close(tangent, slope, rtol=1e-3, atol=1e-3)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, direction)
        tangent = torch.autograd.forward_ad.unpack_dual(head(dual)).tangent
        torch.testing.assert_close(tangent, slope, rtol=1e-3, atol=1e-3)
    rows = torch.vmap(lambda row: head(row.unsqueeze(0)).squeeze(0))(x)
    torch.testing.assert_close(rows, head(x))
    with FlopCounterMode(display=False), torch.no_grad():
        torch.testing.assert_close(head(x), by_operators(head, x))
    assert head(x.requires_grad_()).requires_grad
    with torch.no_grad():
        assert torch.equal(head(x), head(x.detach()))
    assert torch.equal(head(x.detach().double()), head(x.detach()))
    for shape in ((2, 29), (29,), (1, 30, 2), ()):
        with pytest.raises(ValueError, match=r"\[\.\.\., 30\], got"):
            head(torch.zeros(shape))


def test_a_served_head_is_copied_without_its_loop():
    head = served()
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    for again in (copy.deepcopy(head), pickle.loads(pickle.dumps(head))):
        assert again._formula_module.served._loop is None
        assert torch.equal(again(x), head(x))
