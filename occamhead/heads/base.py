"""What every head that is a formula can do, whichever way it was found."""

from __future__ import annotations

import pickle
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from occamhead.expression import Expression
from occamhead.heads.calibration import calibrated, check_limit

FORMAT, VERSION = "occamhead.heads.occam", 1

Head = TypeVar("Head", bound="SymbolicHead")


class SymbolicHead(nn.Module):
    """A head whose every class score is a formula of the features.

    In ``train()`` mode it is a soft network, through which a backbone can be trained; in
    ``eval()`` mode it is the formula that :meth:`formula` prints, or, with ``soft_eval = True``,
    the soft network still.

    Shape:
        Input [batch, in_features]; output [batch, out_features].
    """

    kind: ClassVar[str]
    """What the head is called in files and in :class:`occamhead.OccamModule`."""

    calibration: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.soft_eval = False
        # Log-temperature of the probabilities; the formula and its scores are without it.
        self.register_buffer("calibration", torch.zeros(()))

    @property
    @abstractmethod
    def in_features(self) -> int:
        """Number of features."""

    @property
    @abstractmethod
    def out_features(self) -> int:
        """Number of scores (classes)."""

    @abstractmethod
    def soft(self, x: Tensor) -> Tensor:
        """Scores of the soft network, [batch, out_features], whatever the mode."""

    @abstractmethod
    def formula(self, names: Sequence[str] | None = None) -> Expression:
        """The formula of each class over the raw features, whatever the mode.

        Args:
            names: Names of the features; by default x0, x1, ...
        """

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values."""

    # --- training --------------------------------------------------------------------------------

    def anneal(self, progress: float, end_temperature: float) -> None:
        """Go on towards the formula, `progress` from 0 to 1; here nothing is to be done."""

    def penalty(self) -> Tensor:
        """What is added to the loss for the head's own parameters."""
        return torch.zeros((), device=self.calibration.device)

    # --- probabilities ---------------------------------------------------------------------------

    def probabilities(self, x: Tensor) -> Tensor:
        """Probability of each class, [batch, out_features]: a softmax of the scores.

        At the temperature that was fitted on held-out rows, where one was; see
        :func:`occamhead.heads.calibration.fit_temperature`. It changes no class.
        """
        return calibrated(self(x), self.calibration)

    @torch.no_grad()
    def predict(self, x: Tensor, reject_below: float = 0.0) -> Tensor:
        """The class of each row, [batch]: the highest score's, of equal ones the lowest.

        It is -1 where its probability is below `reject_below`, or NaN.

        Raises:
            ValueError: If `reject_below` is no probability.
        """
        check_limit(reject_below)
        probability, label = self.probabilities(x).max(dim=-1)
        return torch.where(probability >= reject_below, label, -1)

    # --- storage ---------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Save configuration and weights; :meth:`load` needs nothing else."""
        torch.save(
            {
                "format": FORMAT,
                "version": VERSION,
                "kind": self.kind,
                "config": self.config(),
                "state_dict": self.state_dict(),
                "formula": self.formula().text(),
            },
            path,
        )

    @classmethod
    def load(cls: type[Head], path: str | Path) -> Head:
        """Load a head that :meth:`save` wrote; no code is run from the file.

        Raises:
            ValueError: If the file is not a head of this kind, or of an unknown version.
        """
        name = cls.__name__
        try:
            data = torch.load(path, weights_only=True, map_location="cpu")
        except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
            raise ValueError(f"{path} is not a saved {name}: {error}") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"{path} is not a saved {name}")
        if data.get("version") != VERSION:
            raise ValueError(f"{path} has format version {data.get('version')}; known: {VERSION}")
        # Files written before there were two kinds do not name theirs.
        if (kind := data.get("kind", "occam")) != cls.kind:
            raise ValueError(f"{path} is a saved head of kind {kind!r}, not {cls.kind!r} ({name})")
        if missing := {"config", "state_dict"} - set(data):
            raise ValueError(f"{path} is damaged: it lacks {', '.join(sorted(missing))}")
        head = cls(**data["config"])
        head.load_state_dict(data["state_dict"])
        return head.eval()

    def export(self, path: str | Path, **options: Any) -> Path:
        """Write the formula as .py, .json, .c, .sql or .onnx; see
        :func:`occamhead.expression.formats.files.export`.

        Example:
            >>> head.export("formula.c", classes=["ants", "bees"])  # doctest: +SKIP
            >>> head.export("model.onnx", backbone=resnet, example=(3, 224, 224))  # doctest: +SKIP
        """
        from occamhead.expression.formats.files import export

        return export(self, path, **options)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # Checkpoints written before heads were calibrated.
        state_dict.setdefault(f"{prefix}calibration", torch.zeros_like(self.calibration))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"
