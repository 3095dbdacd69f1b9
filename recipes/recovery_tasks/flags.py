"""The flags of `recipes.recovery`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from occamhead.commands.flags import positive, positive_seconds
from recipes.shared.flags import recipe_parser

SUITES = ("fastsrb", "feynman", "nguyen", "keijzer", "korns", "livermore", "jin", "strogatz",
          "class", "firstprinciples", "study", "noisy")  # fmt: skip
PEERS = ("hroch", "eggp")
METHODS = ("occamhead", "pyoperon", "gplearn", "ridge", *PEERS)


def parsed(
    description: str | None, argv: Sequence[str] | None
) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser, for what is wrong beyond it, and the arguments."""
    parser = recipe_parser("recovery", description)
    add = parser.add_argument
    suites = [suite for suite in SUITES if suite != "class"]
    add("--suite", nargs="+", choices=suites, default=["study"], help="of occamhead.problems")
    add("--methods", nargs="+", choices=METHODS, default=["occamhead"], help="in this order")
    add("--seconds", type=positive_seconds, default=10.0, help="most CPU seconds of each fit")
    add("--draws", type=positive, default=1, help="samples of each law, seeded 0, 1, ...")
    add("--noise", type=noise, default=0.0, help="relative to what --noise-of says")
    add("--noise-of", choices=["rms", "value"], default="rms",
        help="the target's root mean square, or each of its values")  # fmt: skip
    add("--only", nargs="+", metavar="NAME", help="only these laws")
    add("--every", type=positive, default=1, metavar="N", help="only every Nth law")
    add("--option", nargs="+", type=option, default=[], metavar="NAME=VALUE",
        help="of OccamRegressor")  # fmt: skip
    add("--units", action="store_true", help="tell occamhead the units, where they are published")
    for peer in PEERS:
        add(f"--{peer}-python", type=Path, help=f"interpreter of an environment that has {peer}")
    return parser, parser.parse_args(argv)


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
    import yaml

    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as reason:
        raise argparse.ArgumentTypeError(f"the value of {text!r} is no YAML") from reason
