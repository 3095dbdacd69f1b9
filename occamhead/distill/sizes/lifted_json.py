"""Lifted programs as versioned JSON.

Every part of a program is a dataclass, written as an object with its type and its fields. A field
is read by its annotation, so that a file can hold nothing but what the dataclass declares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from occamhead.distill.prove import Certificate
from occamhead.distill.sizes.grid_rules import GridRule, ShareFormulas
from occamhead.distill.sizes.lifted_certificate import LiftedCertificate
from occamhead.distill.sizes.recurrence import Recurrence
from occamhead.distill.sizes.rules import Direction, PairRule, Residue, SizeRule, Steps, SumRule
from occamhead.distill.sizes.size_formulas import Polynomial, Power
from occamhead.distill.spec import Bool, FeatureSpec, Int
from occamhead.expression import Expression
from occamhead.expression.formats.json_format import parsed, sealed

FORMAT, VERSION = "occamhead.lifted", 1

_RULES: Mapping[str, type] = {
    "sum": SumRule,
    "pair": PairRule,
    "recurrence": Recurrence,
    "grid": GridRule,
}
_TYPES: Mapping[str, type] = {
    **_RULES,
    "direction": Direction,
    "steps": Steps,
    "residue": Residue,
    "polynomial": Polynomial,
    "power": Power,
    "family": ShareFormulas,
    "spec": FeatureSpec,
    "int": Int,
    "bool": Bool,
    "lifted": LiftedCertificate,
    "certificate": Certificate,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


def to_json(rule: SizeRule, certificate: LiftedCertificate, text: str) -> str:
    """JSON text; every number is whole. `text` is the program's source."""
    return sealed(
        {
            "format": FORMAT,
            "version": VERSION,
            "text": text.splitlines(),  # for people; not read back
            "rule": _written(rule),
            "certificate": _written(certificate),
        }
    )


def from_json(text: str) -> tuple[SizeRule, LiftedCertificate]:
    """Read a lifted program's parts; ValueError if the text is none, or of an unknown version."""
    data = parsed(text, FORMAT, VERSION, "a lifted program")
    rule = _read(data.get("rule"), SizeRule, "rule")
    return rule, _read(data.get("certificate"), LiftedCertificate, "certificate")


# --- values -----------------------------------------------------------------------------------


def _written(value: Any) -> Any:
    if isinstance(value, Expression):
        return json.loads(value.to_json())
    if is_dataclass(value) and not isinstance(value, type):
        own = {f.name: _written(getattr(value, f.name)) for f in fields(value) if f.init}
        return {"type": _NAMES[type(value)], **own}
    if isinstance(value, Mapping):
        return [[_written(key), _written(item)] for key, item in value.items()]
    return [_written(item) for item in value] if isinstance(value, tuple) else value


def _read(value: Any, hint: Any, place: str) -> Any:
    """A value of the type that a field is annotated with; `place` is where it stands."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is SizeRule:
        return _read_any(value, tuple(_RULES.values()), place)
    if origin in (Union, UnionType):
        return _read_any(value, arguments, place)
    if origin is Literal:
        return _known(value, value in arguments, place, f"one of {', '.join(arguments)}")
    if origin is tuple:
        items = _known(value, isinstance(value, list), place, "a list")
        return tuple(_read(item, arguments[0], f"{place}[{i}]") for i, item in enumerate(items))
    if origin is not None and issubclass(origin, Mapping):
        is_pairs = isinstance(value, list) and all(
            isinstance(pair, list) and len(pair) == 2 for pair in value
        )
        return {
            _read(key, arguments[0], place): _read(item, arguments[1], f"{place}[{key}]")
            for key, item in _known(value, is_pairs, place, "a list of pairs")
        }
    if hint is Expression:
        return Expression.from_json(json.dumps(value))
    if hint in _NAMES:
        return _read_any(value, (hint,), place)
    return _known(value, type(value) is hint, place, f"a value of type {hint.__name__}")


def _read_any(value: Any, hints: tuple[Any, ...], place: str) -> Any:
    """A value of one of some types: the dataclass that it names, a subclass too, or None."""
    if value is None and type(None) in hints:
        return None
    kinds = [hint for hint in hints if hint in _NAMES]
    if not kinds:
        (hint,) = (hint for hint in hints if hint is not type(None))
        return _read(value, hint, place)
    named = _TYPES.get(str(value.get("type"))) if isinstance(value, dict) else None
    is_fit = named is not None and any(issubclass(named, kind) for kind in kinds)
    _known(value, is_fit, place, f"an object of type {' or '.join(_NAMES[k] for k in kinds)}")
    assert named is not None
    hinted = _fields(named)
    given = {name: item for name, item in value.items() if name != "type"}
    if set(given) != set(hinted):
        raise ValueError(
            f"{place} of type {value['type']!r} must have the fields {', '.join(hinted)}, got"
            f" {', '.join(given)}"
        )
    return named(**{n: _read(item, hinted[n], f"{place}.{n}") for n, item in given.items()})


@cache
def _fields(kind: type) -> dict[str, Any]:
    """The annotations of the fields that the constructor takes."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}


def _known(value: Any, is_fit: bool, place: str, wanted: str) -> Any:
    if not is_fit:
        raise ValueError(f"{place} must be {wanted}, got {value!r:.60}")
    return value
