"""The rows of `recipes.nec`: features of 200 classes of photographs, MNIST, or digits' pixels."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from occamhead.commands.backbone import backbone_of
from occamhead.commands.output import say
from occamhead.rows.arrays import LabelledArrays
from occamhead.vision import Backbone, find, stored_features
from recipes.features.splits import read as read_pictures
from recipes.features.splits import small_digits

TINY = "tiny200/features_resnet50_128_train.npz"
SEEN = (
    "the backbone has seen ImageNet's photographs, of which these are: compare heads, and do not"
    " read the figures as what it makes of photographs that are new to it"
)


def backbone_for(args: argparse.Namespace) -> Backbone | None:
    """What pictures are read by; None for features that are there already, and for pixels."""
    if args.pixels or args.features or args.data in ("tiny200", "digits", None):
        return None
    return backbone_of(args)


def read(args: argparse.Namespace, backbone: Backbone | None, seed: int) -> LabelledArrays:
    """The split of one seed; the data's own test rows are those of every seed.

    Args:
        args: The flags.
        backbone: See :func:`backbone_for`.
        seed: Decides which rows validate.

    Raises:
        ValueError: If there are fewer than three classes, or a budget is above the features.
    """
    if args.features or args.data == "tiny200":
        rows = stored_features(args.features or TINY, seed=seed)
    elif args.data in ("digits", None):
        if args.data is None:
            say("no --data: scikit-learn's digits of 8 x 8 pixels")
        rows = small_digits(seed)
    else:
        if args.data != "mnist" and not args.classes:
            folder = find(args.data, "photographs") / "train"
            args.classes = sorted(each.name for each in folder.iterdir() if each.is_dir())
        rows = read_pictures(args, backbone, seed)
    if len(rows.classes) < 3:
        raise ValueError(
            f"{rows.description}: wanted three classes or more, got {len(rows.classes)}; two are"
            " compared by python -m recipes.compare_heads"
        )
    check_budgets(args.budgets, rows.train[0].shape[1])
    return rows


def check_budgets(budgets: Sequence[int], features: int) -> None:
    """Raise ValueError if a class is to read more features than there are."""
    if max(budgets) > features:
        raise ValueError(
            f"budgets: wanted at most {features} features of a class, as many as the rows have, got"
            f" {max(budgets)}"
        )


def notice(args: argparse.Namespace, backbone: Backbone | None) -> str | None:
    """What is to be said beside each figure."""
    if backbone is not None:
        return backbone.notice
    return SEEN if args.data == "tiny200" else None
