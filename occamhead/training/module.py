"""OccamModule: train a head, alone or with its backbone, by backprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from occamhead.checks import check_counts, check_temperature
from occamhead.heads.kinds import build_head
from occamhead.heads.naming import FeatureNames, said
from occamhead.heads.occam import OccamHead
from occamhead.rows.arrays import LabelledArrays, view_rows
from occamhead.rows.dense import teach
from occamhead.rows.objective import Objective, get_objective
from occamhead.rows.weights import ClassWeight, class_factors
from occamhead.training.checkpoints import CheckedModule
from occamhead.training.resuming import GENERATORS, draw_as_one, generators, goes_on, set_generators
from occamhead.training.shares import share_of
from occamhead.training.stopping import start_patience, wait_for_annealing
from occamhead.training.unfreezing import Stage, hold_still, parameter_groups

IN_CHECKPOINT = "in the checkpoint"
# The arguments in which a module must equal that of a checkpoint.
IN_ARCHITECTURE = (
    "in_features",
    "num_classes",
    "backbone",
    "kind",
    "head",
    "restarts",
    "columns",
)


class OccamModule(CheckedModule):
    """Classification by a symbolic head, trained as a soft network that ends as its formula.

    The temperature of every softmax falls geometrically to `end_temperature` during the first
    `anneal_fraction` of training. Validation and testing run the formula; the soft network's
    accuracy is logged beside it. An ``EarlyStopping`` has to wait for the temperatures: until they
    have fallen, the formula is worse than its network.

    Args:
        in_features: Features of the head; None takes what the backbone gives.
        num_classes: Number of classes.
        backbone: Name of a backbone through which batches of images pass first; None for batches
            of features.
        weights: Weights of the backbone, see :func:`occamhead.vision.load_backbone`.
        freeze_backbone: Train the head alone. The backbone is then in eval mode throughout.
        kind: "occam", or "essence": see :func:`occamhead.heads.kinds.build_head`. An essence head
            has no weights that gradients change:
            :class:`occamhead.training.renewal.RefitHead` fits it in closed form, and the backbone
            is trained through it.
        head: Further arguments of the head, as plain values.
        restarts: Heads trained side by side on the same batches, each from its own start;
            :meth:`keep` picks one. Accuracies are means over them.
        columns: Features that the heads see while they are trained; None shows them all.
        learning_rate: Adam's rate for the head.
        backbone_learning_rate: Adam's rate for the backbone, or for its first stage to be unfrozen;
            see :class:`occamhead.training.unfreezing.StagedUnfreezing`.
        decay: Factor of both rates per step (paper, supplement G: 0.999).
        end_temperature: Temperature at which training ends; None keeps the temperatures as the
            head has them, as the paper does.
        anneal_fraction: Share of the steps in which it is reached; 0 starts there.
        constant_penalty: Weight of the sum of squared free constants in the loss.
        initialise: Call :meth:`OccamHead.initialise` with the training rows at the start of a fit
            whose data module has arrays; else the head starts as it is.
        prior, spread: See :meth:`OccamHead.initialise`.
        teacher: A model of the features whose class probabilities are the targets of training
            in place of the labels. It is neither trained nor saved.
        loss: "cross_entropy" for one label a row; "binary_cross_entropy" for any number of them,
            targets [batch, num_classes] of 0 and 1; "squared_error" for numbers to predict,
            targets [batch, num_classes], whose R2 is then logged in place of the accuracy.
        class_weight: What the rows of a class count in the training loss: "balanced", which counts
            the training rows of a data module's arrays, or a factor for each class, or for some by
            number; see :func:`occamhead.rows.weights.class_factors`. Batches `(x, y, weight)` give
            a weight for each row beside it.

    Differs from the paper: noise on the initial weights, annealing and per-class networks with
    free constants, without which the most probable formula can be at chance while the soft
    network is near perfect.
    """

    columns: Tensor | None
    class_factors: Tensor | None
    teacher: nn.Module | None

    def __init__(
        self,
        in_features: int | None = None,
        num_classes: int = 2,
        *,
        backbone: str | None = None,
        weights: str | None = None,
        freeze_backbone: bool = False,
        kind: str = "occam",
        head: dict[str, Any] | None = None,
        restarts: int = 1,
        columns: Sequence[int] | None = None,
        learning_rate: float = 0.1,
        backbone_learning_rate: float = 1e-5,
        decay: float = 0.999,
        end_temperature: float | None = 0.03,
        anneal_fraction: float = 0.8,
        constant_penalty: float = 0.01,
        initialise: bool = True,
        prior: float = 3.0,
        spread: float = 0.0,
        teacher: nn.Module | None = None,
        loss: str = "cross_entropy",
        class_weight: ClassWeight = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["teacher"])
        self._check_numbers()
        # Not a submodule: it must neither train, nor change mode with us, nor be saved.
        object.__setattr__(self, "teacher", teacher)
        # The step up to which no EarlyStopping loses patience.
        self._patient_from = 0
        # What StagedUnfreezing sets; without it the backbone trains as one from the start.
        self.stages: Sequence[Stage] = ()
        self.backbone: nn.Module | None = None
        if backbone is not None:
            from occamhead.vision import build_backbone, load_backbone

            if weights == IN_CHECKPOINT:
                self.backbone = build_backbone(backbone)
            else:
                loaded = load_backbone(backbone, weights)
                self.backbone = loaded.module
                in_features = in_features or loaded.num_features
            if freeze_backbone:
                self.backbone.requires_grad_(False)
        if in_features is None:
            raise ValueError("in_features is needed where there is no backbone")
        check_counts(restarts=restarts)
        if columns is not None and not (
            columns and 0 <= min(columns) <= max(columns) < in_features
        ):
            raise ValueError(f"columns must be among the {in_features} features, got {columns}")
        width = in_features if columns is None else len(columns)
        shape = {"loss": loss} if kind == OccamHead.kind else {}
        shape |= head or {}
        self._heads = nn.ModuleList(
            build_head(kind, width, num_classes, **shape) for _ in range(restarts)
        )
        self._check_learning(kind)
        if self.head.loss != loss:
            raise ValueError(f"the head's loss is {self.head.loss!r}, the module's {loss!r}")
        self.in_features = self.hparams["in_features"] = in_features
        shown = None if columns is None else torch.as_tensor(columns)
        self.register_buffer("columns", shown, persistent=False)
        if class_weight is not None and loss != "cross_entropy":
            raise ValueError(f"class_weight needs one class per row, not the loss {loss!r}")
        self.register_buffer("class_factors", None, persistent=False)
        self.formula_meter = self.objective.meter(num_classes)
        self.soft_meter = self.objective.meter(num_classes)
        self._made = generators()

    def _check_numbers(self) -> None:
        numbers = self.hparams
        for name in ("learning_rate", "backbone_learning_rate", "decay", "constant_penalty"):
            if not 0 <= numbers[name] < float("inf"):
                raise ValueError(f"{name} must be finite and not negative, got {numbers[name]}")
        if not 0 <= numbers["anneal_fraction"] <= 1:
            raise ValueError(
                f"anneal_fraction must be between 0 and 1, got {numbers['anneal_fraction']}"
            )
        if numbers["end_temperature"] is not None:
            check_temperature(end_temperature=numbers["end_temperature"])

    def _check_learning(self, kind: str) -> None:
        """Refuse what a head without weights of its own cannot do."""
        if kind == OccamHead.kind:
            return
        numbers = self.hparams
        if self.backbone is None or numbers["freeze_backbone"]:
            raise ValueError(
                f"gradients change nothing in a head of kind {kind!r}: fit it to the features by"
                " head.fit(x, y), or give a backbone that may train"
            )
        if numbers["restarts"] > 1 or numbers["columns"] is not None:
            raise ValueError(
                f"a head of kind {kind!r} takes neither restarts, which would be alike, nor columns"
            )
        if numbers["loss"] != "cross_entropy":
            raise ValueError(
                f"a head of kind {kind!r} learns classes, so that loss must be 'cross_entropy', got"
                f" {numbers['loss']!r}"
            )

    @property
    def objective(self) -> Objective:
        """What the heads are trained towards."""
        return get_objective(self.hparams["loss"])

    @property
    def heads(self) -> list[Any]:
        """The heads that are trained side by side, of the kind that was asked for."""
        return list(self._heads)

    @property
    def head(self) -> Any:
        """The head; the first one while several are trained side by side."""
        return self.heads[0]

    def keep(self, restart: int, names: FeatureNames = None) -> OccamHead:
        """Keep one of the heads trained side by side, widened to all features, which get names."""
        head: OccamHead = self.heads[restart]
        if self.columns is not None:
            head = head.widened(self.in_features, self.columns.tolist())
        self._heads = nn.ModuleList([head])
        self.columns = self.hparams["columns"] = None
        self.hparams["restarts"] = 1
        if names is not None:
            head.names = names
            self.hparams["head"] = {**(self.hparams["head"] or {}), "names": said(head.names)}
        return head

    def features(self, batch: Tensor) -> Tensor:
        """What the head sees of a batch: the batch itself, or the backbone's features of it."""
        if self.backbone is None:
            return batch
        if self.hparams["freeze_backbone"]:
            with torch.no_grad():
                return self.backbone(batch)
        return self.backbone(batch)

    def shown(self, features: Tensor) -> Tensor:
        """The features that the heads see."""
        return features if self.columns is None else features[:, self.columns]

    def forward(self, batch: Tensor) -> Tensor:
        return self.head(self.shown(self.features(batch)))

    # --- training --------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        arrays = getattr(getattr(self.trainer, "datamodule", None), "arrays", None)
        if stage == "fit":
            draw_as_one(self._made, self.trainer)
            self._weigh_classes(arrays)
        if stage == "fit" and self.hparams["initialise"] and arrays and self.backbone is None:
            x, y = view_rows(arrays.train)
            for head in self.heads:
                given = {name: self.hparams[name] for name in ("prior", "spread", "loss")}
                head.initialise(self.shown(x), y, **given)

    def _weigh_classes(self, arrays: LabelledArrays | None) -> None:
        weight = self.hparams["class_weight"]
        if weight is None:
            return
        if arrays is None and weight == "balanced":
            raise ValueError(
                "class_weight='balanced' counts the rows of a data module's arrays, and this fit"
                " has none; give a factor for each class"
            )
        labels = torch.zeros(0) if arrays is None else view_rows(arrays.train)[1]
        factors = class_factors(labels, self.head.out_features, weight)
        self.class_factors = factors.to(self.device)

    def train(self, mode: bool = True) -> OccamModule:
        super().train(mode)
        if self.backbone is not None:
            hold_still(self.backbone)
        return self

    def on_fit_start(self) -> None:
        if self.teacher is not None:
            self.teacher.to(self.device)

    def on_train_start(self) -> None:
        falls = self.hparams["end_temperature"] is not None
        fraction = self.hparams["anneal_fraction"] if falls else 0.0
        self._patient_from = wait_for_annealing(self.trainer, fraction)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if self._patient_from and self.global_step <= self._patient_from:
            start_patience(self.trainer)
        if self.hparams["end_temperature"] is None:
            return
        steps = self.hparams["anneal_fraction"] * float(self.trainer.estimated_stepping_batches)
        progress = self.global_step / steps if steps else 1.0
        for head in self.heads:
            head.anneal(progress, self.hparams["end_temperature"])

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        batch, factor = share_of(batch, self._trainer)
        x, y, *weights = batch
        self.objective.check(y, self.head.out_features, len(x))
        features = self.features(x)
        shown = self.shown(features)
        targets = teach(self.teacher, features, y, self.objective)
        if self.class_factors is not None:
            weights.append(self.class_factors.to(x.device)[y])
        weight = torch.stack(weights).prod(dim=0) if weights else None
        losses = []
        for head in self.heads:
            penalty = self.hparams["constant_penalty"] * head.penalty()
            losses.append(factor * self.objective.loss(head.soft(shown), targets, weight) + penalty)
        # The sum, since the heads share no weights: each trains as if it were alone.
        loss = torch.stack(losses).sum()
        self.log("train_loss", loss / len(self.heads))
        return loss

    def configure_optimizers(self) -> Any:
        heads = list(self._heads.parameters())
        groups = [{"name": "head", "params": heads, "lr": self.hparams["learning_rate"]}]
        if self.backbone is not None and not self.hparams["freeze_backbone"]:
            rate = self.hparams["backbone_learning_rate"]
            groups += parameter_groups(self.backbone, rate, self.stages)
        optimizer = torch.optim.Adam(groups)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, self.hparams["decay"])
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    # --- evaluation ------------------------------------------------------------------------------

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self._evaluate(batch, "test")

    def _evaluate(self, batch: tuple[Tensor, ...], stage: str) -> None:
        x, y = batch[:2]
        features = self.shown(self.features(x))
        scores = torch.cat([head(features) for head in self.heads])
        targets = torch.cat([y] * len(self.heads))
        soft = torch.cat([head.soft(features) for head in self.heads])
        judged = self.objective.judged
        self.formula_meter.update(*judged(scores, targets))
        self.soft_meter.update(*judged(soft, targets))
        for name, meter in (("formula", self.formula_meter), ("soft", self.soft_meter)):
            self.log(f"{stage}_{name}_{self.objective.metric}", meter, prog_bar=True, on_epoch=True)
        loss = self.objective.loss(scores, targets)
        self.log(f"{stage}_formula_loss", loss, sync_dist=True)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self(batch[0] if isinstance(batch, (tuple, list)) else batch)

    # --- checkpoints -----------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.backbone is not None:
            # Loading must not ask for a file beside the checkpoint, which holds the weights.
            kept = checkpoint["hyper_parameters"]
            checkpoint["hyper_parameters"] = {**kept, "weights": IN_CHECKPOINT}
        checkpoint[GENERATORS] = generators()
        super().on_save_checkpoint(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        if goes_on(self):
            set_generators(checkpoint.get(GENERATORS))
        theirs = checkpoint.get("hyper_parameters", {})
        for name in IN_ARCHITECTURE:
            if name in theirs and _unnamed(theirs[name]) != _unnamed(self.hparams[name]):
                raise ValueError(
                    f"the checkpoint is of another architecture: it has {name} ="
                    f" {theirs[name]!r}, this module {self.hparams[name]!r}; build the module"
                    " with the checkpoint's value"
                )


def _unnamed(argument: Any) -> Any:
    """An argument of a module without the names of the head's features: they change no weight."""
    if not isinstance(argument, dict):
        return argument
    return {name: value for name, value in argument.items() if name != "names"}
