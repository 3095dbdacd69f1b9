"""Spelling: routes for functions that were found apart from the network."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from occamhead.expression import Expression
from occamhead.network.bases import get_basis
from occamhead.network.layout import Layout
from occamhead.network.occamnet import OccamNet, layer_bases
from occamhead.network.routes import Routes, sample, to_expression, usage
from occamhead.search import logits
from occamhead.search.judging.function import Function, Image, Leaf
from occamhead.search.judging.wiring import from_edges
from occamhead.search.spelling import MOST_PLACEMENTS, spell


def layout_of(bases, depth=None, inputs=2, outputs=1, constants=0, skip=True) -> Layout:
    return Layout(inputs, constants, layer_bases(bases, depth), outputs, skip)


def uniform(layout: Layout, seed: int | None = None) -> list[torch.Tensor]:
    """Log-probabilities of each softmax: all equal, or random ones."""
    generator = torch.Generator().manual_seed(seed or 0)
    sizes = [(layout.num_arguments(i), layout.num_sources(i)) for i in range(layout.depth + 1)]
    logits = [torch.randn(1, *size, generator=generator) for size in sizes]
    return [torch.log_softmax(table if seed is not None else 0 * table, -1) for table in logits]


def read(layout: Layout, routes: Routes, index: int) -> Function:
    """The function of one route; equal nodes are one, but for those with free constants."""
    nodes: list[Leaf | Image] = []
    numbers: dict[object, int] = {}

    def add(node, key) -> int:
        if key not in numbers:
            numbers[key] = len(nodes)
            nodes.append(node)
        return numbers[key]

    def source(softmax: int, position: int) -> int:
        layer, place = layout.locate(softmax, position)
        if layer is None:
            return add(Leaf(place), place)
        basis = layout.layers[layer][place]
        first = sum(b.arity for b in layout.layers[layer][:place])
        edges = routes.edges[layer][index, 0, first : first + basis.arity].tolist()
        node = Image(basis, tuple(source(layer, edge) for edge in edges), basis.start)
        return add(node, (layer, place) if basis.num_constants else node)

    roots = tuple(source(layout.depth, edge) for edge in routes.edges[-1][index, 0].tolist())
    return Function(tuple(nodes), roots, layout.num_inputs, (2.0, 3.0)[: layout.num_constants])


def write(layout: Layout, edges, function: Function) -> Expression:
    """What a spelled route says, with free constants at their start."""
    starts = [
        torch.tensor([[value for basis in bases for value in basis.start]])
        for bases in layout.layers
    ]
    return to_expression(layout, to_routes(layout, edges), function.leaf_constants, starts)


def to_routes(layout: Layout, edges) -> Routes:
    constants = (2.0, 3.0)[: layout.num_constants]
    network = OccamNet(layout.num_inputs, layout.num_outputs, list(layout.layers),
                       constants=constants, skip=layout.skip)  # fmt: skip
    return logits.to_routes(network, from_edges(edges)[None])


def samples(layout: Layout, count: int, seed: int) -> list[Function]:
    routes = sample(uniform(layout), count, torch.Generator().manual_seed(seed))
    return [read(layout, routes, index) for index in range(count)]


def make(layout: Layout, *formulas) -> Function:
    """A function from nested tuples (basis, argument, ...) over leaves, which are numbers."""
    nodes: list[Leaf | Image] = []

    def add(formula) -> int:
        if isinstance(formula, int):
            node = Leaf(formula)
        else:
            node = Image(get_basis(formula[0]), tuple(add(f) for f in formula[1:]))
        if node not in nodes:
            nodes.append(node)
        return nodes.index(node)

    roots = tuple(add(formula) for formula in formulas)
    return Function(tuple(nodes), roots, layout.num_inputs, (1.0, 2.0)[: layout.num_constants])


@pytest.mark.slow
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize(
    "bases, constants",
    [("table1/9", 0), ("table1/19", 2), ("table1/7", 0), ("phi_b", 1), (["sub", "if_le"], 2)],
)
def test_whatever_a_network_samples_can_be_spelled(bases, constants, outputs, depth, skip):
    layout = layout_of(bases, depth, 3, outputs, constants, skip)
    for function in samples(layout, 25, seed=depth):
        for log_probs in (None, uniform(layout, seed=1)):
            edges = spell(layout, function, log_probs)
            assert edges is not None
            spelled, meant = write(layout, edges, function), function.expression()
            if log_probs is None:
                assert spelled == meant
            else:
                rows = np.random.default_rng(0).uniform(0.5, 1.5, (9, 3))
                assert spelled.agrees_with(meant, rows)


def test_spells_just_what_the_network_can_say():
    """Against all routes of a small network: a function is spelled if and only if one says it."""
    layout = layout_of([["sin", "sub"], ["sub"]], outputs=2)
    choices = [
        product(range(layout.num_sources(i)), repeat=layout.num_arguments(i)) for i in range(3)
    ]
    every = list(product(*choices))
    routes = Routes(
        tuple(torch.tensor([route[i] for route in every])[:, None, :] for i in range(3))
    )
    sayable = {
        to_expression(layout, routes, (), [torch.empty(1, 0)] * 2, i) for i in range(len(every))
    }
    larger = layout_of(["sin", "sub", "sub"], depth=2, outputs=2)
    found = []
    for function in samples(larger, 400, seed=0):
        edges = spell(layout, function)
        found.append(edges is not None)
        assert found[-1] == (function.expression() in sayable)
        if edges is not None:
            assert write(layout, edges, function) == function.expression()
    assert 50 < sum(found) < 350


@pytest.mark.parametrize("skip", [True, False])
def test_free_p_nodes_are_those_that_no_output_reaches(skip):
    layout = layout_of("table1/9", 3, 3, outputs=2, skip=skip)
    for function in samples(layout, 40, seed=5):
        edges = spell(layout, function)
        assert [len(e) for e in edges] == [layout.num_arguments(i) for i in range(4)]
        used = usage(layout, to_routes(layout, edges))
        for chosen, reached in zip(edges, used, strict=True):
            assert ((chosen >= 0) == (reached[0, 0].sum(0) > 0).numpy()).all()


def test_sorting_shares_its_comparisons():
    layout = layout_of("table1/17", 4, inputs=3, outputs=3, constants=2)
    low, high = ("min", 0, 1), ("max", 0, 1)
    smallest, largest = ("min", low, 2), ("max", ("max", high, 2), 2)
    middle = ("max", low, ("min", high, 2))
    function = make(layout, smallest, middle, largest)
    edges = spell(layout, function)
    spelled = write(layout, edges, function)
    assert spelled == function.expression()
    rows = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_array_equal(spelled(rows), np.sort(rows, axis=1))
    # One place for each of the seven distinct images, however often it is used.
    assert sum(int((chosen >= 0).sum()) for chosen in edges) == 7 * 2 + 3


def test_sorting_needs_the_depth_and_the_places():
    def fits(depth: int, bases="table1/17") -> bool:
        layout = layout_of(bases, depth, inputs=3, outputs=3, constants=2)
        low, high = ("min", 0, 1), ("max", 0, 1)
        middle = ("max", low, ("min", high, 2))
        return spell(layout, make(layout, ("min", low, 2), middle, ("max", high, 2))) is not None

    assert [fits(depth) for depth in (1, 2, 3, 4)] == [False, False, True, True]
    # Three min and three max, of which one each must lie in the first and in the last layer.
    assert [fits(depth, ["min", "max"]) for depth in (2, 3, 4)] == [False, True, True]
    assert fits(3, [["min", "max"], ["min", "min"], ["max", "max"]])
    assert not fits(3, [["min", "max"], ["min"], ["max", "max"]])


def test_the_first_choice_may_be_wrong():
    """sin(x0) must leave the first layer to sin(x1), which has more above it."""
    layout = layout_of([["sin"], ["sin", "cos"]], outputs=2)
    for formulas in [
        (("sin", 0), ("cos", ("sin", 1))),
        (("cos", ("sin", 1)), ("sin", 0)),
    ]:
        function = make(layout, *formulas)
        edges = spell(layout, function)
        assert write(layout, edges, function) == function.expression()
        # Probable edges that lead astray are tried first, and given up.
        log_probs = uniform(layout)
        log_probs[0] = torch.tensor([[[0.99, 0.01]]]).log()
        astray = spell(layout, function, log_probs)
        assert write(layout, astray, function) == function.expression()


def test_too_deep_or_out_of_sight_is_none():
    layout = layout_of(["sin", "add"], depth=2)
    assert spell(layout, make(layout, ("sin", ("sin", 0)))) is not None
    assert spell(layout, make(layout, ("sin", ("sin", ("sin", 0))))) is None
    assert spell(layout, make(layout, ("cos", 0))) is None
    plain = layout_of(["sin", "add"], depth=2, skip=False)
    assert spell(plain, make(plain, ("sin", ("sin", 0)))) is not None
    assert spell(plain, make(plain, ("sin", 0))) is None, "the output sees the last layer only"
    assert spell(plain, make(plain, ("add", 0, ("sin", 0)))) is None, "and that the first only"
    assert spell(plain, make(plain, 0)) is None


def test_free_constants_need_a_place_each():
    basis = get_basis("mul_constant")

    def function(first: float, second: float, number: int = 1) -> Function:
        images = (Image(basis, (0,), (first,)), Image(basis, (0,), (second,)))
        return Function((Leaf(0), *images), (1, number), 1)

    one, two = (layout_of(["mul_constant"] * count, inputs=1, outputs=2) for count in (1, 2))
    assert spell(one, function(2.0, 3.0, number=2)) is None
    assert spell(one, function(2.0, 2.0, number=2)) is None, "they are fitted apart"
    assert spell(one, function(2.0, 3.0, number=1)) is not None, "one image, two outputs"
    edges = spell(two, function(2.0, 2.0, number=2))
    assert edges is not None and edges[0].tolist() == [0, 0] and edges[1][0] != edges[1][1]


def test_equal_images_share_a_place_unless_they_differ():
    layout = layout_of(["sin"], outputs=2)
    sine = get_basis("sin")
    twice = Function((Leaf(0), Image(sine, (0,)), Image(sine, (0,))), (1, 2), 2)
    assert [edges.tolist() for edges in spell(layout, twice)] == [[0], [2, 2]]
    other = Function((Leaf(0), Leaf(1), Image(sine, (0,)), Image(sine, (1,))), (2, 3), 2)
    assert spell(layout, other) is None


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("bases", ["table1/9", "table1/7", "table1/19"])
def test_a_probable_route_is_found_again(bases, skip):
    """Where one route is nearly certain, its function is spelled as that route spells it."""
    layout = layout_of(bases, 2, 3, outputs=2, constants=2, skip=skip)
    routes = sample(uniform(layout), 60, torch.Generator().manual_seed(1))
    same = 0
    for index in range(len(routes)):
        log_probs = []
        for softmax, edges in enumerate(routes.edges):
            sources = torch.arange(layout.num_sources(softmax))
            log_probs.append(
                torch.log_softmax(9.0 * (edges[index, 0][:, None] == sources), -1)[None]
            )
        used = [u[0, 0].sum(0) > 0 for u in usage(layout, routes[index])]
        images = sum(
            bool(used[layer][sum(b.arity for b in bases_[:place])])
            for layer, bases_ in enumerate(layout.layers)
            for place in range(len(bases_))
        )
        function = read(layout, routes, index)
        if images == sum(isinstance(node, Image) for node in function.nodes):
            same += 1
            for found, sampled, reached in zip(
                spell(layout, function, log_probs), routes.edges, used, strict=True
            ):
                expected = torch.where(reached, sampled[index, 0], -1)
                assert found.tolist() == expected.tolist()
    assert same > 20


def test_symmetric_arguments_take_the_probable_order():
    layout = layout_of(["add", "sub"], outputs=1)
    log_probs = uniform(layout)
    log_probs[0] = torch.tensor([[[0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]]).log()
    assert spell(layout, make(layout, ("add", 0, 1)), log_probs)[0].tolist() == [1, 0, -1, -1]
    assert spell(layout, make(layout, ("sub", 0, 1)), log_probs)[0].tolist() == [-1, -1, 0, 1]
    assert spell(layout, make(layout, ("add", 0, 1)))[0].tolist() == [0, 1, -1, -1]


def test_the_effort_is_bounded():
    """Too many images for the places, in more ways than can be tried."""
    inputs = 12
    layout = layout_of(["sin", "sin", "cos"], depth=6, inputs=inputs, outputs=inputs + 1)
    roots = [("sin", i) for i in range(inputs)]
    assert spell(layout, make(layout, *roots, ("cos", 0))) is not None
    full = layout_of(["sin", "sin", "cos"], depth=6, inputs=inputs + 1, outputs=inputs + 1)
    assert MOST_PLACEMENTS == 20_000
    assert spell(full, make(full, *(("sin", i) for i in range(inputs + 1)))) is None


@pytest.mark.parametrize(
    "other, named",
    [
        ({"inputs": 3}, "2 inputs cannot be spelled by a network of 3"),
        ({"constants": 1}, "0 constants cannot be spelled by a network of 1"),
        ({"outputs": 2}, "1 outputs cannot be spelled by a network of 2"),
    ],
)
def test_a_function_of_another_network_is_refused(other, named):
    function = make(layout_of(["sin"]), ("sin", 0))
    with pytest.raises(ValueError, match=named):
        spell(layout_of(["sin"], **other), function)


def test_to_routes_fills_and_checks():
    layout = layout_of(["sin", "add"], depth=1)
    routes = to_routes(layout, spell(layout, make(layout, ("sin", 1))))
    assert [edges.tolist() for edges in routes.edges] == [[[[1, 0, 0]]], [[[2]]]]
    assert all(edges.dtype == torch.int64 for edges in routes.edges)
    with pytest.raises(ValueError, match=r"have \[3, 1\] P-nodes, got edges for 3 in all"):
        to_routes(layout, [np.zeros(3, np.int64)])
