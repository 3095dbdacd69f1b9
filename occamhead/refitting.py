"""Fit a head in closed form to the features of the backbone that is trained through it."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from occamhead.checks import check_counts


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
        >>> from occamhead.refitting import RefitHead
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
