"""How a head shows itself: one line within a model, and its rule where it is printed alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from occamhead.expression import Expression
from occamhead.expression.formats.code_book import rule_or_code
from occamhead.expression.formats.markup import join, tag
from occamhead.expression.formats.mathml import mathml_rules


class Shown(nn.Module):
    """A head that is read rather than looked into: of its layers nothing is printed."""

    classes: tuple[str, ...] | None
    calibration: Tensor

    @abstractmethod
    def formula(self, names: Sequence[str] | None = None) -> Expression:
        """The formula of each class."""

    def __repr__(self) -> str:
        """One line: this is what stands in the print of a model around the head."""
        return f"{type(self).__name__}({self.extra_repr()})"

    def __str__(self) -> str:
        """What the head is, and below it the rule that it applies, or why there is none."""
        try:
            lines = rule_or_code(self._formula_shown(), self.classes or ())
        except ValueError as error:
            lines = [str(error)]
        return "\n".join([repr(self), *lines])

    def _repr_html_(self) -> str:
        """The same in a notebook."""
        try:
            rules = mathml_rules(self._formula_shown(), self.classes or ())
        except ValueError as error:
            rules = [tag("p", error)]
        return tag("div", tag("p", tag("code", repr(self))), join(rules))

    def _formula_shown(self) -> Expression:
        if self.calibration.is_meta:
            raise ValueError("the weights are on the meta device, which holds no numbers")
        return self.formula()
