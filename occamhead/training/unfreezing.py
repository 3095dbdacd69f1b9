"""Fine-tuning in stages: which parts of a backbone train, from when on, and at what rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytorch_lightning as pl
from torch import nn

from occamhead.checks import check_counts

# A part that holds more of the backbone than this is no stage but a container of stages.
ALMOST_ALL = 0.8
_Norm = nn.modules.batchnorm._NormBase


@dataclass(frozen=True)
class Stage:
    """A part of a backbone that begins to train at one moment, at one rate.

    Args:
        name: Name of its optimiser group.
        start: Epoch, or optimiser step, in which it begins to train.
        factor: Its rate as a multiple of that of the backbone.
        parameters: Names of its parameters in the backbone.
    """

    name: str
    start: int
    factor: float
    parameters: tuple[str, ...]


def find_stages(backbone: nn.Module, count: int = 5) -> dict[str, tuple[str, ...]]:
    """Cut a backbone into stages by its own structure, from the pictures to the features.

    The stages are its children, such as the stem and ``layer1`` to ``layer4`` of a ResNet. A
    child that holds almost all parameters, such as DenseNet's ``features`` or the ``blocks`` of a
    vision transformer, is opened, a normalisation goes with what stands before it, and
    neighbours are joined, the smallest first, until there are no more than `count`.

    Args:
        backbone: A network, in which children stand in the order in which they are run.
        count: Most stages.

    Returns:
        The names of each stage's parameters, by the stage's name: that of its first part.

    Raises:
        ValueError: If there are no parameters, or `count` is below 1.
    """
    check_counts(count=count)
    sizes = {name: parameter.numel() for name, parameter in backbone.named_parameters()}
    if not sizes:
        raise ValueError(f"this {type(backbone).__name__} has no parameters to fine-tune")
    parts: list[tuple[str, list[str]]] = []
    for name, module in _parts(backbone, "", ALMOST_ALL * sum(sizes.values())):
        names = [inner for inner in sizes if inner == name or inner.startswith(f"{name}.")]
        if parts and module is not None and _only_normalises(module):
            parts[-1][1].extend(names)
        else:
            parts.append((name, names))
    while len(parts) > count:
        weights = [sum(sizes[name] for name in names) for _, names in parts]
        first = min(range(len(parts) - 1), key=lambda i: weights[i] + weights[i + 1])
        joined = parts[first][0], parts[first][1] + parts[first + 1][1]
        parts[first : first + 2] = [joined]
    return {name: tuple(names) for name, names in parts}


def _parts(module: nn.Module, name: str, limit: float) -> Iterator[tuple[str, nn.Module | None]]:
    """Names of a module's parts, none of more than `limit` parameters if it can be opened."""
    size = sum(parameter.numel() for parameter in module.parameters())
    if not size:
        return
    children = list(module.named_children())
    if name and (size <= limit or not children):
        yield name, module
        return
    prefix = f"{name}." if name else ""
    for parameter, _ in module.named_parameters(recurse=False):
        yield prefix + parameter, None
    for child, inner in children:
        yield from _parts(inner, prefix + child, limit)


def _only_normalises(module: nn.Module) -> bool:
    """Whether all parameters of a module are those of normalisations."""
    owners = [part for part in module.modules() if any(True for _ in part.parameters(False))]
    return all(isinstance(part, _Norm | nn.LayerNorm | nn.GroupNorm) for part in owners)


