"""A backbone and its formulas as one file, which is read without running anything in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from occamhead.checks import check_counts, enough_memory, needs
from occamhead.expression import Expression, FormulaModule
from occamhead.heads.base import Record, SymbolicHead, head_of, named, record_of
from occamhead.saving import replaced
from occamhead.saving.tensors import UNREADABLE
from occamhead.version import __version__
from occamhead.vision.backbones import Backbone, build_backbone, state_hash
from occamhead.vision.decoding import as_rgb, read_rgb
from occamhead.vision.preparation import Preparation

if TYPE_CHECKING:
    from PIL import Image

FORMAT, VERSION = "occamhead.model", 1
# The key of our JSON among the file's metadata.
KEY = "occamhead"


class FormulaModel(nn.Module):
    """Pictures to class scores: a backbone, and formulas of its features.

    It is for use and not for training, and stays in eval mode; `backbone` and `head` are there to
    go on from.

    Args:
        backbone: The network, its weights in words, and its notice.
        head: The head that the formulas were read off.
        formula: One formula per class.
        classes: Name of each class.
        facts: What else the file says, such as where the data came from.

    Shape:
        Input: pictures as `transform` gives them, [batch, 3, height, width]; output
        [batch, classes].
    """

    def __init__(
        self,
        backbone: Backbone,
        head: SymbolicHead,
        formula: Expression,
        classes: Sequence[str],
        facts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.name, self.weights, self.notice = backbone.name, backbone.weights, backbone.notice
        self.transform = Preparation.of(backbone.transform)
        self.backbone, self.head = backbone.module, head
        self.formula, self.classes, self.facts = formula, tuple(classes), dict(facts or {})
        _check_fit(backbone, head, formula, classes)
        self.scores = FormulaModule(formula, head.dtype)
        self.eval()

    def train(self, mode: bool = True) -> FormulaModel:
        """Stay in eval mode: what runs is the formula, of features that do not change."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        return self.scores(self.backbone(images))

    def probabilities(self, images: Tensor) -> Tensor:
        """Probability of each class, [batch, classes]; see :meth:`OccamHead.probabilities`."""
        return self.head.probabilities_of(self(images))

    @torch.no_grad()
    def predict(
        self,
        pictures: Sequence[Image.Image | str | Path],
        reject_below: float = 0.0,
        batch_size: int = 32,
    ) -> list[Any]:
        """The class of each picture, or None where its probability is below `reject_below`.

        Of several labels a list of those that the picture has; or a list of the numbers.

        Args:
            pictures: Images of PIL, or files.
            reject_below: Between 0 and 1.
            batch_size: Pictures that pass through the backbone together.
        """
        check_counts(batch_size=batch_size)
        like = next(self.backbone.parameters())
        found: list[Any] = []
        for start in range(0, len(pictures), batch_size):
            batch = [self.transform(_picture(p)) for p in pictures[start : start + batch_size]]
            answers = self.head.answers_of(self(torch.stack(batch).to(like)), reject_below)
            found += named(answers, self.classes, self.head.loss)
        return found


def _check_fit(
    backbone: Backbone, head: SymbolicHead, formula: Expression, classes: Sequence[str]
) -> None:
    if not len(classes) == head.out_features == len(formula):
        raise ValueError(
            f"{len(formula)} formulas need as many classes and outputs of the head, got"
            f" {len(classes)} and {head.out_features}"
        )
    if not backbone.num_features == head.in_features == formula.num_inputs:
        raise ValueError(
            f"the backbone gives {backbone.num_features} features, the head takes"
            f" {head.in_features} and the formulas {formula.num_inputs}"
        )


def _picture(picture: Image.Image | str | Path) -> Image.Image:
    return read_rgb(picture) if isinstance(picture, (str, Path)) else as_rgb(picture)


