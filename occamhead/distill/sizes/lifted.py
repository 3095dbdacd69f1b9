"""A program for every size as an object: run it, print it, store it, unroll it at one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from occamhead.distill.sizes.lifted_certificate import LiftedCertificate
from occamhead.distill.sizes.lifted_json import from_json, to_json
from occamhead.distill.sizes.rules import Answer, SizeRule
from occamhead.expression import Expression


@dataclass(frozen=True)
class Lifted:
    """A program for flat lists of any length, and what is known of it."""

    rule: SizeRule
    certificate: LiftedCertificate

    def predict(self, x: Sequence[int]) -> Answer:
        """The class of a flat list of whole numbers; one class per output if there are several.

        Raises:
            ValueError: If the length of x is no multiple of the number of parts.
        """
        if not len(x) or len(x) % self.rule.parts:
            raise ValueError(
                f"x is cut into {self.rule.parts} equal parts, got {len(x)} entries; give each"
                " part as many"
            )
        return self.rule.value([int(v) for v in x])

    def at(self, size: int) -> Expression:
        """The program at one size, for every exporter and evaluator; loops and sums are unrolled.

        It computes in floating point, which is exact while no sum is beyond 2**52 in float64, or
        2**23 in float32.

        Args:
            size: What the certificate counts by: the length of a list, or the side of a square.

        Returns:
            One output that is the class itself. Of a program whose answer is a list, one output
            per entry: these are answers, not scores of which the highest counts.

        Raises:
            ValueError: If the size cannot be cut into equal parts, or if a number of the program
                is beyond 2**52 at it.

        Example:
            >>> from occamhead.distill import Lifted, LiftedCertificate
            >>> from occamhead.distill.sizes.rules import PairRule
            >>> argmax = Lifted(PairRule(largest=True, first=True), LiftedCertificate({}, {}))
            >>> argmax.at(3)([[1.0, 5.0, 5.0]]).tolist()
            [[1.0]]
        """
        if size < 1 or size % self.rule.parts:
            raise ValueError(
                f"a size is a positive multiple of {self.rule.parts}, the number of parts that a"
                f" list is cut into, got {size}"
            )
        return self.rule.at(size)

    def source(self) -> str:
        """Stand-alone Python: ``predict(x)`` of a flat list of whole numbers of any length."""
        return source_of(self.rule, str(self.certificate))

    def __str__(self) -> str:
        return self.source()

    def to_json(self) -> str:
        """Versioned JSON text of the program for every size; :meth:`from_json` reads it."""
        return to_json(self.rule, self.certificate, text=self.source())

    @classmethod
    def from_json(cls, text: str) -> Lifted:
        """Read what :meth:`to_json` wrote; ValueError on another format or version.

        The certificate is what the file says: nothing is proven by reading it.
        """
        return cls(*from_json(text))


def source_of(rule: SizeRule, comment: str = "") -> str:
    """Stand-alone Python of a rule."""
    sentence = f"{comment[:1].upper()}{comment[1:]}."
    body = "".join(f"    {line}\n" for line in rule.lines())
    return f'def predict(x: list[int]):\n    """{sentence}"""\n{body}'
