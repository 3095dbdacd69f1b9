"""Estimators that another process can unpickle, with bases of a user's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from occamhead.network.bases import BASES, get_basis, is_own


class PicklesOwnBases:
    """What is pickled holds the user's own bases among `bases`, which register themselves."""

    bases: str | Sequence[str]

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: bases of a user's own too, which another process may not know."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[misc]
        own = [name for name in self.bases if isinstance(name, str) and name in BASES]
        own += [self.bases] if isinstance(self.bases, str) and self.bases in BASES else []
        if found := [basis for basis in map(get_basis, own) if is_own(basis)]:
            state["_own_bases"] = found
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        # They are known here since they were unpickled.
        state.pop("_own_bases", None)
        super().__setstate__(state)  # type: ignore[misc]
