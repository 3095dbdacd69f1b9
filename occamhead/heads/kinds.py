"""The kinds of heads, by name."""

from __future__ import annotations

from typing import Any

from occamhead.heads.base import SymbolicHead, head_class


def build_head(kind: str, in_features: int, out_features: int, **options: Any) -> SymbolicHead:
    """A new head.

    Args:
        kind: "occam" for an :class:`occamhead.OccamHead`, "essence" for an
            :class:`occamhead.heads.essence.EssenceHead`.
        in_features: Number of features.
        out_features: Number of classes.
        **options: Further arguments of the head.

    Raises:
        ValueError: If the kind is not known.
    """
    return head_class(kind)(in_features, out_features, **options)  # type: ignore[arg-type]
