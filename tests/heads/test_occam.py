"""OccamHead: what classifies in eval mode is the printed formula, and what it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy
import torch

from occamhead import OccamHead
from occamhead.expression import Affine, Constant, Expression
from tests.heads.occam_heads import (
    apart,
    close,
    configs,
    made,
    rows_of,
    scores_of,
)


@configs
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_eval_is_the_formula_in_every_form(config, seed, dtype):
    head = made(config, seed, dtype)
    formula = head.formula()
    assert (formula.num_inputs, len(formula)) == (head.in_features, head.out_features)
    x = rows_of(head)
    found = head(torch.tensor(x, dtype=dtype)).numpy()
    assert found.dtype == torch.empty(0, dtype=dtype).numpy().dtype
    rtol = 1e-5 if dtype == torch.float64 else 2e-4
    wanted = formula(torch.tensor(x, dtype=dtype).double().numpy())
    # float32 overflows where float64 does not.
    wanted = np.where(np.abs(wanted) > 1e30, found, wanted)
    close(found, wanted, rtol)
    close(formula.torch()(torch.tensor(x, dtype=dtype)).numpy(), found, rtol)
    if dtype == torch.float64:
        again = Expression.parse(formula.text(), num_inputs=head.in_features)
        np.testing.assert_array_equal(again(x), formula(x))
        scores = scores_of(formula)
        close(np.array([scores(row) for row in x.tolist()]), found)


@configs
def test_eval_is_the_formula_on_nan_and_inf(config):
    head = made(config, 1, torch.float64)
    formula = head.formula()
    x = rows_of(head)
    generator = np.random.default_rng(2)
    for row in range(len(x)):
        column = formula.features[row % len(formula.features)] if formula.features else 0
        x[row, column] = (math.nan, math.inf, -math.inf, 0.0)[row % 4]
        x[row, generator.integers(x.shape[1])] = (math.nan, 0.0)[row % 2]
    found = head(torch.tensor(x)).numpy()
    close(found, formula(x))
    scores = scores_of(formula)
    close(np.array([scores(row) for row in x.tolist()]), found)


@configs
def test_eval_is_the_sympy_form_where_it_is_defined(config):
    head = made(config, 0, torch.float64)
    formula = head.formula()
    x = rows_of(head, 5)
    symbols = sympy.symbols([f"x{i}" for i in range(head.in_features)], real=True)
    wanted = head(torch.tensor(x)).numpy()
    for k, form in enumerate(formula.sympy()):
        function = sympy.lambdify(symbols, form, "numpy")
        for row, values in zip(x, wanted, strict=True):
            if np.isfinite(values[k]):
                assert function(*row) == pytest.approx(values[k], rel=1e-5, abs=1e-8)


@configs
def test_the_formula_is_that_of_the_network_with_the_standardisation_folded_in(config):
    head = made(config, 0, torch.float64)
    head.digits = 15
    x = torch.tensor(rows_of(head))
    standardised = (x - head.feature_mean) / head.feature_scale
    hard = head.network.evaluate(head.network.most_probable()[0], standardised)[0]
    hard = apart(hard.detach().numpy())
    found = apart(head.formula()(x.numpy()))
    keep = np.isfinite(hard) & np.isfinite(found) & (np.abs(hard) < 1e6)
    assert keep.mean() > 0.2
    close(found[keep], hard[keep], 1e-6)


@configs
@pytest.mark.parametrize("digits", [1, 2, 4, 7])
def test_no_number_has_more_digits(config, digits):
    head = made(config, 1)
    head.digits = digits
    for node in head.formula().nodes:
        values: list[float] = []
        if isinstance(node, Constant):
            values = [node.value]
        elif isinstance(node, Affine):
            values = [node.constant, *(coefficient for coefficient, _ in node.terms)]
        for value in values:
            assert float(f"{value:.{digits}g}") == value


def test_digits_reach_the_scores():
    """What is printed is what classifies: rounding changes the scores."""
    head = made("default")
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    four = head(x)
    head.digits = 1
    coarse = head.eval()(x)
    close(coarse.numpy(), head.formula()(x.numpy()), 1e-4)
    assert not torch.allclose(four, coarse)


@configs
def test_train_is_the_soft_network(config):
    head = made(config).train()
    x = torch.tensor(rows_of(head, 8), dtype=torch.float32)
    soft = head.network((x - head.feature_mean) / head.feature_scale)
    assert torch.equal(head(x), soft) and torch.equal(head.soft(x), soft)
    assert soft.requires_grad and not torch.allclose(soft, head.eval()(x), equal_nan=True)
    assert torch.equal(head.soft(x), soft)
    head.soft_eval = True
    assert torch.equal(head(x), soft)
    head.soft_eval = False
    assert not torch.allclose(soft, head(x), equal_nan=True)
    soft.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.network.logits)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_training_finds_the_three_telling_features(seed):
    """Three of 30 features decide between two classes; seeds 0 to 2, deterministic on one CPU."""
    torch.manual_seed(seed)
    telling = [3, 11, 20]
    weights = torch.tensor([2.0, -1.5, 1.2])
    rows = torch.randn(1200, 30) * torch.linspace(0.5, 3, 30) + 1
    standard = (rows - rows.mean(0)) / rows.std(0)
    labels = (standard[:, telling] @ weights > 0).long()
    fit, test = slice(0, 800), slice(800, None)
    head = OccamHead(30, 2, ["affine3"])
    head.initialise(rows[fit], labels[fit])
    optimiser = torch.optim.Adam(head.parameters(), lr=0.05)
    head.train()
    steps = 200
    for step in range(steps):
        head.network.anneal(step / (0.8 * steps), end=0.05)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(head(rows[fit]), labels[fit]).backward()
        optimiser.step()
    head.eval()
    formula = head.formula()
    assert set(formula.features) == set(telling)
    with torch.no_grad():
        accuracy = (head(rows[test]).argmax(1) == labels[test]).float().mean().item()
    assert accuracy > 0.95
    namespace: dict[str, object] = {}
    exec(formula.python(), namespace)
    predicted = [namespace["predict"](row) for row in rows[test].tolist()]
    assert (torch.tensor(predicted) == labels[test]).float().mean().item() > 0.95
