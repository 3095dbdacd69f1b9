"""Nodes: each distinct one once, with the values of its formula, in memory that is bounded."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
import torch

from occamhead import OccamNet, get_basis
from occamhead.network.bases import BASES
from occamhead.search.judging.evaluator import Evaluator
from occamhead.search.judging.judging import Judging
from occamhead.search.judging.sampling import NONE, draw_routes, softmax_tables
from occamhead.search.judging.wiring import wire
from occamhead.search.logits import read_logits, space_of, to_routes

BACKENDS = ("compiled", "torch")
DTYPES = ("float64", "float32")
# Rounded alike everywhere, whatever the order of their arguments.
EXACT = ("add", "sub", "mul", "div", "neg", "if_le", "xor", "abs")
PLAIN = [name for name, basis in BASES.items() if not basis.start]


def draw(network: OccamNet, count: int, key: int = 1) -> np.ndarray:
    wiring, _ = wire(network.layout, network.groups)
    logits, temperatures = read_logits(network)
    log_probs, cumulative = np.zeros_like(logits), np.zeros_like(logits)
    softmax_tables(logits, temperatures, wiring.num_sources, log_probs, cumulative)
    choices = np.empty((count, len(wiring.num_sources)), np.int32)
    draw_routes(wiring, cumulative, np.uint64(key), np.zeros(count, np.bool_), choices)
    return choices


def rows_of(inputs: int, count: int = 300, wild: bool = True) -> np.ndarray:
    """Random inputs; some rows of zeros, infinities, NaN and numbers that overflow."""
    x = np.random.default_rng(0).normal(scale=3, size=(count, inputs))
    if wild:
        special = (0.0, -0.0, 1.0, -1.0, 1e30, -1e30, np.inf, -np.inf, np.nan)
        grid = np.array(list(product(special, repeat=inputs)))[: count // 2]
        x[: len(grid)] = grid
    return x


def judge_all(network, x, choices, store_mb=64.0, step=1, outputs=None, **settings):
    """An evaluator, and the roots of all routes; the store is large enough for them."""
    judging = Judging(store_mb=store_mb, **settings)
    y = np.random.default_rng(1).normal(size=(len(x), outputs or network.out_features))
    evaluator = Evaluator(space_of(network), x, y, judging)
    ((part, judged),) = evaluator.judge(choices, step)
    assert part == slice(0, len(choices))
    return evaluator, judged


NETS = {
    "plain": lambda: OccamNet(2, 1, EXACT, 3, constants=[2.0, 0.0]),
    "no skip": lambda: OccamNet(3, 2, EXACT, 2, skip=False),
    "groups": lambda: OccamNet(2, 4, EXACT, 2, groups=2, last_temperature=10.0),
    "layers": lambda: OccamNet(2, 1, [["mul", "div"], ["if_gt", "sub"], ["max3"]], noise=1.0),
}


# --- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NETS)
def test_values_are_those_of_the_network_also_where_undefined(name, backend, dtype):
    torch.manual_seed(0)
    network = NETS[name]()
    x = rows_of(network.in_features)
    choices = draw(network, 200)
    evaluator, judged = judge_all(network, x, choices, backend=backend, dtype=dtype)
    values, nodes = evaluator.values.host(), evaluator.store.nodes
    assert values.dtype == dtype
    hard = network.evaluate(to_routes(network, choices), torch.from_numpy(x.astype(dtype)))
    found = values[nodes.row[judged.root]].transpose(0, 2, 1)
    assert np.array_equal(found, hard.numpy(), equal_nan=True)
    assert np.isnan(found).any() and np.isinf(found).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_functions_are_the_formulas_that_the_routes_spell(backend, dtype):
    """On whole numbers, so that no sum or product is rounded and a formula may reorder them."""
    network = OccamNet(2, 2, ["add", "sub", "mul", "if_le", "max", "neg"], 3, constants=[3.0])
    x = np.random.default_rng(0).integers(-4, 5, (50, 2)).astype(dtype)
    choices = draw(network, 200)
    evaluator, judged = judge_all(network, x, choices, backend=backend, dtype=dtype)
    values, nodes, routes = (
        evaluator.values.host(),
        evaluator.store.nodes,
        to_routes(network, choices),
    )
    for r, roots in enumerate(judged.root):
        found = values[nodes.row[roots]].T
        assert np.array_equal(found, evaluator.function(roots, range(2)).expression()(x))
        assert np.array_equal(found, network.expression(routes, r)(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [*PLAIN, "add4", "add9", "max4", "min3"])
def test_every_node_is_its_basis_of_its_children(name, backend, dtype):
    """Node by node, so that no rounding is carried from one to the next."""
    network = OccamNet(2, 1, [name, "mul", name, "sub"], 2, constants=[0.5])
    basis = get_basis(name)
    evaluator, _ = judge_all(network, rows_of(2), draw(network, 300), backend=backend, dtype=dtype)
    values, nodes, checked = evaluator.values.host(), evaluator.store.nodes, 0
    for node in range(evaluator.store.count[0]):
        if nodes.basis[node] < 0 or evaluator.bases[nodes.basis[node]] != basis:
            continue
        below = values[nodes.row[nodes.children[node, : basis.arity]]].T
        wanted = basis.formula(below)[:, 0]
        # Sums of terms in another order are off by the rounding of the terms, not of the sum.
        terms = np.nan_to_num(np.abs(below), nan=0, posinf=0).sum(1) * name.startswith("add")
        close = np.isclose(
            values[nodes.row[node]], wanted, rtol=1e-13 if dtype == "float64" else 3e-6,
            atol=terms * np.finfo(dtype).eps + np.finfo(dtype).smallest_normal, equal_nan=True,
        )  # fmt: skip
        assert close.all()
        checked += 1
    assert checked > 3


def test_more_rows_than_a_block_of_the_compiled_loops():
    network = OccamNet(2, 1, ["if_le", "sigmoid10", "add4"], 2)
    x, choices = rows_of(2, 5003, wild=False), draw(network, 50)
    evaluator, judged = judge_all(network, x, choices)
    values = evaluator.values.host()
    for (root,) in judged.root:
        wanted = evaluator.function([root], [0]).expression()(x)[:, 0]
        np.testing.assert_allclose(values[evaluator.store.nodes.row[root]], wanted, rtol=1e-12)


# --- structure -------------------------------------------------------------------------------


def tree_of(network: OccamNet, choice: np.ndarray, row: int):
    """The function of a row of choices as nested tuples, arguments in either order as one."""
    wiring, bases = wire(network.layout, network.groups)
    leads = wiring.source[row, choice[row]]
    if leads >= 0:
        return int(leads)
    basis = bases[wiring.basis[~leads]]
    first = wiring.first_row[~leads]
    below = [tree_of(network, choice, first + k) for k in range(basis.arity)]
    if wiring.symmetric[wiring.basis[~leads]]:
        below.sort(key=repr)
    owner = int(~leads) if basis.num_constants else NONE
    return (basis.name, owner, *below)


def count_nodes(tree) -> int:
    return 1 if isinstance(tree, int) else 1 + sum(count_nodes(child) for child in tree[2:])


def subtrees(tree) -> set:
    if isinstance(tree, int):
        return set()
    return {tree}.union(*(subtrees(child) for child in tree[2:]))


@pytest.mark.parametrize("name", [*NETS, "free constants"])
def test_each_distinct_node_is_interned_once(name):
    if name == "free constants":
        network = OccamNet(2, 1, ["add", "mul_constant", "mul_constant", "mul"], 2)
    else:
        network = NETS[name]()
    choices = draw(network, 300)
    wiring, _ = wire(network.layout, network.groups)
    evaluator, judged = judge_all(network, rows_of(network.in_features, 20), choices)
    trees = [[tree_of(network, choice, row) for row in wiring.output_rows] for choice in choices]
    distinct = set().union(*(subtrees(tree) for sample in trees for tree in sample))
    store = evaluator.store
    assert store.count[0] - store.num_leaves == len(distinct)
    root_of = {}
    for sample, roots, sizes in zip(trees, judged.root, judged.size, strict=True):
        for tree, root, size in zip(sample, roots, sizes, strict=True):
            assert root_of.setdefault(tree, root) == root
            constants = count_constants(tree)
            assert store.nodes.num_constants[root] == constants
            assert size == count_nodes(tree) + constants
    assert len(set(root_of.values())) == len(root_of)
    rows = store.nodes.row[: store.count[0]]
    assert sorted(rows[rows >= 0]) == list(range(store.count[1]))
    assert np.array_equal(rows < 0, store.nodes.num_constants[: store.count[0]] > 0)


def count_constants(tree) -> int:
    if isinstance(tree, int):
        return 0
    return get_basis(tree[0]).num_constants + sum(count_constants(child) for child in tree[2:])


def test_arguments_in_either_order_are_one_function():
    network = OccamNet(2, 1, ["add", "sub"], 1)  # rows: add's two, sub's two, the output's
    choices = np.array(
        [[0, 1, -1, -1, 2], [1, 0, -1, -1, 2], [-1, -1, 0, 1, 3], [-1, -1, 1, 0, 3]], np.int32
    )
    evaluator, judged = judge_all(network, rows_of(2, 20), choices)
    (a, b, c, d) = judged.root[:, 0]
    assert a == b and len({a, c, d}) == 3 and evaluator.evaluated == 3


def test_a_function_that_was_seen_costs_no_evaluation():
    network = NETS["plain"]()
    choices = draw(network, 100)
    evaluator, judged = judge_all(network, rows_of(2), choices)
    before = evaluator.evaluated
    ((_, again),) = evaluator.judge(choices[::-1].copy(), 2)
    assert evaluator.evaluated == before
    for first, second in zip(judged, again, strict=True):
        assert np.array_equal(first[::-1], second, equal_nan=first.dtype.kind == "f")


# --- memory ----------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_held_survives_eviction_and_the_rest_is_computed_again(backend):
    network, x = NETS["plain"](), rows_of(2)
    choices = draw(network, 40)
    evaluator, judged = judge_all(network, x, choices, least_mb(network, x), backend=backend)
    store, nodes = evaluator.store, evaluator.store.nodes

    def values_of(roots):
        return evaluator.values.host()[nodes.row[roots]].copy()

    texts = [str(evaluator.function(root, [0]).expression()) for root in judged.root]
    values = values_of(judged.root)
    held = judged.root.copy()
    held[3] = NONE  # a free place
    evaluator.held.append(held)
    evictions, before = 0, 0
    for step in range(2, 60):
        for _, _ in evaluator.judge(draw(network, 40, key=step), step):
            evictions += store.count[0] < before
            before = store.count[0]
    assert evictions > 5 and held[3] == NONE
    for r in set(range(40)) - {3}:
        assert str(evaluator.function(held[r], [0]).expression()) == texts[r]
        assert np.array_equal(values_of(held[r]), values[r], equal_nan=True)
    evaluator.held.clear()
    for step in range(60, 80):
        for _ in evaluator.judge(draw(network, 40, key=step), step):
            pass
    count = evaluator.evaluated
    ((_, again),) = evaluator.judge(choices, 80)
    assert evaluator.evaluated > count
    assert np.array_equal(values_of(again.root), values, equal_nan=True)
    for found, wanted in zip(again[:5], judged[:5], strict=True):
        assert np.array_equal(found, wanted, equal_nan=found.dtype.kind == "f")


def test_a_full_store_forgets_what_was_used_longest_ago():
    network, x = NETS["plain"](), rows_of(2, 20)
    evaluator, _ = judge_all(network, x, draw(network, 10), least_mb(network, x))
    store = evaluator.store
    step = 1
    while store.count[1] + len(evaluator.wiring.basis) <= store.nodes.max_rows:
        step += 1
        for _ in evaluator.judge(draw(network, 1, key=step), step):
            pass
    used = store.nodes.used[store.num_leaves : store.count[0]].copy()
    evaluator.evict()
    left = store.nodes.used[store.num_leaves : store.count[0]]
    assert 0.4 < store.count[1] / store.nodes.max_rows < 0.55  # half, and the leaves
    assert np.array_equal(np.sort(left), np.sort(used)[-len(left) :])


def test_the_same_nodes_are_found_after_eviction():
    network = NETS["no skip"]()
    choices = draw(network, 200)
    evaluator, judged = judge_all(network, rows_of(3, 20), choices)
    evaluator.held.append(held := judged.root.copy())
    evaluator.evict()
    count = evaluator.store.count.copy()
    ((_, again),) = evaluator.judge(choices, 2)
    assert np.array_equal(again.root, held)
    assert np.array_equal(evaluator.store.count, count)


def test_fitted_constants_move_with_their_functions():
    network = OccamNet(1, 1, ["add_constant", "mul_constant", "mul"], 2)
    x = np.linspace(-2, 2, 30)[:, None]
    choices = draw(network, 60)
    evaluator, judged = judge_all(network, x, choices, fit_iterations=5)
    nodes = evaluator.store.nodes
    fitted = [r for r in range(60) if nodes.num_constants[judged.root[r, 0]]]
    held = judged.root[fitted[::2]].copy()
    texts = [str(evaluator.function(root, [0]).expression()) for root in held]
    assert len(set(texts)) > 3
    evaluator.held.append(held)
    nodes.used[: evaluator.store.count[0]] = 0
    evaluator.evict()
    assert [str(evaluator.function(root, [0]).expression()) for root in held] == texts
    assert len(evaluator.store.constants) == len(np.unique(held))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_that_does_not_fit_is_judged_in_parts(backend):
    network = NETS["plain"]()
    x, choices = rows_of(2, 200), draw(network, 3000)
    judging = Judging(store_mb=least_mb(network, x), backend=backend)
    y = np.random.default_rng(1).normal(size=(200, 1))
    small = Evaluator(space_of(network), x, y, judging)
    large, whole = judge_all(network, x, choices, backend=backend)
    done, parts = 0, 0
    for part, judged in small.judge(choices, 1):
        assert part.start == done < part.stop
        values = small.values.host()[small.store.nodes.row[judged.root]]
        wanted = large.values.host()[large.store.nodes.row[whole.root[part]]]
        assert np.array_equal(values, wanted, equal_nan=True)
        for found, wanted in zip(judged[:5], whole[:5], strict=True):
            assert np.array_equal(found, wanted[part], equal_nan=found.dtype.kind == "f")
        done, parts = part.stop, parts + 1
    assert done == len(choices) and parts > 5


def least_mb(network: OccamNet, x: np.ndarray, dtype: str = "float64") -> float:
    """The smallest store that the library says will do."""
    y = np.zeros((len(x), network.out_features))
    with pytest.raises(ValueError, match="raise store_mb") as caught:
        Evaluator(space_of(network), x, y, Judging(store_mb=1e-3, dtype=dtype))
    return float(re.search(r"it needs ([0-9.e+]+) MB", str(caught.value))[1])


@pytest.mark.parametrize("rows", [20, 1000, 50_000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_store_that_is_too_small_names_one_that_is_not(rows, dtype):
    network, x = NETS["plain"](), rows_of(2, rows)
    needed = least_mb(network, x, dtype)
    Evaluator(space_of(network), x, np.zeros((rows, 1)), Judging(store_mb=needed, dtype=dtype))
    with pytest.raises(ValueError, match="too small"):
        Evaluator(
            space_of(network), x, np.zeros((rows, 1)), Judging(store_mb=0.98 * needed, dtype=dtype)
        )


@pytest.mark.parametrize("rows", [20, 2000])
def test_a_store_keeps_to_its_memory(rows):
    network, x = NETS["no skip"](), rows_of(3, rows)
    evaluator = Evaluator(
        space_of(network), x, np.zeros((rows, 2)), Judging(store_mb=8, dtype="float32")
    )
    arrays = [array for array in evaluator.store.nodes if isinstance(array, np.ndarray)]
    total = sum(array.nbytes for array in [*arrays, evaluator.values.host()])
    assert 0.5 * 8e6 < total <= 8e6


def test_a_store_full_of_what_is_held_says_so():
    network, x = NETS["plain"](), rows_of(2, 50)
    evaluator = Evaluator(
        space_of(network), x, np.zeros((50, 1)), Judging(store_mb=least_mb(network, x))
    )
    with pytest.raises(MemoryError, match="raise store_mb"):
        for _, judged in evaluator.judge(draw(network, 5000), 1):
            evaluator.held.append(judged.root.copy())
