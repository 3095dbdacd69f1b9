"""The functions among which a search looks."""

from __future__ import annotations

from dataclasses import dataclass

from occamhead.network.layout import Layout


@dataclass(frozen=True)
class Space:
    """The functions that a network can spell; nothing here says how probable each is.

    Args:
        layout: Shape of each group.
        groups: Blocks that share the inputs and nothing else.
        constants: The constants that stand among the inputs, one per ``layout.num_constants``.
    """

    layout: Layout
    groups: int
    constants: tuple[float, ...]

    @property
    def num_outputs(self) -> int:
        """Outputs of all groups."""
        return self.groups * self.layout.num_outputs
