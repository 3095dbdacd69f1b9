"""Networks on squares: what is lifted is what is learned, at every side and in every form."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.distill.sizes.grid_networks import GridNetwork, Layer, learn_grid
from occamhead.distill.sizes.grid_rules import GridRule
from occamhead.distill.sizes.grids import lift_grid
from occamhead.distill.sizes.lifted import Lifted
from occamhead.expression.formats.program_tokens import body_tokens
from tests.distill.printed import predict_of


def lines(side, horizontal=0):
    across = np.kron(np.eye(side, dtype=int), np.ones(side, dtype=int))
    down = np.tile(np.eye(side, dtype=int), side)
    return np.concatenate([across, down]), np.repeat([horizontal, 1 - horizontal], side)


def images(side, count=300, seed=0):
    """From empty to full, so that ties and undecided ones are among them."""
    density = np.linspace(0, 1, count)[:, None]
    return (np.random.default_rng(seed).random((count, side**2)) < density).astype(np.int64)


def lifted(horizontal=0, sides=(5, 6, 7), held_out=8) -> Lifted:
    return lift_grid(
        {m: lines(m, horizontal) for m in sides}, {held_out: lines(held_out, horizontal)}
    )


@pytest.fixture(scope="module")
def found() -> Lifted:
    return lifted()


def test_published_numbers_at_28(found):
    """784-784-56-2 neurons, subconcepts that weigh 27 : 1 with a bias of 756."""
    network = found.rule.network(28)
    assert network.differentiae.weights.shape == (784, 784)
    assert network.subconcepts.weights.shape == (56, 784)
    assert {*network.differentiae.weights.ravel().tolist()} == {-1, 0, 1}
    for row in network.subconcepts.weights:
        values, counts = np.unique(np.abs(row), return_counts=True)
        assert values.tolist() == [1, 27] and counts.tolist() == [28, 28 * 27]
    assert {*network.subconcepts.thresholds.tolist()} == {756}
    assert {*network.differentiae.thresholds.tolist()} == {0}


def test_the_program_is_short(found):
    source = found.source()
    assert len(source.splitlines()) == 8 and "import" not in source
    assert "across = sum(m * sum(r) > (m - 1) * total + m**2 - m for r in d)" in source
    assert body_tokens(source) <= 193
    assert "5 (10 rows), 6 (12 rows), 7 (14 rows), right at held-out size 8 (16 rows)" in source
    assert not found.certificate.lossless


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8, 11])
@pytest.mark.parametrize("horizontal", [0, 1])
def test_program_network_and_rule_agree(side, horizontal):
    own = lifted(horizontal)
    predict, rows = predict_of(own.source()), images(side)
    printed = [predict(row) for row in rows.tolist()]
    assert printed == own.rule.network(side).predict(rows).tolist()
    assert printed == [own.predict(row) for row in rows.tolist()]
    assert side < 3 or set(printed) == {0, 1}


@pytest.mark.parametrize("side", [5, 6, 7, 8, 10])
def test_what_is_lifted_is_what_is_learned(found, side):
    """At sides that were fitted, held out, and neither; the order of the images does not matter."""
    x, y = lines(side)
    order = np.random.default_rng(side).permutation(len(x))
    learned, claimed = learn_grid(x[order], y[order]), found.rule.network(side)
    assert np.array_equal(learned.predict(x), y)
    rows = images(side)
    assert np.array_equal(learned.predict(rows), claimed.predict(rows))
    planes = (np.unique(n.differentiae.weights, axis=0) for n in (learned, claimed))
    assert np.array_equal(*planes)


def test_sides_may_be_others_and_their_order_any(found):
    assert lifted(sides=(8, 6, 5), held_out=7).rule == found.rule


@pytest.mark.parametrize("side", [5, 6, 7])
def test_the_planes_have_the_widest_margin(side):
    """Against a solver of the general quadratic program: no plane keeps the sets further apart."""
    from scipy.optimize import minimize

    network = learn_grid(*lines(side))
    x, y = lines(side)
    told = np.sign(network.differentiae.excess(x))
    own, rivals = told[0], told[y == 1]
    weights = network.subconcepts.weights[0].astype(float)
    margin = (own @ weights - (rivals @ weights).max()) / np.linalg.norm(weights)
    # The distance of a point from the hull of others is what the widest margin is.
    count = len(rivals)
    hull = minimize(
        lambda share: np.square(own - share @ rivals).sum(),
        np.eye(count)[0],
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda share: share.sum() - 1},
    )
    assert margin == pytest.approx(np.sqrt(hull.fun), rel=1e-4)


def test_halves_become_whole_thresholds():
    """A gap from 0 to 1 has its middle at 1/2: both are doubled, and nothing ties."""
    network = learn_grid(np.array([[1, 0], [0, 0]]), np.array([0, 1]))
    assert network.differentiae.weights.tolist() == [[2, 0]]
    assert network.differentiae.thresholds.tolist() == [1]
    assert network.predict([[1, 0], [0, 0]]).tolist() == [0, 1]


def test_undecided_is_the_lowest_class():
    nothing = Layer(np.zeros((1, 4), np.int64), np.zeros(1, np.int64))
    one = Layer(np.ones((1, 1), np.int64), np.zeros(1, np.int64))
    assert GridNetwork(nothing, one, one).predict(np.eye(4)).tolist() == [0] * 4


def test_errors(found):
    assert isinstance(found.rule, GridRule)
    data = {m: lines(m) for m in (5, 6, 7)}
    with pytest.raises(ValueError, match="three sides or more"):
        lift_grid({5: lines(5), 6: lines(6)}, {7: lines(7)})
    with pytest.raises(ValueError, match="held out"):
        lift_grid(data, {})
    with pytest.raises(ValueError, match="held out"):
        lift_grid(data, {7: lines(7)})
    with pytest.raises(ValueError, match="5 or more, got 4"):
        lift_grid(data, {4: lines(4)})
    with pytest.raises(ValueError, match=r"got \[0, 1, 2\]"):
        lift_grid({**data, 5: (lines(5)[0], np.arange(10) % 3)}, {8: lines(8)})
    with pytest.raises(ValueError, match=r"say .* the network learned there has"):
        lift_grid(data, {8: lines(8, horizontal=1)})
    x, y = lines(6)
    with pytest.raises(ValueError, match="needed is one per row and column"):
        lift_grid({**data, 6: (x[1:], y[1:])}, {8: lines(8)})
    with pytest.raises(ValueError, match="no sum over it"):
        lift_grid({**data, 6: (np.eye(36, dtype=int)[:12], y)}, {8: lines(8)})
    with pytest.raises(ValueError, match="no hyperplane"):
        learn_grid([[0, 1], [0, 1]], [0, 1])
    with pytest.raises(ValueError, match="must be a square, row by row, got 30"):
        found.predict([0] * 30)
    with pytest.raises(ValueError, match=r"rows of 784 inputs, got shape \(2, 30\)"):
        found.rule.network(28).predict(np.zeros((2, 30)))
