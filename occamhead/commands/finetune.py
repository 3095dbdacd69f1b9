"""``--mode finetune``: its flags, and the schedule that they make."""

from __future__ import annotations

import argparse
from typing import Any

from occamhead.training.finetune import FineTuned, Schedule

FACTS = ("epochs", "unfreeze", "backbone_rate", "rate_decay", "renew", "reselect")


def schedule_of(args: argparse.Namespace) -> Schedule:
    return Schedule(**{name: getattr(args, name) for name in FACTS}, seed=args.seed)


def facts_of(tuned: FineTuned, args: argparse.Namespace) -> dict[str, Any]:
    """For results.json: how the backbone was trained, and how features and formulas moved."""
    return {**{name: getattr(args, name) for name in FACTS}, **tuned.facts}
