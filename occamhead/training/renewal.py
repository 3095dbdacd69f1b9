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
    head.set_standardisation(*standardisation(rows[0].to(head.feature_mean)))
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


class RefitHead(pl.Callback):
    """Fit the head to the features of the training rows, at the start and every so many epochs.

    Between two fits the backbone is trained through the soft form of a head that does not change.
    The head is that of an :class:`occamhead.OccamModule` of kind "essence". On several devices all
    of them fit to the rows of all, and so end with one head.

    Args:
        every_n_epochs: Epochs from one fit to the next.
        max_rows: Rows to fit to, on each device: the first that the loader gives.

    Raises:
        ValueError: If a number is below 1; at the start of a fit, if the head cannot be fitted in
            closed form.

    Example:
        >>> import pytorch_lightning as pl
        >>> from occamhead.training.renewal import RefitHead
        >>> trainer = pl.Trainer(max_epochs=6, callbacks=[RefitHead(every_n_epochs=2)])
    """

    def __init__(self, every_n_epochs: int = 1, max_rows: int = 20_000) -> None:
        check_counts(every_n_epochs=every_n_epochs, max_rows=max_rows)
        self.every_n_epochs, self.max_rows = every_n_epochs, max_rows

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not hasattr(pl_module.head, "fit"):
            raise ValueError(
                f"a {type(pl_module.head).__name__} is not fitted in closed form; give OccamModule"
                " kind='essence', or leave RefitHead out"
            )
        # A head from a checkpoint is that of its last fit; the next epoch of a fit renews it.
        if pl_module.head.circuit is None:
            # Validation runs before training, and needs a head.
            trainer.fit_loop.setup_data()
            self._refit(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.current_epoch and trainer.current_epoch % self.every_n_epochs == 0:
            self._refit(trainer, pl_module)

    @torch.no_grad()
    def _refit(self, trainer: pl.Trainer, module: Any) -> None:
        mode = module.training
        module.eval()
        x, y = self._rows(trainer, module)
        if trainer.world_size > 1:
            x, y = (module.all_gather(part).flatten(0, 1) for part in (x, y))
        module.head.fit(x, y)
        module.train(mode)

    def _rows(self, trainer: pl.Trainer, module: Any) -> tuple[Tensor, Tensor]:
        """Features and labels of training rows."""
        features, labels, count = [], [], 0
        for batch in trainer.train_dataloader:  # type: ignore[union-attr]
            x, y = module.transfer_batch_to_device(batch, module.device, 0)
            features.append(module.features(x))
            labels.append(y)
            count += len(y)
            if count >= self.max_rows:
                break
        return torch.cat(features)[: self.max_rows], torch.cat(labels)[: self.max_rows]
