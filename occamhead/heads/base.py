"""What every head that is a formula can do, whichever way it was found."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from occamhead.expression import Expression
from occamhead.expression.derived import as_leaf
from occamhead.heads.calibration import check_limit, choose_temperature
from occamhead.heads.editable import Editable
from occamhead.heads.naming import FeatureNames, abridged
from occamhead.heads.shown import Shown
from occamhead.rows.objective import Objective, get_objective
from occamhead.saving.tensors import UNREADABLE, Place, load_tensors, save_tensors

FORMAT, VERSION = "occamhead.head", 1

# Where the class of each kind lies; by name, as they are built on this module, and one of them
# loads scipy, which those who have the other need not wait for.
_HOMES = {
    "occam": ("occamhead.heads.occam", "OccamHead"),
    "essence": ("occamhead.heads.essence", "EssenceHead"),
}

Head = TypeVar("Head", bound="SymbolicHead")


class SymbolicHead(Shown, Editable):
    """A head whose every class score is a formula of the features.

    In ``train()`` mode it is a soft network, through which a backbone can be trained; in
    ``eval()`` mode it is the formula that :meth:`formula` prints, or, with ``soft_eval = True``,
    the soft network still.

    A cast to half precision, as ``model.bfloat16()`` does it, changes the arithmetic, and so the
    dtype of the scores, but no weight: the formula says what it said, and small steps of an
    optimiser are not lost. A cast to more precision reaches the weights.

    Shape:
        Input [..., in_features], such as [batch, in_features] or [batch, tokens, in_features];
        output [..., out_features].
    """

    kind: ClassVar[str]
    """What the head is called in files and in :class:`occamhead.OccamModule`."""

    loss: str = "cross_entropy"
    """What the scores are trained towards, of :data:`occamhead.rows.objective.OBJECTIVES`."""

    classes: tuple[str, ...] | None = None
    """A name per output, if any."""

    dtype: torch.dtype = torch.float32
    """Of the arithmetic and of the scores."""

    calibration: Tensor

    def __init__(
        self, out_features: int, loss: str = "cross_entropy", classes: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        get_objective(loss)
        if classes is not None and len(classes) != out_features:
            raise ValueError(
                f"{out_features} outputs need as many class names, got {len(classes)}:"
                f" {', '.join(classes)}"
            )
        self.loss = loss
        self.classes = None if classes is None else tuple(classes)
        self.soft_eval = False
        self.dtype = torch.get_default_dtype()
        # Log-temperature of the probabilities; the formula and its scores are without it.
        self.register_buffer("calibration", torch.zeros(()))
        self.register_load_state_dict_post_hook(_read_again)

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
        """Scores of the soft network, [..., out_features], whatever the mode."""

    @abstractmethod
    def formula(self, names: FeatureNames = None) -> Expression:
        """The formula of each class over the raw features, whatever the mode.

        Args:
            names: Names of the features, as :attr:`names` takes them; by default the head's own.
                "auto" calls those that have none by their :attr:`hints`.
        """

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values."""

    @abstractmethod
    def read(self) -> None:
        """Make anew what runs the formula, in `dtype`, where the weights are."""

    # --- dtypes and tracing ----------------------------------------------------------------------

    def _apply(self: Head, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Head:
        device = self.calibration.device
        asked = fn(torch.empty(0, dtype=self.dtype, device=device)).dtype

        def without_loss(tensor: Tensor) -> Tensor:
            applied = fn(tensor)
            kept = torch.promote_types(tensor.dtype, applied.dtype)
            return applied if kept == applied.dtype else tensor.to(applied.device, kept)

        super()._apply(without_loss, recurse)
        self.dtype = asked
        self.read()
        return self

    def _as_leaf(self, x: Any) -> Any:
        """What this head is to torch.fx, which traces with proxies."""
        return as_leaf(self, x)

    def __prepare_scriptable__(self) -> Any:
        raise TypeError(
            f"torch.jit.script cannot read the Python of {type(self).__name__}; take"
            " torch.jit.trace(model.eval(), example), torch.export.export(model.eval(), (example,))"
            " or head.export('formula.onnx')"
        )

    # --- training --------------------------------------------------------------------------------

    def anneal(self, progress: float, end_temperature: float) -> None:
        """Go on towards the formula, `progress` from 0 to 1; here nothing is to be done."""

    def penalty(self) -> Tensor:
        """What is added to the loss for the head's own parameters."""
        return torch.zeros((), device=self.calibration.device)

    # --- what the scores say ---------------------------------------------------------------------

    @property
    def objective(self) -> Objective:
        """What the scores are trained towards, which says how to read them."""
        return get_objective(self.loss)

    @torch.no_grad()
    def calibrate(self, scores: Tensor, labels: Tensor) -> None:
        """Fit the temperature of the probabilities, where rows held out clearly ask for one.

        It changes no answer.

        Numbers (the loss "squared_error") have no probabilities: then there is nothing to fit.

        Args:
            scores: What the formula says of rows that were held out, [rows, out_features]; of
                several formulas that are made alike, [formulas, rows, out_features].
            labels: Class of each row, [rows], or 0 and 1 for each label, [rows, out_features].

        Raises:
            ValueError: As :func:`occamhead.heads.calibration.choose_temperature` does.
        """
        if self.loss != "squared_error":
            temperature = choose_temperature(scores, labels, self.objective)
            self.calibration.fill_(math.log(temperature))

    def probabilities(self, x: Tensor) -> Tensor:
        """Probability of each class, [batch, out_features], at the temperature that was fitted.

        They sum to 1, or, with the loss "binary_cross_entropy", each label has one of its own.

        Raises:
            ValueError: If the head predicts numbers.
        """
        return self.probabilities_of(self(x))

    def predict(self, x: Tensor, reject_below: float = 0.0, names: bool = False) -> Any:
        """What the head answers for each row.

        Args:
            x: Features, [batch, in_features].
            reject_below: An answer of a smaller probability, or of NaN, is withheld.
            names: Whether to answer by the names of the classes.

        Returns:
            The class of each row, [batch]: the highest score's, of equal ones the lowest, and -1
            where it is withheld. With the loss "binary_cross_entropy" 0 or 1 for each label, or
            -1, [batch, out_features]; with "squared_error" the numbers. With `names` a list: a
            name per row, None where it is withheld; of several labels the names of those that the
            row has.

        Raises:
            ValueError: If `reject_below` is no probability or numbers are to be rejected, or the
                head has no names to answer by.
        """
        with torch.no_grad():
            return self.answers_of(self(x), reject_below, names)

    def probabilities_of(self, scores: Tensor) -> Tensor:
        """The :meth:`probabilities` that scores of this head stand for."""
        return self.objective.probabilities(self._at_temperature(scores))

    def answers_of(self, scores: Tensor, reject_below: float = 0.0, names: bool = False) -> Any:
        """What :meth:`predict` answers where the head gives these scores."""
        check_limit(reject_below)
        answers = self.objective.answer(self._at_temperature(scores), reject_below)
        if not names:
            return answers
        if self.classes is None:
            raise ValueError("this head has no class names; build it with classes=[...]")
        return named(answers, self.classes, self.loss)

    def _at_temperature(self, scores: Tensor) -> Tensor:
        # A temperature of 1 leaves the scores as they are, bit by bit: numbers have no other.
        return scores / self.calibration.to(scores).exp()

    # --- storage ---------------------------------------------------------------------------------

    def save(self, path: Place) -> None:
        """Save configuration and weights, sealed; :meth:`SymbolicHead.load` needs nothing else."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            **record_of(self)._asdict(),
            # For people; not read back.
            "formula": (formula := self.formula()).text(),
            "rule": formula.rule(self.classes or ()),
        }
        save_tensors(path, content)

    @classmethod
    def load(cls: type[Head], path: Place) -> Head:
        """Load a head that :meth:`save` wrote; no code is run from the file.

        ``SymbolicHead.load`` takes a head of any kind, and that of a kind one of its own.

        Raises:
            ValueError: If the file is cut off or damaged, not a head of this kind, or of an
                unknown version; names it.
            OSError: If it cannot be read.
        """
        name = cls.__name__
        data = load_tensors(path, f"a saved {name}")
        if data.get("format") != FORMAT:
            raise ValueError(f"{path} is not a saved {name}")
        if data.get("version") != VERSION:
            raise ValueError(f"{path} has format version {data.get('version')}; known: {VERSION}")
        if missing := {"config", "state_dict"} - set(data):
            raise ValueError(f"{path} is damaged: it lacks {', '.join(sorted(missing))}")
        record = Record(**{part: data[part] for part in Record._fields if part in data})
        kind = record.kind
        if kind != getattr(cls, "kind", kind):
            raise ValueError(f"{path} is a saved head of kind {kind!r}, not {cls.kind!r} ({name})")
        try:
            head: Any = head_of(record)
            return head.eval()
        except UNREADABLE as reason:
            raise ValueError(f"{path} is damaged: its parts do not fit: {reason}") from reason

    def export(self, path: str | Path, **options: Any) -> Path:
        """Write the formula as .py, .json, .c, .sql or .onnx, with the head's names of features and
        classes; see :func:`occamhead.expression.formats.files.export`.

        Example:
            >>> from occamhead import OccamHead
            >>> head = OccamHead(8, 2, bases=["affine2"]).eval()
            >>> head.export("formula.c", classes=["ants", "bees"]).name
            'formula.c'
        """
        from occamhead.expression.formats.files import export

        return export(self, path, **options)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        # Checkpoints written before heads were calibrated.
        loaded = state_dict.setdefault(f"{prefix}calibration", torch.zeros_like(self.calibration))
        assigned = local_metadata.get("assign_to_params_buffers", False)
        if assigned and loaded.dtype != self.calibration.dtype:
            self.dtype = loaded.dtype
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args, **kwargs)

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        classes = f", classes=({abridged(self.classes)})" if self.classes else ""
        return f"{sizes}{classes}{super().extra_repr()}"


class Record(NamedTuple):
    """All that a head is, as plain values and tensors; every file of a head holds these parts.

    Args:
        config: The constructor's arguments.
        state_dict: Weights, and what the head knows beside tensors, such as a circuit.
        kind: Name of its class. Files written before there were two kinds name none.
        dtype: Of its arithmetic, by name; None, as in older files, for that of its weights.
        hints: What each feature looks at, if known; older files do not say.
    """

    config: Mapping[str, Any]
    state_dict: Mapping[str, Any]
    kind: str = "occam"
    dtype: str | None = None
    hints: Sequence[str] | None = None


def record_of(head: SymbolicHead) -> Record:
    """A head taken apart, to be stored; its tensors are the head's own."""
    hints = None if head.hints is None else list(head.hints)
    return Record(head.config(), head.state_dict(), head.kind, dtype_name(head.dtype), hints)


def head_of(record: Record) -> SymbolicHead:
    """A head put together again, in train mode; the opposite of :func:`record_of`.

    Raises:
        ValueError, TypeError, RuntimeError: If the parts do not fit together.
    """
    head = head_class(record.kind)(**record.config)
    # Assigned, not copied: weights of another precision come back as they were.
    head.load_state_dict(record.state_dict, assign=True)
    head.hints = None if record.hints is None else tuple(record.hints)
    return head.to(getattr(torch, record.dtype or dtype_name(head.dtype)))


def head_class(kind: str) -> type[SymbolicHead]:
    """The class of a kind of heads; ValueError if there is none."""
    if kind not in _HOMES:
        raise ValueError(f"kind must be one of {', '.join(_HOMES)}, got {kind!r}")
    module, name = _HOMES[kind]
    found: type[SymbolicHead] = getattr(import_module(module), name)
    return found


def dtype_name(dtype: torch.dtype) -> str:
    """What torch calls a dtype, such as "float32"."""
    return str(dtype).removeprefix("torch.")


def named(answers: Tensor, classes: Sequence[str], loss: str) -> list[Any]:
    """What :meth:`SymbolicHead.predict` answers, by the names of the classes; numbers as they are.

    A list nested as the rows are: a name for each, None where it is withheld; of several labels the
    names of those that the row has.
    """
    if loss == "squared_error":
        return answers.tolist()
    if loss == "binary_cross_entropy":
        labels: list[Any] = [
            [name for name, present in zip(classes, row, strict=True) if present == 1]
            for row in answers.flatten(0, -2).tolist()
        ]
        for size in reversed(answers.shape[1:-1]):
            labels = [labels[i : i + size] for i in range(0, len(labels), size)]
        return labels
    names = np.array([*classes, None], dtype=object)
    return names[answers.cpu().numpy()].tolist()


def _read_again(head: nn.Module, incompatible_keys: Any) -> None:
    """After a state_dict was loaded, into a head or into a model around it."""
    assert isinstance(head, SymbolicHead)
    head.read()
