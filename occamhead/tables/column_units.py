"""The units of a table's columns: which formulas they allow, and the units of these's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from occamhead.checks import unknown_name
from occamhead.expression import Expression
from occamhead.expression.unit_check import UnitCheck, check_units
from occamhead.expression.units import Unit, UnitLike
from occamhead.tables.candidates import LINEAR, Candidate

Units: TypeAlias = "Mapping[str, UnitLike] | Sequence[UnitLike]"

# Nats that a number with a unit of its own costs: laws of nature hold without, if the constants of
# nature are among the inputs, and a number that may have any unit lets any inputs be added.
NATS_PER_UNIT = 6.0


@dataclass(frozen=True)
class ColumnUnits:
    """The units of a table's columns.

    Args:
        inputs: Of each input; None where it is not known, and may be any.
        target: Of the target; None as for the inputs.
    """

    inputs: tuple[Unit | None, ...]
    target: Unit | None

    def part(self, inputs: Sequence[int]) -> ColumnUnits:
        """Those of some inputs, and the target's."""
        return ColumnUnits(tuple(self.inputs[place] for place in inputs), self.target)

    def check(self, formula: Expression) -> UnitCheck:
        """What the units of a formula are."""
        return check_units(formula, self.inputs, [self.target])

    def allowed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that respect the units; each is charged for numbers that need units.

        The linear model on all inputs is always allowed: each of its numbers takes its unit.
        """
        kept = []
        for candidate in candidates:
            found = self.check(candidate.formula)
            if found.consistent or candidate.kind == LINEAR:
                nats = candidate.nats + NATS_PER_UNIT * found.needed
                kept.append(replace(candidate, nats=nats, unit_numbers=found.needed))
        return kept

    def numbers(self, formula: Expression) -> list[tuple[float, str]]:
        """The numbers of a formula that have units, and these; in units of the columns."""
        found = self.check(formula).numbers
        return [(value, str(unit)) for value, unit in found if not unit.is_one]

    def told(self, formula: Expression) -> str:
        """What :meth:`numbers` gives, in words."""
        return ", ".join(f"{value:g} {unit}" for value, unit in self.numbers(formula))


def column_units(
    units: Units | None, names: Sequence[str] | None, width: int, target: object
) -> ColumnUnits | None:
    """The units that a user gave.

    Args:
        units: By the names of columns, and of the target or ``"y"``; or one for each column, then
            the target's. None if there are none.
        names: Of the columns; None where they have none, and are called x0, x1, ...
        width: Number of columns.
        target: Name of the target, if it has one.

    Raises:
        ValueError: If a name is unknown, a unit does not parse, or there are not as many units as
            columns and target.
    """
    if units is None:
        return None
    names = [f"x{i}" for i in range(width)] if names is None else [str(name) for name in names]
    called = target if isinstance(target, str) else "y"
    if isinstance(units, str) or not isinstance(units, Mapping | Sequence):
        raise ValueError(f"units must map columns to units, such as {{'x0': 'm'}}, got {units!r}")
    if isinstance(units, Mapping):
        aliases = {called, "y"} - set(names)
        if unknown := [each for each in units if each not in {*names, *aliases}]:
            raise ValueError(f"units: {unknown_name('column', str(unknown[0]), [*names, called])}")
        given = {name: units[name] for name in (*names, *aliases) if name in units}
        listed: list[UnitLike | None] = [given.get(name) for name in names]
        own = next((given[name] for name in aliases if name in given), None)
    else:
        if len(units) != width + 1:
            raise ValueError(
                f"units: wanted one for each of {width} columns, then the target's, got"
                f" {len(units)}"
            )
        listed, own = [*units[:-1]], units[-1]
    found = [
        None if unit is None else _read(name, unit)
        for name, unit in zip([*names, called], [*listed, own], strict=True)
    ]
    return ColumnUnits(tuple(found[:-1]), found[-1])


def _read(name: str, unit: UnitLike) -> Unit:
    try:
        return Unit.of(unit)
    except ValueError as reason:
        raise ValueError(f"units: {name}: {reason}") from reason