def save_model(
    path: str | Path,
    backbone: Backbone,
    head: SymbolicHead,
    classes: Sequence[str] | None = None,
    *,
    facts: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a backbone and the formulas of its features to one .safetensors file.

    The tensors are the weights of both. All else is JSON in the file's metadata: the formulas,
    the head's arguments, the backbone's name, how pictures are prepared, the classes, the notice
    that the weights ask for, and the versions that wrote it.

    Args:
        path: The file.
        backbone: The backbone, with the weights that the formulas are valid for; for those of a
            fine-tuned module see :meth:`Backbone.fine_tuned`.
        head: The head, in whatever mode.
        classes: Name of each class; by default the head's own.
        facts: What else the file shall say.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The file's path.

    Raises:
        ValueError: If the parts do not fit together, the backbone's network cannot be built from
            its name, or its transform cannot be stored.
        FileExistsError: If the file exists and `overwrite` is not set.
        ImportError: Without safetensors.
    """
    with needs("safetensors", "saving a model"):
        from safetensors.torch import save_file

    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; choose another path, or pass overwrite=True")
    formula, classes = head.formula(), classes or head.classes
    if classes is None:
        raise ValueError("the head has no class names; give classes=[...]")
    _check_fit(backbone, head, formula, classes)
    if _shapes(build_backbone(backbone.name)) != _shapes(backbone.module):
        raise ValueError(
            f"the backbone is not the network that is called {backbone.name!r}, from which the"
            " file would be read; give it the name that builds it (see load_backbone)"
        )
    record = record_of(head)
    plain = {k: v for k, v in record.state_dict.items() if not isinstance(v, Tensor)}
    state = _state(backbone=backbone.module.state_dict(), head=record.state_dict)
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "backbone": backbone.name,
        "num_features": backbone.num_features,
        "weights": backbone.weights,
        "notice": backbone.notice,
        "transform": Preparation.of(backbone.transform).plain(),
        "classes": list(classes),
        "formula": json.loads(formula.to_json(classes)),
        "kind": record.kind,
        "head": record.config,
        "dtype": record.dtype,
        "hints": record.hints,
        # What the head's state holds beside tensors, such as a circuit.
        "plain": plain,
        "facts": dict(facts or {}),
        "versions": {"occamhead": __version__, "torch": torch.__version__},
    }
    content["sha256"] = _seal(content, state)
    with replaced(path) as part:
        save_file(state, part, {"format": "pt", KEY: json.dumps(content)})
    return path


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in module.state_dict().items()}


def _state(**parts: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights as safetensors takes them: dense, in the usual order, sharing no memory."""
    return {
        f"{part}.{name}": value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for part, values in parts.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def _part(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = f"{part}."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def load_model(path: str | Path) -> FormulaModel:
    """Read what :func:`save_model` wrote; the file is all that is needed, and is data only.

    Returns:
        The model, on the CPU, in eval mode.

    Raises:
        ValueError: If the file is damaged, of an unknown version, or something else.
        FileNotFoundError: If there is no such file.
        ImportError: Without safetensors, or without the package that the backbone comes from.
    """
    content, state = _read(Path(path))
    try:
        # Assigned, not copied: weights of another precision come back as they were.
        network = build_backbone(content["backbone"])
        network.load_state_dict(_part(state, "backbone"), assign=True)
        # Older files say no kind, no dtype and no hints, and hold nothing beside tensors.
        said = {part: content[part] for part in ("kind", "dtype", "hints") if part in content}
        head_state = _part(state, "head") | content.get("plain", {})
        head = head_of(Record(content["head"], head_state, **said))
        backbone = Backbone(
            name=content["backbone"],
            module=network.eval(),
            num_features=content["num_features"],
            transform=Preparation.from_plain(content["transform"]),
            weights=content["weights"],
            fingerprint="",
            notice=content["notice"],
        )
        formula = Expression.from_json(json.dumps(content["formula"]))
        return FormulaModel(backbone, head, formula, content["classes"], content["facts"])
    except ImportError as reason:
        raise ImportError(f"{path} needs what is not installed: {reason}") from reason
    except UNREADABLE as reason:
        raise ValueError(f"{path} is damaged or not a model of occamhead: {reason}") from reason


def _seal(content: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    """A sha256 of all that a file says, to notice damage."""
    said = {name: value for name, value in content.items() if name != "sha256"}
    weights = state_hash(dict(sorted(state.items())))
    return hashlib.sha256(f"{json.dumps(said)}{weights}".encode()).hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    with needs("safetensors", "loading a model"):
        from safetensors import SafetensorError, safe_open
    try:
        with (
            enough_memory(f"reading {path}", "is it damaged?"),
            safe_open(path, framework="pt") as file,
        ):
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, *UNREADABLE) as reason:
        size = path.stat().st_size
        raise ValueError(
            f"{path} ({size} bytes) is cut off, damaged or no .safetensors file: {reason}"
        ) from reason
    try:
        content = json.loads(metadata[KEY])
        known = content["format"] == FORMAT
        version, sha256 = content["version"], content["sha256"]
    except (KeyError, TypeError, ValueError, RecursionError) as reason:
        raise ValueError(f"{path} holds weights, but is not a model of occamhead") from reason
    if not known or version != VERSION:
        raise ValueError(
            f"{path} says format {content['format']!r}, version {version!r}; this occamhead reads"
            f" {FORMAT!r}, version {VERSION}"
        )
    if _seal(content, state) != sha256:
        raise ValueError(f"{path} is damaged: its content is not what was saved")
    return content, state
