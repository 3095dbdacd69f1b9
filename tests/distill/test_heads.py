"""Distilling what is no circuit: an OccamNet of logic bases, and the truth table of an MLP."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from occamhead import OccamHead, OccamNet
from occamhead.distill import FeatureSpec, distill, source
from occamhead.heads.essence import EssenceHead
from occamhead.search import Strategy, evolve
from tests.distill.printed import predict_of

BITS = FeatureSpec.booleans(["left", "centre", "right"])


@pytest.mark.parametrize("rule", [30, 90, 110, 232])
def test_an_occamnet_of_logic_bases(rule):
    """Evolution finds the rule as a formula of min, max and xor; its program is as short as any."""
    x = BITS.rows()
    y = (rule >> (x @ [4, 2, 1])) & 1
    network = OccamNet(3, 1, ["min", "max", "xor", "xor"], 3, skip=True, constants=(1.0,))
    network.reset_parameters(torch.Generator().manual_seed(0))
    found = evolve(network, x.astype(float), y, Strategy(max_functions=100_000)).best
    program, certificate = distill(lambda rows: found(rows)[:, 0].astype(np.int64), BITS)
    assert certificate.lossless and certificate.kind == "exhaustive" and certificate.cells == 8
    predict = predict_of(source(program, BITS, certificate))
    assert [int(predict(row)) for row in x.tolist()] == y.tolist()
    circuit = EssenceHead(3, 2).fit(torch.tensor(x), torch.tensor(y))
    assert str(program) == str(circuit.program(BITS)[0])


@pytest.mark.slow
def test_an_occam_head():
    """A head of weighted sums, trained by gradients, as one comparison of whole numbers."""
    spec = FeatureSpec.booleans(5)
    x = torch.tensor(spec.rows()).float()
    y = (x.sum(dim=1) > 2).long()
    torch.manual_seed(0)
    head = OccamHead(5, 2, ["affine5"])
    head.initialise(x, y)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.1)
    for step in range(200):
        head.anneal(step / 150, 0.03)
        optimiser.zero_grad()
        nn.functional.cross_entropy(head.soft(x), y).backward()
        optimiser.step()
    head.eval()
    program, certificate = distill(lambda rows: head.predict(torch.tensor(rows).float()), spec)
    assert certificate.lossless and certificate.cells == 32
    predict = predict_of(source(program, spec, certificate))
    assert [int(predict(row)) for row in spec.rows().tolist()] == head.predict(x).tolist()


@pytest.mark.slow
def test_an_mlp_on_half_of_its_table_is_told_as_it_is():
    """The certificate says that the program is the network, be it the truth or not."""
    spec = FeatureSpec.booleans(6)
    rows = spec.rows()
    truth = (rows.sum(axis=1) % 2).astype(np.int64)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
    chosen = torch.randperm(64)[:32]
    x, y = torch.tensor(rows).float()[chosen], torch.tensor(truth)[chosen]
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()

    def classes(inputs: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.tensor(inputs).float()).argmax(dim=1).numpy()

    program, certificate = distill(classes, spec)
    assert certificate.lossless and certificate.cells == 64
    predict = predict_of(source(program, spec, certificate))
    own = [int(predict(row)) for row in rows.tolist()]
    assert own == classes(rows).tolist() and own != truth.tolist()


def test_a_head_s_program_is_its_circuit_s():
    spec = FeatureSpec.window()
    x = spec.rows()
    neighbours = x.sum(axis=1) - x[:, 4]
    y = (neighbours == 3) | ((x[:, 4] == 1) & (neighbours == 2))
    head = EssenceHead(9, 2).fit(torch.tensor(x), torch.tensor(y).long()).eval()
    program, certificate = head.program(spec)
    assert certificate.kind == "block" and certificate.cells == 18
    assert (program(x)[:, 0] == head.predict(torch.tensor(x)).numpy()).all()
    squares = EssenceHead(3, 2, differentiae="quadratic").fit(
        torch.tensor(BITS.rows()), torch.tensor(BITS.rows()).prod(dim=1)
    )
    program, certificate = squares.program(BITS)
    assert certificate.lossless and certificate.cells == 8
    real = EssenceHead(9, 2, inputs="real").fit(torch.tensor(x), torch.tensor(y).long())
    with pytest.raises(ValueError, match="no finite domain"):
        real.program(spec)
    with pytest.raises(ValueError, match="call fit"):
        EssenceHead(9, 2).program(spec)
