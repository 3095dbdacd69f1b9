"""Two classes have one sum, and more no number that all share: nothing else changes."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from occamhead import Expression, OccamHead
from occamhead.expression import ExpressionBuilder, FormulaModule
from occamhead.expression.formats.rule import rule_of
from occamhead.expression.kernel import weighted_sums
from occamhead.heads.base import SymbolicHead
from occamhead.saving.tensors import SEALED
from tests.expression.formats.machines import highest, run_all
from tests.heads.heads import ESSENCE, fitted

SHAPES = {
    "sums": {"bases": ["affine4"]},
    "one": {"bases": ["affine1"]},
    "deep": {"bases": [["tanh_affine3", "hinge_affine3"], ["affine2"]]},
    "shared": {"bases": [["affine3", "mul", "sin"], ["affine2", "max"]], "per_class": False,
               "skip": True},
}  # fmt: skip
shapes = pytest.mark.parametrize("shape", SHAPES)


def random_head(shape: str, classes: int, seed: int, **options) -> OccamHead:
    """A head with numbers and edges of its own in float64, unrounded but for the last digits."""
    torch.manual_seed(seed)
    head = OccamHead(7, classes, noise=2.0, digits=15, **SHAPES[shape], **options)
    head.initialise(3 * torch.randn(50, 7) + torch.arange(7))
    head.set_numbers([torch.randn_like(numbers) for numbers in head.numbers])
    return head.double().eval()


def rows(seed: int, count: int = 200) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(count, 7, generator=generator).double() + torch.arange(7)


def each_by_itself(head: OccamHead) -> Expression:
    """What the network says of each class, over raw features: the formula of older versions."""
    builder = ExpressionBuilder()
    literal = head.network.expression()
    shown = {
        i: builder.affine(-float(m) / float(s), [(1 / float(s), builder.input(i))])
        for i, (m, s) in enumerate(zip(head.feature_mean, head.feature_scale, strict=True))
    }
    outputs = builder.copy(literal, shown)
    return builder.build(outputs, head.in_features).simplified().rounded(head.digits)


@shapes
@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_probabilities_and_answers_are_those_of_a_score_for_each_class(shape, classes, seed):
    head, x = random_head(shape, classes, seed), rows(seed)
    head.calibration.fill_(0.3)
    scores = each_by_itself(head)(x)
    torch.testing.assert_close(
        head.probabilities(x), head.probabilities_of(scores), rtol=0, atol=1e-6
    )
    top = scores.topk(2, dim=1).values
    clear = top[:, 0] - top[:, 1] > 1e-9
    assert torch.equal(head.predict(x)[clear], head.answers_of(scores)[clear])
    found = head(x)
    assert found.shape == (len(x), classes)
    if classes == 2:
        assert not found[:, 0].any() and rule_of(head.formula()) is not None
        assert torch.equal(head.predict(x), (found[:, 1] > 0).long())


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "squared_error"])
def test_scores_that_count_by_themselves_are_left_alone(loss):
    for classes in (2, 3):
        head = random_head("sums", classes, 1, loss=loss)
        assert head.formula() == each_by_itself(head)


@shapes
def test_every_language_says_what_the_head_says(tmp_path, shape):
    """A rule of two classes, with NaN and inf in every place, and ties."""
    head, x = random_head(shape, 2, 5), rows(5, 40).numpy()
    for row, value in enumerate((math.nan, math.inf, -math.inf, 0.0, 1e300)):
        for column in head.formula().features[:4]:
            x[4 * row + column % 4, column] = value
    wanted = head(torch.from_numpy(x)).numpy()
    for language, (scores, classes) in run_all(head, tmp_path, x).items():
        finite = np.isfinite(wanted) & (np.abs(wanted) < 1e200)
        np.testing.assert_allclose(scores[finite], wanted[finite], rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(classes, highest(scores), err_msg=language)


def test_ties_and_nan():
    """Of equals the first class; a sum that is NaN counts as above."""
    formula = Expression.parse(["0", "x0 - x1"])
    module = FormulaModule(formula, torch.float64)
    x = torch.tensor([[1.0, 1.0], [math.nan, 0.0], [math.inf, math.inf], [2.0, 1.0], [1.0, 2.0]])
    assert module(x.double()).argmax(dim=1).tolist() == [0, 1, 1, 1, 0]
    assert formula(x.numpy()).argmax(axis=1).tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize(
    "texts", [["0", "2*x0 - x2 + 1"], ["2*x1 + 3*x0", "0", "-1.5"], ["0", "7"]]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_without_terms_are_served(texts, dtype):
    """By the compiled loop too, to the bit."""
    module = FormulaModule(Expression.parse(texts, num_inputs=3), dtype)
    served = module.served
    assert served is not None
    served._loop = weighted_sums
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    x[0, 0] = math.nan
    found = served(x)
    np.testing.assert_array_equal(found, module.by_operators(x))
    assert not (torch.signbit(found) & (found == 0)).any()


@pytest.mark.parametrize(
    "name", [name for name in ESSENCE if name not in ("real", "whole, one class")]
)
def test_circuits_of_two_classes(name):
    """Their scores are whole numbers: the difference is exact, and so are all answers."""
    head, x, _ = fitted(name)
    apart = head.network.exact(head._seen(x))
    assert torch.equal(head(x)[:, 1], apart[:, 1] - apart[:, 0])
    assert torch.equal(head.predict(x), apart.argmax(dim=1))
    torch.testing.assert_close(head.formula()(x), head(x))
    assert rule_of(head.formula()) is not None


def test_a_file_of_two_sums_can_be_read(tmp_path):
    """As older versions wrote it: the formula's text is for people, the weights say what runs."""
    head, x = random_head("sums", 2, 0), rows(0)
    head.save(tmp_path / "head.pt")
    content = torch.load(tmp_path / "head.pt", weights_only=True)
    del content["rule"], content[SEALED]
    torch.save({**content, "formula": each_by_itself(head).text()}, tmp_path / "old.pt")
    old = SymbolicHead.load(tmp_path / "old.pt")
    assert old.formula() == head.formula() and torch.equal(old(x), head(x))


def test_the_soft_network_keeps_both_scores():
    head, x = random_head("sums", 2, 0), rows(0)
    again = copy.deepcopy(head).train()
    assert again(x)[:, 0].abs().min() > 0 and torch.equal(again(x), head.soft(x))
