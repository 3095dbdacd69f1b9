"""The best function that was seen at each complexity is kept."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from occamhead.search.archive import MOST, Archive
from occamhead.search.elites import own_route
from tests.search.prepared import prepare


@pytest.mark.parametrize("seed", range(10))
def test_the_archive_holds_the_best_at_each_complexity_and_its_front_is_pareto(seed):
    generator = np.random.default_rng(seed)
    _, wiring, _, _, choices = prepare("layers", 200)
    archive = Archive(wiring, exact=1e-9)
    error = 10.0 ** generator.uniform(-3, 1, (200, 3))
    error[generator.uniform(size=error.shape) < 0.1] = math.inf
    size = generator.integers(1, 25, (200, 3)).astype(np.int32)
    root = generator.integers(0, 1000, (200, 3)).astype(np.int32)
    least = np.full(3, math.inf)
    for start in range(0, 200, 40):
        part = slice(start, start + 40)
        judged = SimpleNamespace(error=error[part], size=size[part], root=root[part])
        improved = archive.add(choices[part], judged)
        now = np.minimum(least, error[part].min(axis=0))
        assert improved == (now < least).any()
        least = now
        assert np.array_equal(archive.least, least)
    for j in range(3):
        points = [(int(s), float(e)) for s, e in zip(size[:, j], error[:, j], strict=True)]
        wanted = [
            (s, e)
            for s, e in sorted(set(points))
            if e < math.inf and not any(t <= s and f <= e and (t, f) != (s, e) for t, f in points)
        ]
        front = archive.front(j)
        assert [(c, archive.error[j, c]) for c in front] == wanted
        for c in front:
            (r,) = np.flatnonzero((size[:, j] == c) & (error[:, j] == archive.error[j, c]))
            assert archive.root[j, c] == root[r, j]
            own = np.empty_like(choices[0])
            own_route(wiring, choices[r], j, own)
            assert np.array_equal(archive.choices[j, c], own)


def archive_of(errors: dict[int, float]) -> Archive:
    _, wiring, _, _, choices = prepare("T_last", len(errors))
    archive = Archive(wiring, exact=1e-9)
    archive.add(
        choices,
        SimpleNamespace(
            error=np.array([[e] for e in errors.values()]),
            size=np.array([[c] for c in errors], np.int32),
            root=np.arange(len(errors), dtype=np.int32)[:, None],
        ),
    )
    return archive


def test_a_front_ends_where_nothing_is_left_to_explain():
    archive = archive_of({1: 1.0, 3: 0.5, 4: 0.5 * (1 - 1e-9), 5: 1e-12, 9: 1e-15})
    assert archive.front(0) == [1, 3, 5]
    assert archive.best(0, 100) == 5


def test_functions_beyond_the_table_share_its_last_place():
    archive = archive_of({MOST + 5: 0.3, MOST + 50: 0.2})
    assert archive.front(0) == [MOST - 1] and archive.least[0] == 0.2


def test_an_empty_archive_has_no_best():
    archive = archive_of({3: math.inf})
    assert archive.front(0) == [] and archive.best(0, 10) is None
    assert archive.least[0] == math.inf
    full = archive_of({3: 0.1})
    full.clear()
    assert full.best(0, 10) is None


def test_the_best_has_the_shortest_description():
    """By hand: four more nodes of three kinds cost 4 log 3 = 4.4 nats, rows log(0.5 / 0.499)."""
    archive = archive_of({1: 1.0, 5: 0.5, 9: 0.499})
    assert math.log(0.5 / 0.499) * 2000 < 4 * math.log(3) < math.log(0.5 / 0.499) * 2500
    assert archive.best(0, 2000) == 5 and archive.best(0, 2500) == 9
    assert archive.best(0, 6) == 1 and archive.best(0, 7) == 5
