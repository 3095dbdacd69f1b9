"""What can be asked of ``occamhead``; said before anything that takes long to load is loaded."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from occamhead.commands.flags import add_out, direction, positive, positive_seconds
from occamhead.commands.output import visible
from occamhead.version import __version__

USAGE = 2
"""The exit code of a command that cannot be read; 1 is that of data that cannot be used."""


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        if unknown := re.match(r"argument COMMAND: invalid choice: '(.*?)' \(choose", message):
            near = difflib.get_close_matches(unknown[1], COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
            message = f"no command {unknown[1]!r}; {hint}"
        self.exit(USAGE, visible(f"{self.prog}: {message} (see {self.prog} --help)\n"))


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help that fits a screen of 24 lines of 80 columns."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=27, width=80)

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        if action.nargs == "+" and isinstance(action.metavar, str):
            return f"{action.metavar} ..."
        return super()._format_args(action, default_metavar)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it gives knows its `command`."""
    parser = Parser(
        "occamhead",
        usage="occamhead COMMAND ...",
        description="Rules that a person can read, in place of what nobody can.",
        epilog="example: occamhead photos pets --max-features 4\n"
        "occamhead COMMAND --help says more of each.",
        formatter_class=_Help,
    )
    parser.add_argument("--version", action="version", version=f"occamhead {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", parser_class=Parser, prog="occamhead"
    )
    for name, (add, usage, about, more, example) in COMMANDS.items():
        own = commands.add_parser(
            name,
            usage=f"occamhead {name} {usage}",
            help=about,
            description=f"{about[0].upper()}{about[1:]}.\n{more}",
            epilog=f"example: {example}",
            formatter_class=_Help,
        )
        add(own)
    return parser


def _photos(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="FOLDER", help=argparse.SUPPRESS)
    add("--max-features", type=positive, metavar="N",
        help="of the rule; default: as few as do well")  # fmt: skip
    add("--classes", nargs="+", metavar="NAME", help="class folders to use; default: all")
    add("--class-weight", choices=("balanced",), metavar="balanced",
        help="where one class is rare")  # fmt: skip
    add("--names", metavar="FILE", help="of features: an edited names.yaml of another run")
    add("--features", metavar="FILE", help="NAME_train.npz, made before; FOLDER or .tar: pictures")
    add("--per-class", type=positive, metavar="N", help="features of a class in the mean; for many")
    add("--backbone", metavar="NAME", help="reads the photographs; default resnet50")
    add("--weights", metavar="FILE", help="its weights; default: torchvision's, downloaded")
    add("--seed", type=int, default=0, metavar="N", help="of the split; default 0")
    add("--save-model", action="store_true", help="also write backbone and rule as one file")
    add("--cache", metavar="DIR", help="of features; default ~/.cache/occamhead/features")
    _add_common(parser, "photos")


def _law(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE.csv", type=Path, help=argparse.SUPPRESS)
    add("--target", required=True, metavar="COLUMN", help="the column to find a formula for")
    add("--inputs", nargs="+", metavar="COLUMN", help="columns it may use; default: all others")
    add("--units", type=Path, metavar="FILE", help="YAML with a line `column: unit` each, such as"
        " `v: m/s`")  # fmt: skip
    add("--guess", nargs="+", metavar="FORMULA", help="formulas over the columns to start from")
    add("--template", metavar="FORM", help="known form, such as `sin(f(a, b)) + g(c)`")
    add("--monotone", nargs="+", metavar="C=WAY", type=direction, help="columns with which it is"
        " increasing, decreasing")  # fmt: skip
    add("--bounds", nargs=2, metavar=("LOW", "HIGH"), type=float, help="least and largest value,"
        " or -inf, inf")  # fmt: skip
    add("--seconds", type=positive_seconds, metavar="S", help="CPU seconds to search for; default:"
        " 200,000 formulas")  # fmt: skip
    add("--max-complexity", type=positive, metavar="N",
        help="most nodes and numbers; default 30, of classes 25")  # fmt: skip
    add("--classes", action="store_true", help="numbers in the column are names of classes, as"
        " words are")  # fmt: skip
    add("--seed", type=int, default=0, metavar="N", help="of the search; default 0")
    _add_common(parser, "law")


def _distill(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help=argparse.SUPPRESS)
    add("--target", metavar="COLUMN", help="of a table: the column of the classes")
    add("--inputs", nargs="+", metavar="COLUMN", help="columns to use; default: all others")
    add("--rows", type=Path, metavar="FILE.csv", help="of a model: the inputs to ask it about")
    add("--seed", type=int, default=0, metavar="N", help="of the rows held out; default 0")
    _add_common(parser, "distill")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-features", type=positive, default=8, metavar="N",
                        help="most pixels of the rule; default 8")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    _add_common(parser, "demo")


def _train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rest", nargs="+", metavar="(fit | ...)", help=argparse.SUPPRESS)


def _add_common(parser: argparse.ArgumentParser, name: str) -> None:
    add_out(parser, name)
    parser.add_argument("--traceback", action="store_true", help="say where an error came from")


Adder = Callable[[argparse.ArgumentParser], None]

# Of each command: its flags, how it is called, what it does, more of that, an example.
COMMANDS: dict[str, tuple[Adder, str, str, str, str]] = {
    "photos": (
        _photos,
        "FOLDER [options]",
        "tell classes of photographs apart by a short rule",
        "FOLDER has a folder of photographs per class, or train/ and val/ with these.",
        "occamhead photos pets --max-features 4",
    ),
    "law": (
        _law,
        "FILE.csv --target COLUMN [options]",
        "find the formula behind a column of a table",
        "The columns are numbers below a line of names; held-out rows choose the formula.",
        "occamhead law pendulum.csv --target period --seconds 20",
    ),
    "distill": (
        _distill,
        "(FILE.csv --target COLUMN | MODEL --rows FILE.csv)",
        "write a table's classes, or a model's answers, as a program",
        "MODEL is a file of TorchScript, or of a head's own save; no pickle is opened.\n"
        "Inputs of few whole numbers give a short program with a certificate, other\n"
        "numbers a formula per class; the share of held-out rows that agree is said.",
        "occamhead distill loans.csv --target granted",
    ),
    "demo": (
        _demo,
        "[options]",
        "a first look, in seconds, on pictures that pip installed",
        "Handwritten digits told apart by a few pixels, and a page that explains how.",
        "occamhead demo",
    ),
    "train": (
        _train,
        "(fit | validate | test | predict) [Lightning's flags]",
        "Lightning's command line, for configurations in YAML",
        "All flags are those of LightningCLI: occamhead train fit --help lists them.",
        "occamhead train fit --config configs/mnist_pixels.yaml",
    ),
}
LIGHTNING = ("fit", "validate", "test", "predict")


def for_lightning(words: Sequence[str]) -> Sequence[str] | None:
    """What Lightning is to read, if it is asked: ``fit ...`` without ``train`` is understood too.

    Its flags are not ours, so they do not pass through our parser.
    """
    if words[:1] == ["train"] and words[1:] not in ([], ["-h"], ["--help"]):
        return words[1:]
    return words if words and words[0] not in COMMANDS and {*words} & {*LIGHTNING} else None
