"""Many rows, many inputs: what is sampled and screened."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.tables.no_law import NoLawWarning
from occamhead.tables.screening import FEWEST_INPUTS, MOST_INPUTS, screen
from occamhead.tables.sorted_rows import RARE, sort_rows
from tests.tables.small import classifier, regressor


def table_of(x, y):
    y = np.asarray(y)
    return sort_rows(x, y[:, None].astype(float), y, np.ones(len(x)))


@pytest.mark.slow
def test_more_rows_than_a_store_holds():
    random = np.random.default_rng(0)
    x = random.normal(size=(70_000, 3))
    y = 2.5 * x[:, 0] * x[:, 1] + 0.1 * random.normal(size=70_000)
    model = regressor(max_functions=5000).fit(x, y)
    assert str(model.best_.rounded(2)) in ("2.5*x0*x1", "2.5*x1*x0")
    # Its number is that of all rows, not of those that were searched on.
    number = float(np.linalg.lstsq((x[:, 0] * x[:, 1])[:, None], y, rcond=None)[0][0])
    assert model.predict([[1.0, 1.0, 0.0]])[0] == pytest.approx(number, abs=1e-5)
    labels = np.where(y > 0, "a", "b")
    assert classifier(max_functions=3000).fit(x, labels).score(x, labels) > 0.9


def test_a_sample_has_every_quantile_and_of_a_rare_class_some():
    random = np.random.default_rng(0)
    y = random.standard_cauchy(50_000)
    table = table_of(random.normal(size=(50_000, 1)), y)
    rows = table.sample(1000, 0)
    assert len(np.unique(rows)) == len(rows) == 1000
    drawn = np.sort(table.labels[rows])
    for share in (0.01, 0.3, 0.9, 0.998):
        assert (y < drawn[int(1000 * share)]).mean() == pytest.approx(share, abs=0.0011)
    labels = (np.arange(50_000) < 20).astype(int)
    rare = table_of(random.normal(size=(50_000, 1)), labels)
    assert rare.labels[rare.sample(1000, 0)].sum() >= RARE
    assert np.array_equal(table.sample(50_000, 0), np.arange(50_000))


@pytest.mark.parametrize(
    "law",
    [lambda x: 3.7 * x[:, 3] / (x[:, 7] + 2), lambda x: (x[:, 3] - 3) * (x[:, 7] - 3),
     lambda x: np.sin(3 * x[:, 3]) + x[:, 7] ** 2],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_inputs_that_matter_alone_or_in_pairs_are_kept(law, seed):
    random = np.random.default_rng(seed)
    x = random.uniform(1, 5, (500, 200))
    y = law(x)
    y = y + 0.05 * y.std() * random.normal(size=500)
    kept = screen(table_of(x, y))
    assert {3, 7} <= set(kept) and len(kept) <= MOST_INPUTS and kept == sorted(kept)


def test_few_inputs_are_all_kept_and_of_many_some():
    random = np.random.default_rng(0)
    assert screen(table_of(random.normal(size=(50, 9)), random.normal(size=50))) == list(range(9))
    kept = screen(table_of(random.normal(size=(300, 60)), random.normal(size=300)))
    assert FEWEST_INPUTS <= len(kept) <= MOST_INPUTS


def test_a_law_of_two_of_many_inputs_keeps_their_names():
    x = np.random.default_rng(0).normal(size=(300, 80))
    model = regressor(max_functions=5000, warm_start=True).fit(x, x[:, 30] * x[:, 70])
    assert str(model.best_) == "x30*x70"
    assert str(model.fit(x, x[:, 30] * x[:, 70]).best_) == "x30*x70"


def test_a_law_of_two_of_many_inputs_in_noise_has_no_terms_of_others():
    random = np.random.default_rng(100)
    x = random.uniform(size=(400, 300))
    law = x[:, 3] * x[:, 7]
    model = regressor(depth=4, folds=5).fit(x, law + 0.2 * law.std() * random.normal(size=400))
    assert str(model.best_) == "x3*x7"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 19])
def test_of_inputs_that_tell_nothing_the_constant_is_left(seed):
    # In these samples the best of the inputs correlates with the target by .2 and more.
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(200, 50)), random.normal(size=200)
    with pytest.warns(NoLawWarning, match="of 200, better than a constant"):
        assert regressor(depth=4, folds=5).fit(x, y).best_.features == ()
