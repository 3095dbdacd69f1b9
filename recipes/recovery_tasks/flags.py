"""The flags of `recipes.recovery` that argparse has no type for."""

from __future__ import annotations

import argparse
import math
from typing import Any

import yaml


def noise(text: str) -> float:
    """A share of the target's size: finite and not negative."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"noise must be finite and not negative, got {text!r}")
    return value


def option(text: str) -> tuple[str, Any]:
    """A parameter and its value, which is read as YAML: ``depth=5``."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"wanted NAME=VALUE, such as depth=5, got {text!r}")
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as reason:
        raise argparse.ArgumentTypeError(f"the value of {text!r} is no YAML") from reason
