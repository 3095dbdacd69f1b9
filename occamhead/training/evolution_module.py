"""EvolutionModule: the evolutionary strategy under a Lightning Trainer, batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from occamhead.checks import check_counts
from occamhead.heads.occam import OccamHead
from occamhead.rows.arrays import view_rows
from occamhead.rows.batches import sees_all
from occamhead.rows.objective import check_labels, standardisation
from occamhead.search.checks import check_can_hold
from occamhead.search.compiling import cpu_seconds
from occamhead.search.evolution import Evolution
from occamhead.search.judging.regularisers import Regularisation
from occamhead.search.saved import fingerprint, restore, restore_on, state_of
from occamhead.search.shares import ALONE, Group
from occamhead.search.strategy import Strategy
from occamhead.training.checkpoints import CheckedModule
from occamhead.training.resuming import GENERATORS, draw_as_one, generators, goes_on, set_generators

SEARCH = "search"


class EvolutionModule(CheckedModule):
    """Formulas of a head found by sampling, not by backprop (paper, section 3).

    Each training step takes steps of :class:`Evolution` on its batch. While the batch stays the
    same (full-batch training) the search goes on; where it changes, the search is set up on the
    new rows and carries over its logits, the state of Adam and its counts, and judges the best
    functions so far anew (:meth:`Evolution.on_rows`).

    Several processes share the samples of each step, and end with the bits of one; see
    :mod:`occamhead.search.shares`. A checkpoint holds the whole search, which goes on from it as if
    it had not been stopped.

    The search runs on the CPU, on the strategy's back end. An optimiser that changes nothing
    counts the steps for the Trainer, one a batch. Training ends by the Trainer's limits, the
    strategy's, or when the search has converged.

    Args:
        in_features: Number of features.
        out_features: Number of outputs; of classes, if the batches hold labels.
        classify: Whether y is a class per row, which becomes a one-hot target; else y holds the
            targets, [rows] or [rows, out_features].
        threshold: Judge a class as the paper's evolution does (supplement G): all outputs must
            be on the target's side of one half. Else the highest output decides.
        standardise: Standardise the features by the training rows, where the data module has
            them as arrays.
        head: Further arguments of :class:`OccamHead`, as plain values. By default the paper's
            shape: one network for all outputs with skip connections and no noise.
        strategy: Fields of :class:`Strategy`, as plain values.
        steps_per_batch: Steps of the search on each batch.

    Logs ``train_error`` (mean over the outputs of the least error, on the last batch),
    ``functions`` sampled, and of the formula as it stands ``val_formula_accuracy`` or, of
    targets, ``val_error`` (root mean squared).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int = 2,
        *,
        classify: bool = True,
        threshold: bool = False,
        standardise: bool = False,
        head: dict[str, Any] | None = None,
        strategy: dict[str, Any] | None = None,
        steps_per_batch: int = 1,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        check_counts(steps_per_batch=steps_per_batch)
        # Outputs that are numbers, or that are judged by themselves, are not taken by their
        # differences alone.
        loss = "cross_entropy" if classify and not threshold else "squared_error"
        shape = {"per_class": False, "skip": True, "noise": 0.0, "loss": loss, **(head or {})}
        self.head = OccamHead(in_features, out_features, **shape)
        settings = dict(strategy or {})
        if isinstance(terms := settings.get("regularisation"), dict):
            settings["regularisation"] = Regularisation(**terms)
        self.strategy = Strategy(**settings)
        check_can_hold(self.head.network.layout, self.strategy)
        self.search: Evolution | None = None
        # Of a checkpoint, until the first batch; and as it was before its answer was settled.
        self._resumed: dict[str, Any] | None = None
        self._ended: dict[str, Any] | None = None
        self._began = 0.0
        self._made = generators()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)

    # --- training --------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        if stage == "fit":
            draw_as_one(self._made, self.trainer)
        arrays = getattr(getattr(self.trainer, "datamodule", None), "arrays", None)
        if stage == "fit" and self.hparams["standardise"] and arrays:
            self.head.set_standardisation(*standardisation(view_rows(arrays.train)[0]))

    def on_fit_start(self) -> None:
        spent = 0.0 if self._resumed is None else self._resumed["counts"]["seconds"]
        self._began, self._ended = cpu_seconds() - spent, None

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, y = batch
        search = self.search = self._search_on(x, y)
        stop = False
        for _ in range(self.hparams["steps_per_batch"]):
            search.step()
            stop = bool(search.ends(self._began) or search.converged())
            if stop:
                break
        search.publish()
        self.log("train_error", float(search.archive.least.mean()), prog_bar=True)
        self.log("functions", float(search.counts.functions))
        self.optimizers().step()  # type: ignore[union-attr]
        if self.trainer.strategy.reduce_boolean_decision(stop):
            self.trainer.should_stop = True

    def on_train_end(self) -> None:
        if self.search is None:
            return
        self._ended = self._state()
        self.search.finish()

    def _search_on(self, x: Tensor, y: Tensor) -> Evolution:
        """The search on a batch: the one that runs, or what carries it over."""
        head = self.head
        x, y = self._of_all(x), self._of_all(y)
        if self.hparams["classify"]:
            check_labels(y, head.out_features, len(x))
            y = F.one_hot(y, head.out_features)
        rows = head.standardised(x).cpu().numpy().astype(np.float64)
        targets = y.reshape(len(y), -1).cpu().numpy().astype(np.float64)
        search = self.search
        if search is not None and is_on(search, rows, targets):
            return search
        if search is not None:
            return search.on_rows(rows, targets)
        shares = ALONE if self.trainer.world_size == 1 else Group(dist.group.WORLD, self.device)
        new = Evolution(head.network, rows, targets, self.strategy, shares=shares)
        state, self._resumed = self._resumed, None
        if state is not None and state["rows"] == fingerprint(new.evaluator):
            restore(new, state)
        elif state is not None:
            new.propose(restore_on(new, state))
        return new

    def _of_all(self, rows: Tensor) -> Tensor:
        """The rows of all processes, where each has some of its own, in the order of the batch."""
        if self.trainer.world_size == 1 or sees_all(self.trainer.train_dataloader):
            return rows
        return torch.as_tensor(self.all_gather(rows)).transpose(0, 1).flatten(0, 1)

    # --- checkpoints -----------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[GENERATORS] = generators()
        checkpoint[SEARCH] = self._ended or self._state()
        super().on_save_checkpoint(checkpoint)

    def _state(self) -> dict[str, Any] | None:
        """The search as plain values; None before the first batch."""
        if self.search is None:
            return self._resumed
        self.search.counts.seconds = cpu_seconds() - self._began
        return state_of(self.search)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        if goes_on(self):
            self._resumed = checkpoint.get(SEARCH)
            set_generators(checkpoint.get(GENERATORS))

    # --- evaluation ------------------------------------------------------------------------------

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, "test")

    def _evaluate(self, batch: tuple[Tensor, Tensor], stage: str) -> None:
        x, y = batch
        outputs = self.head(x)
        if self.hparams["classify"]:
            if self.hparams["threshold"]:
                wanted = F.one_hot(y, self.head.out_features) > 0
                right = ((outputs > 0.5) == wanted).all(dim=-1)
            else:
                right = outputs.argmax(dim=-1) == y
            name, value = f"{stage}_formula_accuracy", right.double().mean()
        else:
            squares = (outputs - y.reshape(outputs.shape)).square()
            name, value = f"{stage}_error", squares.mean().sqrt()
        self.log(name, value, prog_bar=True, sync_dist=True, batch_size=len(x))

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self(batch[0] if isinstance(batch, (tuple, list)) else batch)


def is_on(search: Evolution, x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether a search is on these rows: inputs [rows, inputs] and targets [rows, outputs]."""
    evaluator = search.evaluator
    inputs, targets = evaluator.inputs[:, : evaluator.rows], evaluator.scoring.targets
    return np.array_equal(inputs.T, x) and np.array_equal(targets.T, y)
