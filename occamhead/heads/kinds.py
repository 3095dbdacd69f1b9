"""The kinds of heads, by name."""

from __future__ import annotations

from typing import Any

from occamhead.heads.base import SymbolicHead
from occamhead.heads.occam import OccamHead

KINDS = (OccamHead.kind, "essence")


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
    if kind == OccamHead.kind:
        return OccamHead(in_features, out_features, **options)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    # It loads scipy, which those who have the other kind need not wait for.
    from occamhead.heads.essence import EssenceHead

    return EssenceHead(in_features, out_features, **options)
