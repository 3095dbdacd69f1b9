"""Which form to trust of those that were found for several groups of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.saving.content import content_digest
from occamhead.tables.group_forms import FLOOR
from occamhead.tables.group_numbers import Shared, Together
from occamhead.tables.parallel import side_by_side
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows
from occamhead.tables.stages import Stages

Array: TypeAlias = NDArray[np.float64]

# Forms that held-out rows judge; folds.
JUDGED_FORMS, FOLDS = 5, 5
# Held-out rows speak against a form that is worse than the best by so many standard errors.
CLEARLY = 2.0
# A share of the held-out loss that is no difference: two spellings of one form.
SAME = 1e-3


@dataclass(frozen=True)
class Form:
    """A form with its numbers, and how it was judged.

    Args:
        shared: It.
        kind: Where it comes from.
        length: Of its description of the rows, nats.
        held_out: Mean loss of held-out rows; NaN where they were not asked.
    """

    shared: Shared
    kind: str
    length: float
    held_out: float = math.nan

    def plain(self) -> dict[str, Any]:
        """As plain values; see :meth:`of`."""
        return {
            "formula": self.shared.formula.to_json(),
            "numbers": self.shared.numbers.tolist(),
            "own": list(map(int, self.shared.own)),
            "common": list(map(int, self.shared.common)),
            "loss": float(self.shared.loss),
            "kind": self.kind,
            "length": float(self.length),
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Form:
        """The form of plain values."""
        formula, numbers = Expression.from_json(plain["formula"]), np.array(plain["numbers"])
        places = tuple(plain["own"]), tuple(plain["common"])
        shared = Shared(formula, numbers.reshape(len(numbers), -1), *places, plain["loss"])
        return cls(shared, plain["kind"], plain["length"])


def choose_form(
    forms: Sequence[Form],
    parts: Sequence[SortedRows],
    variance: float,
    seed: int,
    settings: TableSettings,
    stages: Stages,
) -> list[Form]:
    """The forms, the chosen one first.

    That is the shortest description of those whose held-out rows are not clearly worse than the
    best's: by more than two standard errors of the mean difference.

    Args:
        forms: To choose from.
        parts: The rows of each group; weights of all together sum to 1.
        variance: Of the targets.
        seed: Of the folds.
        settings: In how many processes forms are judged.
        stages: Where what held-out rows say is kept.
    """
    forms = sorted(forms, key=lambda form: form.length)
    random = np.random.default_rng(seed)
    folds = [random.permutation(len(part.x)) % FOLDS for part in parts]
    floor = FLOOR**2 * variance
    names, losses = [], []
    for form in forms[:JUDGED_FORMS]:
        names.append(f"held-out rows of {content_digest(form.plain())[:16]}")
        losses.append(stages.read(names[-1]))
    missing = [place for place, each in enumerate(losses) if each is None]
    calls = (partial(_held_out, forms[place].shared, parts, folds) for place in missing)
    for place, each in zip(missing, side_by_side(calls, settings.processes), strict=True):
        losses[place] = {"losses": torch.from_numpy(each)}
        stages.write(names[place], losses[place])
    losses = [np.maximum(each["losses"].numpy(), floor) for each in losses]
    weights = np.concatenate([part.weights for part in parts])
    means = [float(weights @ each) for each in losses]
    best = int(np.argmin(means))
    chosen = 0
    for place, each in enumerate(losses):
        difference = each - losses[best]
        mean = float(weights @ difference)
        error = math.sqrt(float(weights**2 @ (difference - mean) ** 2))
        if mean <= max(CLEARLY * error, SAME * means[best]):
            chosen = place
            break
    judged = [replace(f, held_out=m) for f, m in zip(forms, means, strict=False)]
    judged += forms[len(judged) :]
    return [judged[chosen], *judged[:chosen], *judged[chosen + 1 :]]


def _held_out(shared: Shared, parts: Sequence[SortedRows], folds: list[NDArray[np.intp]]) -> Array:
    """Loss of each row under numbers of the other folds, groups one after another."""
    found = [np.zeros(len(part.x)) for part in parts]
    for fold in range(FOLDS):
        kept = [
            replace(part, weights=np.where(own != fold, part.weights, 0.0))
            for part, own in zip(parts, folds, strict=True)
        ]
        made = Together(shared.formula, kept).fit(shared.numbers, shared.own, shared.common)
        for group, (part, own) in enumerate(zip(parts, folds, strict=True)):
            held = own == fold
            with np.errstate(all="ignore"):
                values = made.of(group)(part.x[held])[:, 0]
                squares = (values - part.targets[held, 0]) ** 2
            found[group][held] = np.nan_to_num(squares, nan=1e300, posinf=1e300)
    return np.concatenate(found)
