"""The layers of a network and their sizes, as the paper and its code have them."""

from __future__ import annotations

import pytest

from occamhead import OccamNet, get_bases
from occamhead.network.basis_sets import BASIS_SETS

LINES = {1: (2, 1, 133), 2: (3, 1, 359), 3: (5, 1, 777), 5: (4, 2, 933)}


@pytest.mark.parametrize("line", LINES)
def test_number_of_logits_is_that_of_the_authors_networks(line):
    """Table 3, lines 1, 2, 3, 5: their code builds L + 1 images sublayers."""
    depth, inputs, wanted = LINES[line]
    chosen = BASIS_SETS[f"table1/{line}"]
    net = OccamNet(inputs, 1, f"table1/{line}", depth=depth + 1, constants=chosen.constants)
    assert sum(logits.numel() for logits in net.logits) == wanted


@pytest.mark.parametrize("name", ["table1/1", "table1/17", "table1/20", "phi_a", "phi_b"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_number_of_logits_is_the_formula_of_supplement_a(name, depth):
    chosen, outputs = BASIS_SETS[name], 2
    bases = get_bases(name)
    u = 3 + len(chosen.constants)
    m, n = sum(basis.arity for basis in bases), len(bases)
    wanted = m * u + sum(m * (u + (i + 1) * n) for i in range(depth - 1))
    wanted += outputs * (u + depth * n)
    net = OccamNet(3, outputs, name, depth=depth, constants=chosen.constants)
    assert sum(logits.numel() for logits in net.logits) == wanted


def test_size_of_the_backprop_network():
    """The authors' network for photographs: five images sublayers, no skips, 103,863 weights."""
    constants = BASIS_SETS["table1/25"].constants
    net = OccamNet(2048, 2, "table1/25", depth=5, constants=constants, skip=False)
    assert sum(p.numel() for p in net.parameters()) == 103_863
    assert net.logits[0].numel() == 100_695


@pytest.mark.parametrize("bases", [["add4", ["sin"]], [["sin"], "add"]])
def test_layers_of_their_own_must_all_be_sequences(bases):
    with pytest.raises((ValueError, TypeError)):
        OccamNet(2, 1, bases)


def test_layers_of_their_own():
    net = OccamNet(4, 1, [["tanh_affine2", "sin"], ["affine2"]], skip=False)
    assert net.layout.depth == 2
    assert [len(bases) for bases in net.layout.layers] == [2, 1]
    assert net.logits[1].shape == (1, 2, 2) and net.logits[2].shape == (1, 1, 1)
    assert "tanh_affine2 x1 sin x1; affine2 x1" in repr(net)
