"""At which sizes a lifted program is known to be right, and what was proven there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from occamhead.distill.prove import Certificate
from occamhead.distill.spec import Int


@dataclass(frozen=True)
class LiftedCertificate:
    """At which sizes a lifted program is right; beyond them it is a conjecture.

    Args:
        fitted: By size, how many rows it was fitted to; none for a step that was learned by itself.
        checked: By held-out size, how many rows it was right on.
        refuted: Shorter programs that were right at the fitted sizes and wrong at a held-out one.
        proofs: By size, what came of comparing the program with the network that was learned
            there, one certificate per output.
        domain: What an entry of a list was in the proofs; None for any number.
    """

    fitted: Mapping[int, int]
    checked: Mapping[int, int]
    refuted: int = 0
    proofs: Mapping[int, tuple[Certificate, ...]] = field(default_factory=dict)
    domain: Int | None = None
    kind: Literal["lifted"] = "lifted"

    @property
    def proved(self) -> tuple[int, ...]:
        """The sizes at which the program is proven to equal the network learned there."""
        return tuple(n for n, own in self.proofs.items() if all(one.lossless for one in own))

    @property
    def lossless(self) -> bool:
        """Never: no network is there at other sizes to be equal to."""
        return False

    def __str__(self) -> str:
        origin = f"size {_listed(self.fitted)}" if self.fitted else "one step"
        claims = [f"lifted from {origin}", f"right at held-out size {_listed(self.checked)}"]
        if self.proved:
            sizes = ", ".join(map(str, self.proved))
            ends = f" (entries {self.domain.low} to {self.domain.high})" if self.domain else ""
            claims.append(f"proved equal to the network of size {sizes}{ends}")
        for n, own in self.proofs.items():
            wrong, cells = (sum(getattr(one, part) for one in own) for part in ("wrong", "cells"))
            if wrong:
                claims.append(f"not the network of size {n} ({wrong} of {cells} cells differ)")
            elif n not in self.proved:
                drawn = f"on {cells} drawn inputs" if cells else "on no input: it was not compared"
                claims.append(f"equal to the network of size {n} {drawn}")
        return f"{', '.join(claims)}; a conjecture at others"


def _listed(rows: Mapping[int, int]) -> str:
    return ", ".join(f"{size} ({count} rows)" for size, count in rows.items())
