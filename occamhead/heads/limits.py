"""Which features a formula may read, has to read, and with which sign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from occamhead.checks import unknown_name

SIGNS = {"+": 1, "-": -1, "\N{MINUS SIGN}": -1}


@dataclass(frozen=True)
class Limits:
    """What the sums of a head are held to.

    Args:
        drop: Features that are not read.
        keep: The only features that may be read; None allows all.
        force: Features that are read in any case, in ascending order.
        sign: Feature, class and sign: 1 or -1 for what the feature says for the class.
    """

    drop: frozenset[int] = frozenset()
    keep: frozenset[int] | None = None
    force: tuple[int, ...] = ()
    sign: tuple[tuple[int, int, int], ...] = ()

    def allowed(self, features: int) -> list[int] | None:
        """The features that may be read, in ascending order; None if all may.

        Args:
            features: How many there are.
        """
        if not self.drop and self.keep is None:
            return None
        kept = range(features) if self.keep is None else sorted(self.keep)
        return [feature for feature in kept if feature not in self.drop]

    def and_also(self, others: Limits) -> Limits:
        """These limits and others; where they contradict each other, the others hold.

        A feature that is forced after it was dropped may be read again.
        """
        keep = self.keep if others.keep is None else others.keep
        force = {*self.force, *others.force} - others.drop
        if others.keep is not None:
            force &= {*others.keep, *others.force}
        elif keep is not None:
            keep |= frozenset(others.force)
        signs = {(f, label): sign for f, label, sign in (*self.sign, *others.sign)}
        return Limits(
            (self.drop - frozenset(others.force)) | others.drop,
            keep,
            tuple(sorted(force)),
            tuple((f, label, sign) for (f, label), sign in signs.items()),
        )


def limits_of(
    features: int,
    names: Any = None,
    classes: Sequence[str] | int = 2,
    *,
    drop: Iterable[Any] = (),
    keep: Iterable[Any] | None = None,
    sign: Mapping[Any, Any] | None = None,
    force: Iterable[Any] = (),
) -> Limits:
    """Limits as a person gives them.

    Args:
        features: How many there are.
        names: What the features are called, if anything; see :func:`feature_number`.
        classes: Names of the classes, or how many there are.
        drop, keep, sign, force: See :meth:`occamhead.heads.base.SymbolicHead.edit`.

    Raises:
        ValueError: If there is no such feature, class or sign, or they contradict each other.
    """

    def numbers(given: Iterable[Any]) -> frozenset[int]:
        each = [given] if isinstance(given, (int, str)) else given
        return frozenset(feature_number(key, features, names) for key in each)

    limits = Limits(
        numbers(drop),
        None if keep is None else numbers(keep),
        tuple(sorted(numbers(force))),
        tuple(
            (feature_number(key, features, names), label, number)
            for key, value in (sign or {}).items()
            for label, number in _signs(key, value, classes)
        ),
    )
    if both := limits.drop & set(limits.force):
        raise ValueError(f"feature {min(both)} is in drop and in force; leave it out of one")
    if limits.keep is not None and (other := set(limits.force) - limits.keep):
        raise ValueError(f"feature {min(other)} is in force but not in keep; add it there")
    if limits.keep is not None and limits.drop:
        raise ValueError("drop and keep both say which features may be read; give one of them")
    if limits.keep == frozenset() or len(limits.drop) == features:
        raise ValueError("no feature is left to read; drop fewer, or keep one")
    return limits


def feature_number(key: Any, features: int, names: Any = None) -> int:
    """The number of a feature that is given by number or by name.

    Args:
        key: A number from 0, a name, or, as formulas print them, "x857".
        features: How many features there are.
        names: A name for each feature, or for some by number.

    Raises:
        ValueError: If there is no such feature.
    """
    number = key
    if isinstance(key, str):
        known = names.items() if isinstance(names, Mapping) else enumerate(names or ())
        called = {name: number for number, name in known}
        if key in called:
            number = called[key]
        elif key[:1] == "x" and key[1:].isdigit():
            number = int(key[1:])
        else:
            raise ValueError(
                unknown_name("feature", key, called)
                if called
                else f"the features have no names, so there is no {key!r}; give numbers, as 857"
            )
    try:
        found = number.__index__()
    except AttributeError:
        raise ValueError(f"wanted the number or name of a feature, got {key!r}") from None
    if not 0 <= found < features:
        raise ValueError(f"wanted a feature from 0 to {features - 1}, got {key!r}")
    return int(found)


def _signs(key: Any, value: Any, classes: Sequence[str] | int) -> list[tuple[int, int]]:
    """Class and sign for each sign that is asked of a feature."""
    count = classes if isinstance(classes, int) else len(classes)
    if not isinstance(value, Mapping):
        if count != 2:
            raise ValueError(
                f"sign: of {count} classes each has a coefficient of its own; name the class, as"
                f" {{{key!r}: {{{_first(classes)!r}: {value!r}}}}}"
            )
        value = {1: value}
    found = []
    for label, sign in value.items():
        if sign not in SIGNS:
            raise ValueError(f"sign: wanted '+' or '-' for feature {key!r}, got {sign!r}")
        number = label
        if isinstance(label, str):
            named = [] if isinstance(classes, int) else list(classes)
            if label not in named:
                raise ValueError(f"sign: {unknown_name('class', label, named)}")
            number = named.index(label)
        if not 0 <= number < count:
            raise ValueError(f"sign: wanted a class from 0 to {count - 1}, got {label!r}")
        found.append((number, SIGNS[sign]))
    return found


def _first(classes: Sequence[str] | int) -> str | int:
    return 0 if isinstance(classes, int) else classes[0]
