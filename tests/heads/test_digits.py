"""As few digits as change no answer."""

from __future__ import annotations

import pytest
import torch

from occamhead.heads.digits import ALL, choose_digits
from occamhead.heads.writing import Sums, write_head
from occamhead.training.path import fit_path

pytestmark = pytest.mark.usefixtures("one_thread")


def head_of(weights, bias=0.0):
    weight = torch.tensor([[0.0] * len(weights), weights])
    scale = torch.zeros(len(weights)), torch.ones(len(weights))
    return write_head(Sums(weight, torch.tensor([0.0, bias])), scale, ALL)


@pytest.mark.parametrize(
    ("rows", "digits"),
    [
        ([[1.0, 1.0], [1.0, -2.0]], 2),
        # 1.2345 - 1.2342: equal with four digits, of the right sign with five.
        ([[1.0, -1.0], [1.0, -1.0002], [1.0, -1.0004]], 5),
    ],
)
def test_the_fewest_digits_that_change_no_answer(rows, digits):
    head, x = head_of([1.2345, 1.2342]), torch.tensor(rows)
    exact = (x.double() @ torch.tensor([1.2345, 1.2342]).double()) > 0
    choose_digits(head, [x[:1], x[1:]])
    assert head.digits == digits
    assert torch.equal(head.predict(x) == 1, exact)


def test_digits_that_are_asked_for_are_given():
    head = head_of([1.2345, -0.5])
    choose_digits(head, [torch.zeros(3, 2)], digits=3)
    assert head.digits == 3 and head.formula().text()[1] == "1.23*x0 - 0.5*x1"


def test_a_path_needs_few_digits_and_takes_those_asked_for(planted):
    data = planted(rows=120, features=12)
    few = fit_path(data.data(), [4]).points[0].head
    many = fit_path(data.data(), [4], head={"digits": 8}).points[0].head
    x = torch.cat([torch.as_tensor(each[0]) for each in (data.train, data.validation)])
    assert few.digits <= 4 and many.digits == 8
    assert torch.equal(few.predict(x), many.predict(x))
