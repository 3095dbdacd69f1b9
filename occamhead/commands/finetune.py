"""``--mode finetune``: its flags, and the schedule that they make."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from occamhead.training.finetune import FineTuned, Schedule

FACTS = ("epochs", "unfreeze", "backbone_rate", "rate_decay", "renew", "reselect")


def add_arguments(parser: argparse.ArgumentParser, positive: Callable[[str], int]) -> None:
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


def schedule_of(args: argparse.Namespace) -> Schedule:
    return Schedule(**{name: getattr(args, name) for name in FACTS}, seed=args.seed)


def facts_of(tuned: FineTuned, args: argparse.Namespace) -> dict[str, Any]:
    """For results.json: how the backbone was trained, and how features and formulas moved."""
    return {**{name: getattr(args, name) for name in FACTS}, **tuned.facts}
