"""The tasks of Table 1: the paper's settings and figures, and data that are its laws."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from occamhead import BASIS_SETS
from recipes.table1_lines.flags import ENGINES
from recipes.table1_lines.task import CONFIGS, Task

TASKS = {line: Task.load(line) for line in range(1, 22)}
IMPLICIT = range(9, 14)

# From the paper, Tables 1 and 3: L, T_last, sigma, R, lambda, alpha; eta, seconds, Eureqa's eta.
TABLE_3 = {
    1: (2, 1, 0.01, 50, 5, 0.05, 1.0, 5, 1.0),
    2: (3, 1, 0.001, 50, 5, 0.005, 0.8, 56, 1.0),
    3: (5, 1, 0.001, 50, 5, 0.005, 0.7, 190, 0.0),
    4: (2, 2, 0.0001, 100, 5, 0.005, 0.9, 81, 0.7),
    5: (4, 3, 0.0001, 100, 10, 0.002, 0.3, 305, 1.0),
    6: (3, 2, 0.1, 150, 5, 0.005, 0.6, 83, 0.7),
    14: (2, 1.5, 0.1, 100, 5, 0.005, 0.7, 26, 1.0),
    15: (2, 1.5, 0.1, 100, 5, 0.005, 1.0, 10, 1.0),
    16: (3, 1.5, 0.01, 100, 5, 0.005, 1.0, 236, 1.0),
    17: (3, 4, 0.01, 100, 5, 0.004, 0.7, 81, 1.0),
    18: (2, 1, 0.1, 100, 5, 0.005, 1.0, 14, 1.0),
    19: (3, 3, 0.01, 100, 5, 0.002, 0.3, 157, 0.1),
    20: (2, 2, 0.01, 100, 5, 0.005, 1.0, 64, 0.0),
    21: (2, 1.5, 0.01, 100, 5, 0.005, 1.0, 64, 0.6),
}
# Tables 1 and 4: L, sigma, R, lambda, the sum of the weights w; eta, seconds, Eureqa's eta.
TABLE_4 = {
    7: (2, 0.0005, 200, 10, 0, 1.0, 553, 0.0),
    8: (3, 0.01, 400, 50, 0, 0.8, 410, 1.0),
    9: (2, 0.01, 400, 1, 1.25, 1.0, 294, 1.0),
    10: (2, 0.01, 200, 10, 1.25, 1.0, 153, 0.6),
    11: (2, 0.01, 200, 10, 1.25, 1.0, 131, 1.0),
    12: (2, 0.01, 400, 1, 1.25, 0.9, 232, 1.0),
    13: (2, 0.01, 200, 10, 1.25, 1.0, 270, 0.0),
}


def test_there_is_a_file_for_each_line_and_no_other():
    assert sorted(TASKS) == sorted([*TABLE_3, *TABLE_4])
    assert [path.name for path in sorted(CONFIGS.iterdir())] == [f"{n:02d}.yaml" for n in TASKS]
    assert [task.line for task in TASKS.values()] == list(TASKS)


@pytest.mark.parametrize("line", TABLE_3)
def test_settings_are_those_of_table_3(line):
    depth, last, sigma, samples, kept, rate, eta, seconds, eureqa = TABLE_3[line]
    task = TASKS[line]
    settings = task.search_settings("literal")
    network = task.build("literal")
    assert task.rows == 1000 and network.layout.depth == depth + 1
    assert network.temperatures.tolist() == [1.0] * (depth + 1) + [last]
    assert network.equalisation == 0
    assert (settings["sigma"], settings["num_samples"]) == (sigma, samples)
    assert (settings["num_kept"], settings["learning_rate"]) == (kept, rate)
    assert settings["fitness"] == "gaussian" and "regularisation" not in settings
    assert settings["max_functions"] <= 10_000 * samples
    assert task.paper == {"eta": eta, "seconds": seconds, "eureqa": eureqa}


@pytest.mark.parametrize("line", TABLE_4)
def test_settings_are_those_of_table_4(line):
    depth, sigma, samples, kept, weights, eta, seconds, eureqa = TABLE_4[line]
    task = TASKS[line]
    settings = task.search_settings("literal")
    network = task.build("literal")
    assert task.rows == 200 and network.layout.depth == depth
    assert network.temperatures.tolist() == [1.0] * depth + [10.0]
    assert network.equalisation == 1
    assert (settings["sigma"], settings["num_samples"]) == (sigma, samples)
    assert (settings["num_kept"], settings["learning_rate"]) == (kept, 0.01)
    regularisation = dict(settings["regularisation"])
    assert regularisation.pop("undefined") == 0.2
    assert sum(regularisation.values()) == pytest.approx(weights)
    assert task.paper == {"eta": eta, "seconds": seconds, "eureqa": eureqa}


@pytest.mark.parametrize("line", TASKS)
def test_bases_constants_and_both_yardsticks_are_the_papers(line):
    task = TASKS[line]
    bases = BASIS_SETS[f"table1/{line}"]
    for engine in ENGINES:
        network = task.build(engine)
        names = [[basis.name for basis in layer] for layer in network.layout.layers]
        assert names[-1] == list(bases.bases)
        assert all(set(layer) == set(bases.bases) for layer in names)
        assert network.leaf_constants.tolist() == pytest.approx(bases.constants)
    literal, sampler = (task.search_settings(name) for name in ("literal", "no-learning"))
    for settings in (literal, sampler):
        settings.pop("engine"), settings.pop("max_functions")
    assert literal == sampler == task.strategy
    assert task.limits["no-learning"] == task.limits["occamhead"]


@pytest.mark.parametrize("line", TASKS)
def test_every_figure_names_its_source(line):
    lines = (CONFIGS / f"{line:02d}.yaml").read_text().splitlines()
    for before, text in pairwise(lines):
        value = re.sub(r"#.*|'[^']*'", "", text)
        if re.search(r":.*\d", value):
            assert "#" in text or "#" in before, text


@pytest.mark.parametrize("line", IMPLICIT)
def test_implicit_networks_have_two_of_each_basis_below_the_last(line):
    """Otherwise x0*x0 + x1*x1 would need a third layer."""
    first, last = TASKS[line].build("literal").layout.layers
    assert sorted(b.name for b in first) == sorted(2 * [b.name for b in last])


def test_own_settings_stay_with_the_own_engine():
    task = replace(TASKS[13], occamhead={"shadow": True, "last_temperature": 1})
    assert task.build("occamhead").temperatures[-1] == 1
    assert task.build("literal").temperatures[-1] == 10
    own, literal = (task.search_settings(engine) for engine in ("occamhead", "literal"))
    assert own["shadow"] and "last_temperature" not in own and "shadow" not in literal


def test_a_misspelt_key_and_a_missing_line_are_refused(tmp_path):
    text = (CONFIGS / "01.yaml").read_text().replace("limits:", "limit:")
    (tmp_path / "01.yaml").write_text(text)
    with pytest.raises(ValueError, match="limit"):
        Task.load(1, tmp_path)
    with pytest.raises(ValueError, match="line 22"):
        Task.load(22)


# --- data ------------------------------------------------------------------------------------


def g20(x):
    return x**2 if x < 2 else x / 2


def g21(x):
    return x + 2 if x < 2 else x - 1


# The laws in plain Python, row by row.
LAWS = {
    1: lambda x: [2 * x[0] ** 2 + 3 * x[0]],
    2: lambda x: [np.sin(3 * x[0] + 2)],
    3: lambda x: [sum(np.sin(n * x[0]) for n in (1, 2, 3))],
    4: lambda x: [(x[0] ** 2 + x[0]) / (x[0] + 2)],
    5: lambda x: [x[0] ** 2 * (x[0] + 1) / x[1] ** 5],
    6: lambda x: [x[0] ** 2 / 2 + (x[1] + 1) ** 2 / 2],
    7: lambda x: [10.5 * x[0] ** 3.1],
    8: lambda x: [np.cos(x[0])],
    14: lambda x: [3 * x[0] if x[0] > 0 else x[0]],
    15: lambda x: [x[0] ** 2 if x[0] > 0 else -x[0]],
    16: lambda x: [x[0] if x[0] > 0 else np.sin(x[0])],
    17: sorted,
    18: lambda x: [(x[0] + x[3]) % 2, x[0], x[1], x[2]],
    19: lambda x: [x[1] if x[0] < 2 else -x[1], x[0] if x[1] < 0 else x[1] ** 2],
    20: lambda x: [g20(g20(g20(g20(x[0]))))],
    21: lambda x: [g21(g21(x[0]))],
}
# Implicit laws: what is zero on the data.
RELATIONS = {
    9: lambda x: x[0] * x[1] - 1,
    10: lambda x: x[0] ** 2 + x[1] ** 2 - 1,
    11: lambda x: x[0] / np.cos(x[1]) - 1,
    12: lambda x: x[1] / x[0] - 1,
    13: lambda x: x[0] * x[1] - x[2] * x[3],
}


@pytest.mark.parametrize("line", LAWS)
def test_targets_are_the_law_on_the_papers_range(line):
    task = TASKS[line]
    x, y = task.data(seed=3)
    np.testing.assert_allclose(y, [LAWS[line](row) for row in x], rtol=1e-12, atol=1e-12)
    assert len(x) == task.rows
    for column, (low, high) in zip(x.T, task.ranges, strict=True):
        assert low <= column.min() < low + 0.05 * (high - low)
        assert high >= column.max() > high - 0.05 * (high - low)


@pytest.mark.parametrize("line", RELATIONS)
def test_implicit_data_lie_on_the_law(line):
    task = TASKS[line]
    for x in (task.data(seed=3)[0], task.points):
        np.testing.assert_allclose([RELATIONS[line](row) for row in x], 0, atol=1e-10)
    assert np.unique(task.data(seed=3)[1]).tolist() == [0.0 if line == 13 else 1.0]


def test_implicit_data_come_from_where_the_paper_says():
    circle = TASKS[10].data(seed=0)[0]
    assert 60 < (circle[:, 1] > 0).sum() < 140
    assert TASKS[11].data(seed=0)[0][:, 1].min() >= 0 > TASKS[11].points[:, 1].min()
    assert np.abs(TASKS[13].data(seed=0)[0][:, :3]).max() <= 10


def test_seeds_give_different_rows_and_the_same_seed_the_same():
    x, y = TASKS[1].data(seed=1)
    generator = np.random.default_rng(1)
    assert np.array_equal(x[:, 0], generator.uniform(-10, 10, 1000))
    assert np.array_equal(TASKS[1].data(seed=1)[1], y)
    assert not np.isin(TASKS[1].data(seed=2)[0], x).any()


def test_noise_has_the_promised_size_and_leaves_the_inputs():
    clean, noisy = TASKS[19].data(seed=0), TASKS[19].data(seed=0, noise=0.1)
    assert np.array_equal(clean[0], noisy[0])
    ratio = (noisy[1] - clean[1]).std(axis=0) / clean[1].std(axis=0)
    assert ratio == pytest.approx([0.1, 0.1], rel=0.1)
