"""The rule that runs one step along a list of any length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from occamhead.distill.programs import source
from occamhead.distill.prove import classes_of
from occamhead.distill.sizes.rules import Answer, class_node, slices
from occamhead.distill.spec import FeatureSpec
from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.formats.program_names import is_free

_TAKEN = {"x", "m", "found", "step", "put_out", "len", "zip"}


@dataclass(frozen=True)
class Recurrence:
    """A step that runs along the list, from the first entry to the last, and hands on a state.

    The list is cut into equal parts, and step i reads entry i of each of them. The state is 0 at
    the start; the answer is what every step puts out, and then the last state.

    Args:
        output, state: What a step puts out and what it hands on, of the entries and the state.
        spec: The inputs of both, of which the last is the state.
    """

    output: Expression
    state: Expression
    spec: FeatureSpec

    def __post_init__(self) -> None:
        free = all(is_free(name, _TAKEN) for name in self.spec.names)
        if self.spec.num_inputs < 2 or not free:
            raise ValueError(
                "a step reads at least one entry and the state, under Python names that its"
                f" program does not use itself, got {', '.join(self.spec.names)}; rename them"
            )

        widths = {self.output.num_inputs, self.state.num_inputs, self.spec.num_inputs}
        if len(widths) > 1:
            raise ValueError(
                f"both programs of a step take the inputs of its spec, got {sorted(widths)} inputs"
            )

    @property
    def parts(self) -> int:
        return self.spec.num_inputs - 1

    def value(self, x: Sequence[int]) -> Answer:
        m = len(x) // self.parts
        known: dict[tuple[int, ...], tuple[int, int]] = {}  # steps are few, lists are long
        found, state = [], 0
        for i in range(m):
            step = (*x[i::m], state)
            if step not in known:
                row = np.array([step])
                known[step] = (
                    int(classes_of(self.output, row)[0]),
                    int(classes_of(self.state, row)[0]),
                )
            put_out, state = known[step]
            found.append(put_out)
        return [*found, state]

    def at(self, size: int) -> Expression:
        builder, m = ExpressionBuilder(), size // self.parts
        found, state = [], builder.constant(0)
        for i in range(m):
            step = [*(builder.input(k) for k in range(i, size, m)), state]
            put_out, state = (
                class_node(builder, builder.copy(program, step))
                for program in (self.output, self.state)
            )
            found.append(put_out)
        return builder.build([*found, state], size)

    def lines(self) -> list[str]:
        *names, state = self.spec.names
        parts = self.parts
        entries = f"zip({slices(parts)})" if parts > 1 else "x"
        return [
            *_function("put_out", self.output, self.spec),
            *_function(f"next_{state}", self.state, self.spec),
            *([f"m = len(x) // {parts}"] if parts > 1 else []),
            f"found, {state} = [], 0",
            f"for {', '.join(names)} in {entries}:",
            f"    step = [{', '.join(self.spec.names)}]",
            "    found.append(put_out(step))",
            f"    {state} = next_{state}(step)",
            f"return [*found, {state}]",
        ]


def _function(name: str, program: Expression, spec: FeatureSpec) -> list[str]:
    """The program as a function of the step x."""
    _, body = source(program, spec).split('"""\n', 1)
    return [f"def {name}(x):", *body.rstrip("\n").split("\n")]
