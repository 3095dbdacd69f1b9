"""NEC: features of a class in the mean, whatever kind of head it is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from occamhead import fit_path, nec_of
from occamhead.expression import ExpressionBuilder
from occamhead.heads.occam import OccamHead


@pytest.fixture
def layer():
    """Three classes, of two, no and one feature."""
    made = nn.Linear(4, 3)
    with torch.no_grad():
        made.weight.copy_(torch.tensor([[1.0, 0, 0, -2], [0, 0, 0, -0.0], [0, 1e-30, 0, 0]]))
    return made


def test_weights_that_are_zero_do_not_count(layer):
    found = nec_of(layer)
    assert found.per_class == (2, 0, 1)
    assert found.mean == 1.0 and found.most == 2


def test_a_decision_reads_the_formula_of_the_class_that_it_names(layer):
    assert nec_of(layer).per_decision(torch.tensor([0, 0, 1, 2])) == pytest.approx(5 / 4)


def test_a_formula_has_the_nec_of_the_layer_that_it_says(layer):
    builder = ExpressionBuilder()
    leaves = [builder.input(k) for k in range(4)]
    node = builder.apply("mul", leaves[0], leaves[2])
    outputs = [builder.affine(0.5, [(2.0, node), (1.0, leaves[3])]), builder.constant(1.0)]
    outputs.append(builder.affine(0.0, [(3.0, node)]))
    # A product reads both of its factors.
    assert nec_of(builder.build(outputs, 4)).per_class == (3, 0, 2)


def test_two_classes_share_one_score(layer):
    two = nn.Linear(4, 2)
    with torch.no_grad():
        two.weight.copy_(torch.tensor([[1.0, 0, 0, -2], [0, 3.0, 0, 0]]))
    assert nec_of(two).per_class == (3, 3)
    one = nn.Linear(4, 1)
    with torch.no_grad():
        one.weight.copy_(torch.tensor([[1.0, 0, 0, -2]]))
    assert nec_of(one).per_class == (2, 2)


def test_several_labels_and_numbers_have_a_score_each():
    head = OccamHead(5, 2, ["affine2"], loss="binary_cross_entropy")
    formula = head.formula()
    assert nec_of(head).per_class == tuple(len(formula[k].features) for k in range(2))


def test_a_path_counts_its_formulas_and_shows_it(planted):
    rows = planted(rows=240, features=12, informative=6, classes=3)
    path = fit_path(rows.train, budgets=(1, 2), per_class=True)
    for point in path:
        sizes = [len(point.formula[k].features) for k in range(3)]
        assert point.nec.per_class == tuple(sizes) and point.features_per_class == max(sizes)
    titles, *lines = path.table(path.points[0].head)
    assert titles.split()[:2] == ["features", "NEC"]
    assert [line.split()[1] for line in lines] == [f"{point.nec.mean:.1f}" for point in path]


def test_what_has_no_weights_of_classes_is_refused(layer):
    with pytest.raises(TypeError, match=r"got Sequential; of a model take its last layer"):
        nec_of(nn.Sequential(layer))
    with pytest.raises(TypeError, match=r"got Conv2d with weight \[3, 1, 2, 2\]"):
        nec_of(nn.Conv2d(1, 3, 2))
    with torch.no_grad():
        layer.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="1 weights are NaN; fit the layer again"):
        nec_of(layer)
