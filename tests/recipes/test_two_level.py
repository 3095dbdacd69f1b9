"""The smallest two-level form, against the cheapest way to every truth table of three inputs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from recipes.automata.rules import LIFE, WINDOW, random_rules
from recipes.others.two_level import FREE, smallest_cover

NAMES = "abc"
POINTS = list(itertools.product((0, 1), repeat=3))


def cheapest():
    """The fewest tokens of an ``or`` of ``and``s for each truth table as a mask: shortest paths."""
    price = {}
    for term in itertools.product((0, 1, FREE), repeat=3):
        held = sum(1 << i for i, point in enumerate(POINTS)
                   if all(t in (FREE, p) for t, p in zip(term, point, strict=True)))  # fmt: skip
        price[held] = min(price.get(held, 99), sum({0: 3, 1: 2, FREE: 0}[t] for t in term))
    best = {0: 0}
    for _ in range(8):  # no table takes more terms
        for mask, tokens in list(best.items()):
            for held, more in price.items():
                best[mask | held] = min(best.get(mask | held, 999), tokens + more)
    # The last literal is joined to none; "0" and "1" are one token.
    return {mask: max(1, tokens - 1) for mask, tokens in best.items()}


def test_no_form_of_three_inputs_has_fewer_tokens():
    for mask, tokens in cheapest().items():
        labels = np.array([mask >> i & 1 for i in range(8)])
        cover = smallest_cover(labels)
        text = cover.text(NAMES)
        assert [eval(text, dict(zip(NAMES, p, strict=True))) for p in POINTS] == labels.tolist()
        assert cover.tokens == cover.at_least == tokens == len(text.split())
        assert cover.is_minimum and (cover.holds(np.array(POINTS)) == labels).all()


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_were_not_seen_are_free(seed):
    generator = np.random.default_rng(seed)
    labels, seen = generator.integers(0, 2, 8), generator.random(8) < 0.6
    fits = {m: t for m, t in cheapest().items()
            if all(m >> i & 1 == labels[i] for i in np.flatnonzero(seen))}  # fmt: skip
    cover = smallest_cover(labels, seen)
    assert (cover.holds(np.array(POINTS)) == labels)[seen].all()
    assert cover.tokens == min(fits.values())


def test_life_in_two_levels():
    windows = WINDOW.rows()
    cover = smallest_cover(LIFE.of_windows(windows))
    assert (cover.holds(windows) == LIFE.of_windows(windows)).all()
    # 84 terms: 56 for three neighbours, alive or dead, and 28 for two.
    assert cover.is_minimum and len(cover.terms) == 84


def test_terms_of_random_rules_are_prime_and_needed():
    windows = WINDOW.rows()
    for rule in random_rules(3, seed=1):
        labels = rule.of_windows(windows)
        cover = smallest_cover(labels)
        for place, term in enumerate(cover.terms):
            rest = np.delete(cover.terms, place, axis=0)
            fits = ((rest[:, None] == FREE) | (rest[:, None] == windows)).all(axis=2).any(axis=0)
            assert (fits != labels).any()
            for axis in np.flatnonzero(term != FREE):
                wider = np.where(np.arange(9) == axis, FREE, term)
                held = ((wider == FREE) | (wider == windows)).all(axis=1)
                assert (labels[held] == 0).any()


def test_what_is_no_truth_table_is_refused():
    with pytest.raises(ValueError, match="got 6 labels"):
        smallest_cover(np.zeros(6, np.int64))
    with pytest.raises(ValueError, match="4 marks"):
        smallest_cover(np.zeros(8, np.int64), np.ones(4, bool))
