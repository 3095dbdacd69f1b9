"""Pairs of classes whose formulas differ in one feature, beside counting by sets."""

from __future__ import annotations

import itertools

import pytest
import torch

from occamhead import Expression, nec_of
from occamhead.heads.neighbours import Neighbours, one_feature_apart
from occamhead.heads.writing import Sums, write_head


def by_sets(weight):
    """All pairs, each compared feature by feature."""
    found = []
    for a, b in itertools.combinations(range(len(weight)), 2):
        signs = [{i: w > 0 for i, w in enumerate(row) if w} for row in (weight[a], weight[b])]
        own = [
            sorted(i for i in mine if theirs.get(i) != mine[i])
            for mine, theirs in (signs, signs[::-1])
        ]
        if len(own[0]) <= 1 and len(own[1]) <= 1:
            reads = [features[0] if features else None for features in own]
            # An exchange is one of two features, a sign one of the same; both at once are two.
            found.append(Neighbours(a, b, *reads))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_as_counted_by_sets(seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randint(-1, 2, (40, 5), generator=generator).float()
    layer = torch.nn.Linear(5, 40)
    with torch.no_grad():
        layer.weight.copy_(weight)
    found = one_feature_apart(layer)
    assert found == by_sets(weight.tolist())
    assert any(p.first_reads == p.second_reads is not None for p in found)
    assert any(None not in (p.first_reads, p.second_reads) for p in found)


def test_a_head_has_the_pairs_of_its_weights():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randint(-1, 2, (12, 6), generator=generator).float()
    head = write_head(Sums(weight, torch.zeros(12)), (torch.zeros(6), torch.ones(6)))
    # A sum of no feature, and equal ones, stand once in the formula.
    assert one_feature_apart(head.eval()) == by_sets(weight.tolist())


def test_sums_within_sums_functions_and_products():
    texts = ["2*(x0 - x1)", "x0 - 3*sqrt(x1)", "x0*x1", "x0 + x1", "x0*x1 + x2", "x3"]
    found = one_feature_apart(Expression.parse(texts, num_inputs=4))
    assert [(p.first, p.second, p.first_reads, p.second_reads) for p in found] == [
        (0, 1, None, None),
        (0, 3, 1, 1),
        (1, 3, 1, 1),
        (2, 4, None, 2),
    ]


def test_two_classes_are_no_pair_and_what_is_no_head_is_refused():
    assert one_feature_apart(Expression.parse(["x0", "x1"], num_inputs=2)) == []
    for ask in (one_feature_apart, nec_of):
        with pytest.raises(TypeError, match="wanted a head of occamhead"):
            ask(torch.nn.ReLU())
