"""Write a formula to a file that runs without this package: Python, JSON, C, SQL or ONNX."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from occamhead.expression.core import Expression
from occamhead.expression.evaluate import FormulaModule
from occamhead.expression.formats.c_source import to_c
from occamhead.expression.formats.source import one_line
from occamhead.expression.formats.sql import to_sql
from occamhead.saving import replaced


class HasFormula(Protocol):
    """What a formula can be asked of, such as a head."""

    def formula(self, names: Sequence[str] | None = None) -> Expression: ...


def export(
    model: Expression | HasFormula,
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    classes: Sequence[str] = (),
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Write a formula to a file in the language that the file's suffix names.

    ========  ==========================================================  =========================
    suffix    content                                                     further options
    ========  ==========================================================  =========================
    .py       ``scores(x)`` and ``predict(x)``, which need ``math`` only  comment
    .json     what :meth:`Expression.from_json` reads
    .c        ``scores(x, out)`` and ``predict(x)`` in C99                comment
    .sql      one SELECT over a table (SQLite)                            table, keep
    .onnx     rows, or a backbone's inputs, to scores; any batch size     backbone, example, dtype
    ========  ==========================================================  =========================

    All but ``.onnx`` compute in double precision. Everywhere the class is the highest score's,
    the first of equals; of two classes whose first score is 0 each also says the rule in words.

    Args:
        model: A formula, or a head, whose formula is written (in whatever mode it is).
        path: The file.
        names: Names of the features; by default the formula's or the head's own. They are columns
            of the table (.sql), stand in comments (.py, .c) and in the metadata (.onnx).
        classes: A name per class, for comments (.py, .c), a column (.sql), what a person reads
            (.json), metadata (.onnx); by default the head's own.
        overwrite: Whether an existing file may be replaced.
        **options: See the table, and :func:`to_sql` and :func:`export_onnx`.

    Returns:
        The file's path.

    Raises:
        ValueError: On an unknown suffix, an option of another format, names or classes that are
            not as many as features or outputs, or an operator that the language lacks.
        FileExistsError: If the file exists and `overwrite` is not set.
        ImportError: If .onnx is wanted without the extra ``onnx``.
    """
    path = Path(path)
    if path.suffix not in _FORMATS:
        raise ValueError(
            f"cannot tell the format of {path.name!r}; the suffix must be one of"
            f" {', '.join(_FORMATS)}"
        )
    write, known = _FORMATS[path.suffix]
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(
            f"{path.suffix} takes no option {unknown[0]!r}; its options: {', '.join(known) or '-'}"
        )
    if isinstance(model, Expression):
        formula = model if names is None else model.renamed(names)
    else:
        formula = model.formula(names)
        classes = classes or getattr(model, "classes", None) or ()
    if classes and len(classes) != len(formula):
        raise ValueError(f"{len(formula)} outputs need as many class names, got {len(classes)}")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; choose another path, or pass overwrite=True")
    if path.suffix == ".onnx" and isinstance(model, nn.Module):
        options["head"] = model
    with replaced(path) as part:
        write(formula, part, classes, **options)
    return path


def _write_python(
    formula: Expression, path: Path, classes: Sequence[str], comment: str = ""
) -> None:
    path.write_text(formula.python(comment, classes), encoding="utf-8")


def _write_json(formula: Expression, path: Path, classes: Sequence[str]) -> None:
    path.write_text(formula.to_json(classes) + "\n", encoding="utf-8")


def _write_c(formula: Expression, path: Path, classes: Sequence[str], comment: str = "") -> None:
    path.write_text(to_c(formula, comment, classes), encoding="utf-8")


def _write_sql(
    formula: Expression,
    path: Path,
    classes: Sequence[str],
    table: str = "features",
    keep: Sequence[str] = (),
) -> None:
    path.write_text(to_sql(formula, table, keep, classes), encoding="utf-8")


