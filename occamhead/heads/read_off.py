"""A head whose formula is read off weights, and runs as long as they are what they were."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor, fx
from torch._C import _get_tracing_state
from torch.compiler import is_compiling

from occamhead.checks import check_width
from occamhead.expression import FormulaModule
from occamhead.expression.serving import ServedSums
from occamhead.heads.base import SymbolicHead
from occamhead.heads.compiled import nothing_if_current, ticket_for
from occamhead.heads.freshness import Place, Reading, undisturbed

_STALE = (
    "the weights have changed since the formula was read off them: call head.eval(), or eval() of"
    " the model around it, before it is exported, compiled or called again"
)

# Whether the weights are still those that a formula was read off, what serves its sums on a CPU,
# and the formula. A tuple: nn.Module looks for an attribute in three tables, at a cost that counts.
_Read: TypeAlias = tuple[Callable[[], bool], ServedSums | None, FormulaModule]

Head = TypeVar("Head", bound="ReadHead")


class ReadHead(SymbolicHead):
    """A head that reads its formula off its weights whenever these have changed.

    What was written through ``.data`` to some numbers alone, only ``eval()`` notices in eager mode.
    Where a model is exported, every number is compared; so it is in each call of a compiled one, if
    the head has at most a million numbers, all on the CPU. Else that looks at what eager mode looks
    at. Either raises.
    """

    def __init__(
        self, out_features: int, loss: str = "cross_entropy", classes: Sequence[str] | None = None
    ) -> None:
        super().__init__(out_features, loss, classes)
        self._formula_module: FormulaModule | None = None
        self._reading: Reading | None = None
        self._read: _Read | None = None
        self._ticket = ticket_for(self)

    @abstractmethod
    def places(self) -> list[Place]:
        """Where that lies which the formula is read off."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.soft_eval:
            return self.soft(x)
        if is_compiling():
            return self._formula_compiled(x)
        read = self._read
        if read is None or not read[0]():
            read = self._refresh()
        _, serve, module = read
        if serve is not None:
            sums = serve(x)
            if sums is not None:
                return sums
        if isinstance(x, fx.Proxy):
            return self._as_leaf(x)
        if _get_tracing_state() is not None:
            _, _, module = self._refresh()  # what is traced can follow no weights
        check_width(x, self.in_features)
        return module.by_operators(x)

    def _formula_compiled(self, x: Tensor) -> Tensor:
        """The formula as part of what torch.compile or torch.export makes of a model."""
        check_width(x, self.in_features)
        module = self._formula_module
        if module is None:
            raise RuntimeError(_STALE)
        if torch.compiler.is_exporting():
            self._check_exact()
            return module.by_operators(x)
        return module.by_operators(x) + nothing_if_current(module.constants, self._ticket)

    def _check_exact(self) -> bool:
        """As :meth:`check_current`, looking at every number, while a model is exported."""
        if self._reading is None or not self._reading.is_exact():
            raise RuntimeError(_STALE)
        return True

    # Run, not traced: the mark of torch.compiler.assume_constant_result, which loads a compiler.
    _check_exact._dynamo_marked_constant = True  # type: ignore[attr-defined]

    def check_current(self) -> None:
        """Raise RuntimeError if the formula in place is not that of the weights."""
        if self._reading is None or not self._reading.is_current_to_a_number():
            raise RuntimeError(_STALE)

    def train(self: Head, mode: bool = True) -> Head:
        """Switch between the soft network and the formula, which is read off at this moment."""
        super().train(mode)
        if not mode:
            # Here and not in forward: export and compilation must find the formula in place.
            self.read()
        return self

    def read(self) -> None:
        if not (self.training or self.calibration.is_meta):
            self._refresh()

    def _refresh(self) -> _Read:
        """Read the formula off the weights as they are."""
        with undisturbed():
            formula, device = self.formula(), self.calibration.device
            module = self._formula_module
            if module is None or (module.expression, module.dtype, module.device) != (
                formula,
                self.dtype,
                device,
            ):
                module = FormulaModule(formula, self.dtype, device).train(False)
                self._formula_module = module
            self._reading = Reading(self.places())
        self._read = self._reading.is_current, module.served, module
        return self._read

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_read": None, "_reading": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._ticket = ticket_for(self)
        self.read()
