"""The stages of a fit that are done, kept on disk, so that it can go on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from occamhead.expression import Expression
from occamhead.network.bases import get_bases, is_own
from occamhead.saving import NOWHERE, Kept
from occamhead.search.compiling import cpu_seconds
from occamhead.search.result import Result
from occamhead.tables.candidates import Candidate
from occamhead.tables.task import Task

# What a fit does not depend on.
FREE = {"verbose", "n_jobs", "checkpoint", "random_state", "warm_start"}


class Stages:
    """Where the stages of a fit are kept, and what they took.

    Args:
        kept: Where; by default nowhere.

    Attributes:
        began: CPU seconds when the fit began, had it never been stopped.
    """

    def __init__(self, kept: Kept = NOWHERE) -> None:
        self.kept = kept
        self.began = cpu_seconds() - (kept.read("seconds") or 0.0)

    def part(self, name: str) -> Stages:
        """Where one of several fits is kept."""
        return Stages(self.kept.part(name))

    def read(self, name: str) -> Any:
        """What a stage gave; None if it is not done."""
        return self.kept.read(name)

    def write(self, name: str, value: Any) -> None:
        """Keep what a stage gave, and the time until now."""
        if self.kept.keeps:
            self.kept.write(name, value)
            self.kept.write("seconds", cpu_seconds() - self.began)

    def candidates(self, name: str, made: Iterable[Candidate], task: Task) -> Iterator[Candidate]:
        """The candidates of a stage, one after another: read if it is done, else made and kept.

        Args:
            name: Of the stage.
            made: Makes them; each is refitted as `task` says.
            task: What is asked of them.
        """
        if (found := self.read(name)) is not None:
            yield from (_candidate(each, task) for each in found)
            return
        seen = []
        for candidate in made:
            if self.kept.keeps:
                seen.append(_plain(candidate))
            yield candidate
        self.write(name, seen)

    def searched(self, result: Result, since: float) -> None:
        """Count the time that a search had taken before it was stopped.

        Args:
            result: Of the search.
            since: CPU seconds when this process came to it.
        """
        self.began -= max(result.seconds - (cpu_seconds() - since), 0.0)


def _plain(candidate: Candidate) -> dict[str, Any]:
    return {
        "formula": candidate.formula.to_json(),
        "kind": candidate.kind,
        "loss": candidate.loss,
        "nats": candidate.nats,
        "node": candidate.node,
        "exact": candidate.exact,
        "parts": [part.to_json() for part in candidate.parts],
    }


def _candidate(plain: Mapping[str, Any], task: Task) -> Candidate:
    formula = Expression.from_json(plain["formula"])
    return Candidate(
        formula,
        plain["kind"],
        plain["loss"],
        lambda part: task.refit(formula, part),
        plain["nats"],
        plain["node"],
        plain["exact"],
        parts=tuple(map(Expression.from_json, plain["parts"])),
    )


def about(parameters: Mapping[str, Any]) -> dict[str, str]:
    """What a fit depends on, of the parameters of an estimator, as text by name."""
    found = {name: _text(value) for name, value in parameters.items() if name not in FREE}
    own = [basis for basis in get_bases(parameters["bases"]) if is_own(basis)]
    return {**found, "own bases": _text([[b.name, b.formula, b.start] for b in own])}


def _text(value: Any) -> str:
    """As ``repr``, but the same in every process, and for lists and tuples."""
    if isinstance(value, Expression):
        return value.to_json()
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_text(k)}: {_text(v)}' for k, v in value.items())}}}"
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return f"[{', '.join(map(_text, value))}]"
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)


__all__ = ["Stages", "about"]
