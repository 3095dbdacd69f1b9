"""TSoftmaxLinear: convex combinations at any temperature, and the printed formula at zero."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch

from occamhead.network.tsoftmax import TSoftmaxLinear
from recipes import tsoftmax

SIZES = [(7, 3, None), (7, 3, 2), (5, 2, 12), (1, 1, None), (4, 1, 1)]
sizes = pytest.mark.parametrize("size", SIZES)


def made(size, seed: int = 0, noise: float = 2.0) -> TSoftmaxLinear:
    torch.manual_seed(seed)
    layer = TSoftmaxLinear(*size)
    with torch.no_grad():
        layer.logits.add_(noise * torch.randn(layer.logits.shape))
    return layer


@sizes
def test_each_node_is_a_mean_of_features_then_a_linear_layer(size):
    """The two products, one row and P-node at a time."""
    layer, x = made(size), torch.randn(6, size[0])
    layer.temperature.fill_(0.7)
    weights = (layer.logits / 0.7).exp()
    weights = weights / weights.sum(-1, keepdim=True)
    torch.testing.assert_close(layer.connections(), weights)
    nodes = torch.stack([(row * weights).sum(-1) for row in x])
    torch.testing.assert_close(layer(x), layer.linear(nodes))
    torch.testing.assert_close(layer(x.view(2, 3, -1)), layer(x).view(2, 3, -1))
    assert (nodes <= x.amax(-1, keepdim=True) + 1e-6).all()


@sizes
def test_each_node_starts_with_half_of_its_weight_on_a_feature_of_its_own(size):
    layer = TSoftmaxLinear(*size, temperature=2.0)
    weights, own = layer.connections().max(-1)
    wanted = 0.5 if size[0] > 1 else 1.0
    if size[0] > 2:
        torch.testing.assert_close(weights, torch.full_like(weights, wanted))
    assert len(set(own.tolist())) == min(layer.nodes, size[0])
    layer.anneal(1.0, 0.1)
    layer.reset_parameters()
    assert layer.temperature == 2.0


@sizes
def test_the_formula_is_the_layer_at_zero_temperature(size):
    layer, x = made(size), torch.randn(20, size[0])
    formula = layer.formula(digits=9)
    assert (formula.num_inputs, len(formula)) == size[:2]
    assert set(formula.features) <= set(layer.logits.argmax(-1).tolist())
    layer.anneal(1.0, 1e-4)
    torch.testing.assert_close(formula(x), layer(x).detach(), rtol=1e-4, atol=1e-5)
    coarse = layer.formula(["f" + str(i) for i in range(size[0])], digits=2)
    assert coarse.names == tuple(f"f{i}" for i in range(size[0]))


def test_annealing_is_geometric():
    layer = TSoftmaxLinear(3, 2, temperature=4.0)
    for progress, wanted in ((0.0, 4.0), (0.5, 1.0), (1.0, 0.25), (7.0, 0.25), (-1.0, 4.0)):
        layer.anneal(progress, end=0.25)
        assert float(layer.temperature) == pytest.approx(wanted)
    with pytest.raises(ValueError, match="end"):
        layer.anneal(0.5, end=0.0)


def test_storage_gradients_export_and_compilation():
    layer, x = made((7, 3, 4)), torch.randn(5, 7)
    layer.anneal(0.3, 0.1)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    again = TSoftmaxLinear(7, 3, 4)
    again.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(again(x), layer(x))
    layer(x).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())
    exported = torch.export.export(layer, (x,)).module()
    torch.testing.assert_close(exported(x), layer(x))
    torch.testing.assert_close(torch.compile(layer, backend="eager", fullgraph=True)(x), layer(x))
    torch._dynamo.reset()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_features": 0}, "in_features must be at least 1, got 0"),
        ({"nodes": 0}, "nodes must be at least 1, got 0"),
        ({"temperature": 0.0}, "temperature must be positive"),
    ],
)
def test_wrong_sizes_are_value_errors(options, message):
    with pytest.raises(ValueError, match=message):
        TSoftmaxLinear(**{"in_features": 3, "out_features": 2, **options})
    with pytest.raises(ValueError, match=r"\[..., 3\], got \(2, 4\)"):
        TSoftmaxLinear(3, 2)(torch.zeros(2, 4))


def test_it_learns_and_ends_as_its_formula():
    """Two of twelve features decide; after annealing the formula classifies as the layer does."""
    torch.manual_seed(0)
    x = torch.randn(600, 12)
    y = (x[:, 3] - x[:, 8] > 0).long()
    layer = TSoftmaxLinear(12, 2, nodes=6)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for step in range(150):
        layer.anneal(step / 120, end=0.05)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(layer(x[:400]), y[:400]).backward()
        optimizer.step()
    formula = layer.formula()
    assert {3, 8} <= set(formula.features)
    right = (formula(x[400:]).argmax(-1) == y[400:]).float().mean()
    assert right > 0.9
    assert torch.equal(formula(x[400:]).argmax(-1), layer(x[400:]).argmax(-1))


@pytest.mark.usefixtures("offline", "one_thread")
def test_the_recipe_writes_what_it_found(few_digits, tmp_path, capsys):
    results = tsoftmax.main(
        ["--data", str(few_digits), "--backbone", "efficientnet_lite0", "--picture-size", "32",
         "--epochs", "2", "--seeds", "0", "1", "--nodes", "5", "--out", str(tmp_path / "out"),
         "--cache", str(tmp_path / "cache")]
    )  # fmt: skip
    assert json.loads((tmp_path / "out/results.json").read_text()) == results
    rows = results["rows"]
    assert [(row["variant"], row["seed"]) for row in rows] == [
        ("t-softmax", 0), ("linear", 0), ("t-softmax", 1), ("linear", 1)]  # fmt: skip
    for row in rows:
        assert len(row["accuracies"]) == 2
        assert row["maximum"] == max(row["accuracies"]) and row["last"] == row["accuracies"][-1]
    for variant, means in results["summary"].items():
        last = [row["last"] for row in rows if row["variant"] == variant]
        assert means["last"] == pytest.approx(np.mean(last))
        assert means["last_spread"] == pytest.approx(np.std(last))
    assert all(row["formula_features"] <= 5 for row in rows if row["variant"] == "t-softmax")
    assert results["n_train"] == 200 and results["n_test"] == 100
    assert "99.18%" in capsys.readouterr().out
    with pytest.raises(FileExistsError, match=r"results\.json"):
        tsoftmax.main(["--data", str(few_digits), "--out", str(tmp_path / "out")])
