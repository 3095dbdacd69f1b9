"""Heads of several shapes, rows for them, and ways to change their weights."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest
import torch

from occamhead import BASIS_SETS, OccamHead
from occamhead.expression import Expression

Scores = TypeVar("Scores", np.ndarray, torch.Tensor)

C = BASIS_SETS["phi_b"].constants
CONFIGS = {
    "default": (30, 4, {}),
    "tanh blocks": (40, 3, {"bases": [["tanh_affine9"] * 9, ["affine9"]]}),
    "phi_b": (20, 3, {"bases": "phi_b", "depth": 4, "per_class": False, "constants": C,
                       "noise": 3.0, "equalisation": 1.0}),
    "phi_a": (12, 2, {"bases": "phi_a", "depth": 2, "per_class": False, "constants": C,
                      "skip": True, "last_temperature": 10.0, "noise": 4.0, "equalisation": 2.0}),
    "comparisons": (6, 2, {"bases": "table1/14", "depth": 2, "skip": True, "constants": (1,),
                           "equalisation": 1.0, "noise": 3.0}),
    "undefined": (5, 3, {"bases": "pmlb", "depth": 3, "skip": True, "equalisation": 5.0,
                         "noise": 3.0}),
    "constants": (5, 4, {"bases": ["pow_constant", "mul_constant", "add_constant", "affine2"],
                         "depth": 2, "skip": True, "equalisation": 1.0, "noise": 2.0}),
    "one class": (5, 1, {"bases": ["affine3", "max"], "noise": 1.0}),
}  # fmt: skip
configs = pytest.mark.parametrize("config", CONFIGS)


def made(config: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> OccamHead:
    """A head with a standardisation that is not trivial, in eval mode."""
    inputs, classes, options = CONFIGS[config]
    torch.manual_seed(seed)
    head = OccamHead(inputs, classes, **options)
    rows = 3 * torch.randn(50, inputs) + torch.arange(inputs)
    head.initialise(rows, torch.arange(50) % classes, prior=0.5 * (seed % 2))
    with torch.no_grad():
        for constants in head.network.free_constants:
            constants.add_(0.3 * torch.randn(constants.shape))
    return head.to(dtype).eval()


def rows_of(head: OccamHead, count: int = 40, seed: int = 1) -> np.ndarray:
    inputs = head.in_features
    return 3 * np.random.default_rng(seed).normal(size=(count, inputs)) + np.arange(inputs)


def close(found: object, wanted: np.ndarray, rtol: float = 1e-5) -> None:
    finite = np.abs(wanted[np.isfinite(wanted)])
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * max(1.0, finite.mean())
                               if finite.size else 0, equal_nan=True)  # fmt: skip


def apart(scores: Scores) -> Scores:
    """How far each score is above the first: all that counts where one class is right."""
    return scores - scores[:, :1]


def scores_of(formula: Expression):
    namespace: dict[str, object] = {}
    exec(formula.python(), namespace)
    return namespace["scores"]


def flip(head: OccamHead) -> None:
    """Let every P-node prefer the last of its sources."""
    with torch.no_grad():
        for logits in head.network.logits:
            logits[..., -1] += 50.0


def change_by_optimiser(head: OccamHead) -> None:
    optimiser = torch.optim.Adam(head.parameters(), lr=30.0)
    head.soft(torch.randn(9, head.in_features, generator=torch.Generator().manual_seed(5))).square(
    ).sum().backward()  # fmt: skip
    optimiser.step()


def change_by_state_dict(head: OccamHead) -> None:
    head.load_state_dict(made("default", 7).state_dict())


def change_by_initialise(head: OccamHead) -> None:
    head.initialise(torch.randn(20, 30), generator=torch.Generator().manual_seed(3))


def change_by_standardisation(head: OccamHead) -> None:
    head.feature_mean.add_(1.0)


def change_by_reset(head: OccamHead) -> None:
    head.network.reset_parameters(torch.Generator().manual_seed(4))


def change_by_assignment(head: OccamHead) -> None:
    head.load_state_dict(made("default", 7).state_dict(), assign=True)


CHANGES = [flip, change_by_optimiser, change_by_state_dict, change_by_initialise,
           change_by_standardisation, change_by_reset, change_by_assignment]  # fmt: skip
