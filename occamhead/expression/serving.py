"""Sums over inputs, call after call on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy import empty
from torch import Tensor, from_numpy
from torch._C import _get_tracing_state
from torch._C._functorch import peek_interpreter_stack
from torch.autograd import forward_ad
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

# Sums that have been asked for so often are being served: then loading a compiler pays.
CALLS_BEFORE_COMPILING = 1000


class ServedSums:
    """Weighted sums of a row's numbers, by a compiled loop once they are asked for often enough.

    A plain object, since what ``nn.Module`` adds to a call and to a look-up costs as much as the
    sums.

    Args:
        num_inputs: Length of a row.
        columns: Input of each term, the terms of the first sum first.
        coefficients: Factor of each term, in the dtype of the rows.
        segments: Index of the sum that each term belongs to, ascending; a sum may have none.
        constants: What each sum starts from.
    """

    __slots__ = (
        "_calls",
        "_dtype",
        "_loop",
        "_num_inputs",
        "_num_sums",
        "_numbers",
        "_numpy_dtype",
        "_places",
    )

    def __init__(
        self,
        num_inputs: int,
        columns: Tensor,
        coefficients: Tensor,
        segments: Tensor,
        constants: Tensor,
    ) -> None:
        self._num_inputs, self._num_sums, self._dtype = num_inputs, len(constants), constants.dtype
        ends = segments.bincount(minlength=self._num_sums).cumsum(0)
        self._places = torch.cat([columns, ends]).numpy()
        self._numbers = torch.cat([coefficients, constants]).numpy()
        self._numpy_dtype = self._numbers.dtype
        self._calls = 0
        self._loop: Callable[..., Any] | None = None

    def __call__(self, x: Tensor) -> Tensor | None:
        """The sums [..., sums] of rows [..., inputs]; None where torch's operators must do it.

        Here only numbers in the CPU's memory are served, and only while nobody watches what
        becomes of them: no gradients, forward or backward, no ``torch.func``, dispatch mode or
        tracing.
        """
        if not (
            type(x) is Tensor
            and x.dtype is self._dtype
            and x.is_cpu
            and x.is_contiguous()
            and not x.requires_grad
            and forward_ad._current_level < 0
            and peek_interpreter_stack() is None
            and not is_in_torch_dispatch_mode()
            and _get_tracing_state() is None
        ):
            return None
        rows = x.numpy()
        shape = rows.shape
        flat = len(shape) == 2
        if not shape or shape[-1] != self._num_inputs:
            return None
        loop = self._loop
        if loop is None:
            self._count()
            return None
        if not flat:
            rows = rows.reshape(-1, self._num_inputs)
        sums = empty((len(rows), self._num_sums), self._numpy_dtype)
        loop(rows, sums, self._places, self._numbers)
        return from_numpy(sums if flat else sums.reshape(*shape[:-1], self._num_sums))

    def _count(self) -> None:
        self._calls += 1
        if self._calls >= CALLS_BEFORE_COMPILING:
            from occamhead.expression.kernel import weighted_sums

            self._loop = weighted_sums
