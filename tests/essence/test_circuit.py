"""The circuit, its price, and the torch module that computes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from occamhead.essence import Circuit, EssenceNetwork, description_length
from tests.essence.rules import bits, next_cell

LIFE = Circuit(
    weights=np.array([[1, 1, 1, 1, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1]]),
    bias=np.array([-3.5, -2.5]),
    literals=(((0, True),), ((1, False),), ((0, False), (1, True))),
    concepts=(0, 0, 1),
    classes=2,
    default=0,
)


def random_circuit(seed: int) -> Circuit:
    """A circuit in which subconcepts overlap, and none may be true."""
    generator = np.random.default_rng(seed)
    inputs, differentiae, subconcepts, classes = generator.integers(1, 6, 4)
    literals = tuple(
        tuple(
            (int(d), bool(generator.integers(2)))
            for d in np.flatnonzero(generator.integers(0, 2, differentiae))
        )
        for _ in range(subconcepts)
    )
    return Circuit(
        weights=generator.integers(-3, 4, (differentiae, inputs)),
        bias=generator.integers(-3, 4, differentiae) / 2,
        literals=literals,
        concepts=tuple(generator.integers(0, classes, subconcepts).tolist()),
        classes=int(classes),
        default=int(generator.integers(classes)),
    )


def test_life_by_hand():
    windows = bits(9)
    assert (LIFE.predict(windows) == next_cell(windows)).all()
    assert (LIFE.predict(windows.astype(np.uint8)) == next_cell(windows)).all()
    # Columns (1, 1) and (0, 1); five neurons; weights 1, and 1 and 1.
    price = 2 * 4 + 5 * 2 + 3 + np.log2(4.5) + np.log2(3.5)
    assert description_length(LIFE) == pytest.approx(price)


def test_the_lowest_class_wins_and_the_default_where_none_holds():
    circuit = Circuit(
        weights=np.array([[1], [1]]),
        bias=np.array([-0.5, -1.5]),
        literals=(((1, True),), ((0, True),)),
        concepts=(2, 1),
        classes=4,
        default=3,
    )
    assert circuit.subconcepts([[0], [1], [2]]).tolist() == [[0, 0], [0, 1], [1, 1]]
    assert circuit.predict([[0], [1], [2]]).tolist() == [3, 1, 1]


@pytest.mark.parametrize("seed", range(40))
def test_the_network_is_the_circuit(seed):
    circuit = random_circuit(seed)
    network = EssenceNetwork(circuit).eval()
    x = np.random.default_rng(seed + 1000).integers(-4, 5, (200, circuit.inputs))
    expected = circuit.predict(x)
    assert network(torch.tensor(x)).argmax(dim=1).tolist() == expected.tolist()
    # By hand, row by row.
    for row, label in zip(x[:20], expected[:20], strict=True):
        true = [int(w @ row) + b > 0 for w, b in zip(circuit.weights, circuit.bias, strict=True)]
        held = [
            concept
            for concept, terms in zip(circuit.concepts, circuit.literals, strict=True)
            if all(true[d] == wanted for d, wanted in terms)
        ]
        assert label == min(held, default=circuit.default)


def test_the_soft_network_nears_the_circuit_and_passes_gradients():
    x = torch.tensor(bits(9), dtype=torch.float32, requires_grad=True)
    exact = EssenceNetwork(LIFE).eval()(x)
    distances = [
        (EssenceNetwork(LIFE, slope)(x) - exact).abs().max().item() for slope in (4, 8, 16, 32, 64)
    ]
    assert distances == sorted(distances, reverse=True) and distances[-1] < 1e-6
    EssenceNetwork(LIFE, 8.0)(x)[:, 1].sum().backward()
    assert x.grad is not None and (x.grad != 0).any(dim=0).all()
    assert list(EssenceNetwork(LIFE).parameters()) == []
    with pytest.raises(ValueError, match="got 0"):
        EssenceNetwork(LIFE, 0)


def test_export():
    x = torch.tensor(bits(9), dtype=torch.float32)
    network = EssenceNetwork(LIFE).eval()
    rows = torch.export.Dim("rows")
    program = torch.export.export(network, (x[:8],), dynamic_shapes=({0: rows},))
    assert torch.equal(program.module()(x), network(x))


def test_a_wrong_width_is_told():
    with pytest.raises(ValueError, match=r"9 inputs, got shape \(2, 8\)"):
        LIFE.predict(np.zeros((2, 8)))