def export_onnx(
    formula: Expression,
    path: Path,
    classes: Sequence[str] = (),
    *,
    backbone: nn.Module | None = None,
    example: Tensor | Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    head: nn.Module | None = None,
) -> None:
    """Write an ONNX model with one input ``x`` and one output ``scores``, for any batch size.

    The formulas' text and what a person reads are in the model's metadata, with the features that
    they use (number and name, one a line) if these have names, and the classes (one a line).

    Args:
        formula: The formulas.
        path: The file.
        classes: A name per output.
        backbone: A module whose outputs are the formulas' features, or a model in which `head`
            is attached. It is copied, and the copy exported in eval mode.
        example: Inputs of the backbone, a batch, or the shape of one input without the batch.
        dtype: Of inputs, numbers and scores; float32 or float64.
        head: The head of which `formula` is the formula.

    Raises:
        ValueError: If there is a backbone without an example or the other way round.
        ImportError: Without onnxscript, which torch's exporter needs.
    """
    if importlib.util.find_spec("onnxscript") is None or importlib.util.find_spec("onnx") is None:
        raise ImportError(
            "exporting to .onnx needs onnx and onnxscript: pip install occamhead[onnx]"
        )
    if (backbone is None) != (example is None):
        raise ValueError(
            "a backbone is exported with an example: pass both backbone= and example= (a batch of"
            " inputs, or the shape of one), or neither"
        )
    module: nn.Module = _SumsApart(formula, dtype)
    if backbone is not None:
        module = _with_backbone(backbone, head, module)
    module = module.to(dtype).eval()
    batch = _batch(example if example is not None else (formula.num_inputs,), dtype)
    program = torch.onnx.export(
        module,
        (batch,),
        input_names=["x"],
        output_names=["scores"],
        dynamic_shapes=({0: "batch"},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props["formula"] = "\n".join(formula.text())
    program.model.metadata_props["rule"] = "\n".join(formula.rule(classes))
    if formula.names is not None:
        named = [f"{i} {one_line(formula.input_name(i))}" for i in formula.features]
        program.model.metadata_props["features"] = "\n".join(named)
    if classes:
        program.model.metadata_props["classes"] = "\n".join(classes)
    program.save(path, external_data=False)


class _SumsApart(FormulaModule):
    """The formulas with every sum over inputs by itself.

    A scatter-add that meets an element twice is exact in torch, but a race in onnxruntime, which
    adds from several threads without a lock: now and then the scores of many rows are wrong.
    """

    def derive(self) -> None:
        super().derive()
        # Here, since the exporter cannot follow sizes that are read off a tensor.
        counts = torch.bincount(self.segments, minlength=len(self.constants)).tolist()
        columns, coefficients = self.columns.split(counts), self.coefficients.split(counts)
        self._parts = list(zip(columns, coefficients, self.constants, strict=True))

    def _weighted_sums(self, x: Tensor) -> Tensor:
        if not self._parts:
            return super()._weighted_sums(x)
        sums = [
            (x.index_select(-1, c) * w).sum(-1) + start if len(c) else start.expand(x.shape[:-1])
            for c, w, start in self._parts
        ]
        return torch.stack(sums, dim=-1)


def _with_backbone(backbone: nn.Module, head: nn.Module | None, formula: nn.Module) -> nn.Module:
    """A copy of the backbone, on the CPU, with the formula at its end or in the head's place."""
    places = [name for name, module in backbone.named_modules() if module is head and name]
    model = copy.deepcopy(backbone).cpu()
    if not places:
        return nn.Sequential(model, formula)
    for place in places:
        model.set_submodule(place, formula)
    return model


def _batch(example: Tensor | Sequence[int], dtype: torch.dtype) -> Tensor:
    """Two inputs or more: torch's exporter takes a batch of one for a constant."""
    if not isinstance(example, Tensor):
        example = torch.zeros(2, *example)
    if not len(example):
        raise ValueError("the example must hold at least one input, got an empty batch")
    if len(example) == 1:
        example = torch.cat([example, example])
    return example.detach().cpu().to(dtype)


_FORMATS: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    ".py": (_write_python, ("comment",)),
    ".json": (_write_json, ()),
    ".c": (_write_c, ("comment",)),
    ".sql": (_write_sql, ("table", "keep")),
    ".onnx": (export_onnx, ("backbone", "example", "dtype")),
}