def named_stages(backbone: nn.Module, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The parameters of the parts of a backbone that are called so.

    Raises:
        ValueError: If there is no such part, it has no parameters, or one is within another.
    """
    known = [name for name, _ in backbone.named_parameters()]
    stages: dict[str, tuple[str, ...]] = {}
    owners: dict[str, str] = {}
    for name in names:
        stages[name] = tuple(p for p in known if p == name or p.startswith(f"{name}."))
        if not stages[name]:
            raise ValueError(
                f"the backbone has no part {name!r} with parameters; its stages are"
                f" {', '.join(find_stages(backbone))}, and parts of them can be named as well"
            )
        for parameter in stages[name]:
            if parameter in owners:
                raise ValueError(f"{parameter} belongs to {owners[parameter]!r} and to {name!r}")
            owners[parameter] = name
    return stages


def parameter_groups(
    backbone: nn.Module, rate: float, stages: Sequence[Stage] = ()
) -> list[dict[str, Any]]:
    """The optimiser groups of a backbone: one per stage, or one of all that requires gradients.

    By name, not by comparing values: two equal parameters must both be trained.
    """
    named = dict(backbone.named_parameters())
    if not stages:
        trained = [parameter for parameter in named.values() if parameter.requires_grad]
        return [{"name": "backbone", "params": trained, "lr": rate}]
    return [
        {
            "name": stage.name,
            "params": [named[name] for name in stage.parameters],
            "lr": rate * stage.factor,
        }
        for stage in stages
    ]


def hold_still(module: nn.Module) -> None:
    """Put into eval mode what must not change by itself: frozen parts and all batch norms.

    Batch statistics of small fine-tuning batches would change what the features mean; batch norm
    keeps the statistics it was trained with, and ``eval()`` sees what ``train()`` saw.
    """
    own = list(module.parameters())
    if own and not any(parameter.requires_grad for parameter in own):
        module.eval()
    elif isinstance(module, _Norm):
        module.training = False
    else:
        for child in module.children():
            hold_still(child)


class StagedUnfreezing(pl.Callback):
    """Train the head first, then the backbone's stages one after the other, each at its rate.

    What trains is a function of the epoch (or step) alone, and every stage is in the optimiser
    from the start, so a resumed run has the frozen and trained parts, groups and rates that the
    interrupted one had. From a checkpoint of an epoch's end it goes on to the bit, if the batches
    come in the same order. Two things are Lightning's: in the middle of an epoch it starts the
    loader afresh, and a run that was given fewer steps cools its head sooner.

    Args:
        schedule: When each stage begins to train; what is not in the schedule never does. Either
            starts for the stages that :func:`find_stages` finds, that next to the head first:
            ``[1, 3]`` trains the last stage from epoch 1 on and the one before it from epoch 3
            on. Or the names of parts of the backbone and their starts, in the order of their
            rates: ``{"layer4": 1, "layer3.5": 3}``.
        decay: The first stage of the schedule has the module's `backbone_learning_rate`, every
            further one this much of the rate of the stage before it.
        unit: What starts count: epochs, or optimiser steps.

    Raises:
        ValueError: On an empty schedule, a negative start, a decay that is not above 0 and at
            most 1; at the start of a fit, if the module has no backbone or a frozen one, or the
            schedule does not fit the backbone.

    Example:
        >>> import pytorch_lightning as pl
        >>> from occamhead.training.unfreezing import StagedUnfreezing
        >>> trainer = pl.Trainer(max_epochs=5, callbacks=[StagedUnfreezing([1, 3])])
    """

    def __init__(
        self,
        schedule: Mapping[str, int] | Sequence[int],
        decay: float = 0.3,
        unit: Literal["epoch", "step"] = "epoch",
    ) -> None:
        starts = list(schedule.values() if isinstance(schedule, Mapping) else schedule)
        if not starts or any(start < 0 for start in starts):
            raise ValueError(f"a schedule needs starts from 0 up, got {schedule!r}")
        if not 0 < decay <= 1:
            raise ValueError(f"decay must be above 0 and at most 1, got {decay}")
        if unit not in ("epoch", "step"):
            raise ValueError(f"unit must be 'epoch' or 'step', got {unit!r}")
        self.schedule, self.decay, self.unit = schedule, decay, unit
        self.stages: tuple[Stage, ...] = ()
        self._training: frozenset[str] | None = None

    def plan(self, backbone: nn.Module) -> tuple[Stage, ...]:
        """The stages of a backbone under this schedule, that of the highest rate first."""
        if isinstance(self.schedule, Mapping):
            found = named_stages(backbone, list(self.schedule))
            starts = list(self.schedule.values())
        else:
            found = dict(reversed(find_stages(backbone).items()))
            starts = list(self.schedule)
            if len(starts) > len(found):
                raise ValueError(
                    f"{len(starts)} starts are too many for the backbone's {len(found)} stages:"
                    f" {', '.join(found)}"
                )
        return tuple(
            Stage(name, start, self.decay**depth, found[name])
            for depth, (name, start) in enumerate(zip(found, starts, strict=False))
        )

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        backbone: Any = getattr(pl_module, "backbone", None)
        if backbone is None or pl_module.hparams["freeze_backbone"]:
            raise ValueError(
                "staged unfreezing needs a module with a backbone that may train: name one, and"
                " leave freeze_backbone=False"
            )
        self.stages, self._training = self.plan(backbone), None
        pl_module.stages = self.stages  # type: ignore[assignment]
        self._check_strategy(trainer)
        # Lightning wraps the module for several devices between here and the start of training,
        # and only what requires gradients at that moment is ever kept equal on all of them.
        self._unfreeze(backbone, self.stages)

    def _check_strategy(self, trainer: pl.Trainer) -> None:
        late = [stage.name for stage in self.stages if stage.start > 0]
        options = getattr(trainer.strategy, "_ddp_kwargs", {})
        if late and trainer.world_size > 1 and not options.get("find_unused_parameters"):
            raise ValueError(
                f"on several devices, stages that begin to train later ({', '.join(late)}) need"
                " the strategy ddp_find_unused_parameters_true"
            )

    def _unfreeze(self, backbone: nn.Module, stages: Sequence[Stage]) -> None:
        trained = {name for stage in stages for name in stage.parameters}
        for name, parameter in backbone.named_parameters():
            parameter.requires_grad_(name in trained)

    def _update(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        now = trainer.current_epoch if self.unit == "epoch" else trainer.global_step
        due = [stage for stage in self.stages if stage.start <= now]
        training = frozenset(stage.name for stage in due)
        if training != self._training:
            self._unfreeze(module.backbone, due)  # type: ignore[arg-type]
            self._training = training
            module.train()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._update(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._update(trainer, pl_module)
        pl_module.train()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._update(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "stages": [[s.name, s.start, s.factor, list(s.parameters)] for s in self.stages],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict != self.state_dict():
            theirs = ", ".join(f"{name} at {start}" for name, start, *_ in state_dict["stages"])
            raise ValueError(
                f"the checkpoint is of another schedule: {theirs} ({state_dict['unit']}s), with"
                " rates to match; resume with its schedule and decay"
            )
