"""The flags of a run on pictures; nothing that takes long to load is needed to say them."""

from __future__ import annotations

import argparse

from occamhead.commands.flags import add_backbone, positive
from occamhead.commands.results import MODEL


def add_image_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that every image recipe has."""
    add = parser.add_argument
    add(
        "--mode",
        choices=("path", "backprop", "evolution", "backprop+evolution", "finetune"),
        default="path",
        help="fit formulas of several sizes and choose one, the default; train the head on frozen"
        " features by backprop, by evolution, or by one after the other; or also train the"
        " backbone",
    )
    add("--data", help="folder of the data; also looked for below $OCCAMHEAD_DATA")
    add_backbone(parser)
    add("--seed", type=int, default=0)
    add("--report", action="store_true", help="also write report.html: the formulas explained")
    add("--names", metavar="FILE", help="names of features, as names.yaml of another run has them")
    add(
        "--max-features",
        type=positive,
        help="most features in all formulas together; default: as few as are good enough, by the"
        " one-standard-error rule on held-out rows; with --mode backprop 40, 64 of pixels",
    )
    parser.set_defaults(usual_features=40)
    add("--terms", type=positive, default=20, help="most features in one formula")
    add(
        "--class-weight",
        choices=("balanced",),
        help="count the rows of rare classes more, so that all classes weigh alike",
    )
    add(
        "--restarts",
        type=positive,
        help="networks trained side by side in each round, default 8; or searches, default 4",
    )
    add(
        "--steps",
        type=positive,
        help="optimiser steps of each round, default 8 epochs, at least 300; or steps of each"
        " search, default 300",
    )
    add("--accelerator", default="auto", help="Lightning's: cpu, gpu, auto, ...")
    add("--devices", type=devices, default=1, help="Lightning's: a number of devices, or auto")
    add("--strategy", default="auto", help="Lightning's: ddp, ...")
    add("--precision", default="32-true", help="Lightning's: 32-true, bf16-mixed, ...")
    add(
        "--save-model",
        action=argparse.BooleanOptionalAction,
        help=f"write backbone and formulas as one file, {MODEL}; by default where the"
        " backbone was fine-tuned",
    )
    _add_path(parser)
    _add_finetune(parser)


def devices(text: str) -> int | str:
    """Lightning's number of devices, or auto."""
    return text if text == "auto" else int(text)


def _add_path(parser: argparse.ArgumentParser) -> None:
    """The flags of ``--mode path``."""
    group = parser.add_argument_group("--mode path")
    add = group.add_argument
    add(
        "--budgets",
        nargs="+",
        type=positive,
        default=[1, 2, 4, 8, 16, 32],
        metavar="COUNT",
        help="most features of each formula fitted; default 1 2 4 8 16 32",
    )
    add(
        "--per-class",
        action="store_true",
        help="let budgets count the features of a class: the mean, or with nodes the most",
    )
    add(
        "--shared",
        type=positive,
        metavar="COUNT",
        help="with --per-class: most features that the sums of all classes read in all",
    )
    add(
        "--weights-of-sums",
        choices=("real", "ternary", "binary", "ternary-by-class", "binary-by-class"),
        default="real",
        help="with --per-class: ternary for sums of features that speak for or against a class,"
        " with one number for all weights; binary for those that speak for it alone; by-class: with"
        " one for each class; default real",
    )
    add(
        "--nodes",
        type=positive,
        default=0,
        help="make each class's score a sum of this many max(sum of features, 0); default: a sum"
        " of features",
    )
    add("--node-terms", type=positive, default=16, help="most features of a node, default 16")


def _add_finetune(parser: argparse.ArgumentParser) -> None:
    """The flags of --mode finetune."""
    add = parser.add_argument_group("--mode finetune").add_argument
    add("--epochs", type=positive, default=3, help="epochs of fine-tuning; default 3")
    add(
        "--unfreeze",
        type=int,
        nargs="+",
        default=[0],
        metavar="EPOCH",
        help="epoch from which the backbone's last stage trains, that of the stage before it, and"
        " so on; by default the last stage alone trains, from the start",
    )
    add(
        "--backbone-rate",
        type=float,
        default=1e-4,
        help="learning rate of the last stage; default 1e-4",
    )
    add("--rate-decay", type=float, default=0.3, help="factor of the rate per stage; default 0.3")
    add(
        "--renew",
        type=positive,
        default=1,
        metavar="EPOCHS",
        help="fit the formula's numbers to the drifting features so often; default 1",
    )
    add(
        "--reselect",
        action="store_true",
        help="let the final formula choose its features anew, among those of the tuned backbone",
    )
