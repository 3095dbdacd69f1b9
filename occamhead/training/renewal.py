"""Features drift while a backbone is fine-tuned: measure it, and let the formula follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from occamhead.checks import check_counts
from occamhead.expression import Expression
from occamhead.heads.occam import OccamHead
from occamhead.rows.objective import CROSS_ENTROPY, Objective, Rows, standardisation
from occamhead.training.numbers import refit_constants


@dataclass(frozen=True)
class Drift:
    """How far features have moved; means over features.

    Args:
        shift: Absolute change of the mean, in standard deviations before.
        spread: Standard deviation after, relative to that before.
        correlation: Between a row's values before and after.
    """

    shift: float
    spread: float
    correlation: float


def feature_drift(before: Tensor, after: Tensor, columns: Sequence[int]) -> Drift:
    """Compare the features of the same rows under two backbones.

    Args:
        before, after: Features, [rows, features].
        columns: The features to compare, such as those of a formula.

    Raises:
        ValueError: If the shapes differ, or there is nothing to compare.
    """
    if before.shape != after.shape or not len(before) or not len(columns):
        raise ValueError(
            "wanted features of the same rows and at least one column, got"
            f" {list(before.shape)}, {list(after.shape)} and {len(columns)} columns"
        )
    x, y = before[:, list(columns)].double(), after[:, list(columns)].double()
    (mean, scale), (new_mean, new_scale) = standardisation(x), standardisation(y)
    products = (x - mean) / scale * ((y - new_mean) / new_scale)
    return Drift(
        shift=float(((new_mean - mean) / scale).abs().mean()),
        spread=float((new_scale / scale).mean()),
        correlation=float(products.mean()),
    )


@torch.no_grad()
def agreement(first: Tensor, second: Tensor) -> float:
    """Share of rows to which two matrices of scores [rows, classes] give the same class."""
    return float((first.argmax(dim=-1) == second.argmax(dim=-1)).double().mean())


@torch.no_grad()
def renew(
    head: OccamHead,
    rows: Rows,
    penalty: float,
    targets: Tensor | None = None,
    objective: Objective = CROSS_ENTROPY,
) -> Expression:
    """Fit a head's standardisation and its formula's numbers to features as they are now.

    The numbers are left alone while the network is less sure of its formulas than not: a soft
    network that has not cooled down yet shares them among many.

    Args:
        head, rows, penalty, targets, objective: See :func:`refit_constants`; the head's mode stays.

    Returns:
        The formula as it was before.
    """
    before = head.formula()
    mean, scale = standardisation(rows[0].to(head.feature_mean))
    head.feature_mean.copy_(mean)
    head.feature_scale.copy_(scale)
    if float(head.log_prob().min()) > math.log(0.5):
        with torch.enable_grad():
            refit_constants(head, rows, penalty, targets, objective)
    return before


class FormulaRenewal(pl.Callback):
    """Fit the heads of an OccamModule anew to the drifting features, every few epochs.

    At the start of such an epoch a sample of the training rows is passed through the backbone as
    it is; see :func:`renew`. `renewals` lists when, and how many rows of the sample got the same
    class from the formula before and after; it is logged as ``renewal_agreement``.

    Args:
        every: Epochs from one renewal to the next.
        rows: Most rows of the sample; they are spread evenly over the training rows.
        penalty: Ridge penalty of the numbers; None takes the module's `constant_penalty`.
    """

    def __init__(self, every: int = 1, rows: int = 512, penalty: float | None = None) -> None:
        check_counts(every=every, rows=rows)
        self.every, self.rows, self.penalty = every, rows, penalty
        self.renewals: list[dict[str, float]] = []

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self.renewals = []

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        epoch = trainer.current_epoch
        # The first batch and not the start of the epoch, which a run resumed in its middle has too.
        if batch_idx or not epoch or epoch % self.every:
            return
        module: Any = pl_module
        loader: Any = trainer.train_dataloader
        module.eval()  # what the formula will see: no dropout
        features, labels = sample_features(
            module.features, loader.dataset, self.rows, loader.batch_size, module.device
        )
        module.train()
        penalty = self.penalty
        if penalty is None:
            penalty = float(module.hparams["constant_penalty"])
        shown = module.shown(features)
        agreements = []
        for head in module.heads:
            before = renew(head, (shown, labels), penalty, None, module.objective)
            agreements.append(agreement(before(shown), head.formula()(shown)))
        mean = sum(agreements) / len(agreements)
        self.renewals.append({"epoch": epoch, "agreement": mean})
        module.log("renewal_agreement", mean)

    def state_dict(self) -> dict[str, Any]:
        return {"renewals": self.renewals}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.renewals = list(state_dict["renewals"])


@torch.no_grad()
def sample_features(
    features: nn.Module | Any,
    dataset: Dataset[Any],
    rows: int,
    batch_size: int | None,
    device: torch.device,
) -> Rows:
    """Features and labels of at most `rows` items, spread evenly over a dataset."""
    size = len(dataset)  # type: ignore[arg-type]
    chosen = torch.linspace(0, size - 1, min(rows, size)).round().long().unique().tolist()
    found = [
        (features(x.to(device)).float(), y.to(device))
        for x, y in DataLoader(Subset(dataset, chosen), batch_size or 32)
    ]
    return torch.cat([x for x, _ in found]), torch.cat([y for _, y in found])
