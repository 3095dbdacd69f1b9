"""Modules whose tensors follow from data, and are no state of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound="Derived")


class Derived(nn.Module):
    """A module whose tensors are made of data that it keeps, such as a formula.

    They are neither parameters nor buffers: no state_dict holds them, and nothing that averages or
    broadcasts the state of a model meets them, whose sizes change with the data. When the module
    is moved or cast they are made anew, so that a detour over half precision costs no digit.

    Args:
        dtype: Dtype of the numbers; None takes torch's default.
        device: Where they are; None takes torch's default.
    """

    def __init__(
        self, dtype: torch.dtype | None = None, device: torch.device | None = None
    ) -> None:
        super().__init__()
        self.dtype = dtype or torch.get_default_dtype()
        self.device = torch.empty(0, device=device).device

    @abstractmethod
    def derive(self) -> None:
        """Make the tensors, in `dtype` on `device`."""

    def derived(self: Module) -> Module:
        """Make the tensors; to be called at the end of the constructor."""
        # Tensors that are made in inference mode could take part in no gradient ever after.
        with torch.inference_mode(False):
            self.derive()
        return self

    def _apply(self: Module, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Module:
        super()._apply(fn, recurse)
        like = fn(torch.empty(0, dtype=self.dtype, device=self.device))
        return self.placed(like.dtype, like.device)

    def placed(self: Module, dtype: torch.dtype, device: torch.device) -> Module:
        """Make the tensors anew, in this dtype, on this device."""
        self.dtype, self.device = dtype, device
        return self.derived()


def as_leaf(module: nn.Module, x: Any) -> Any:
    """What a module is to ``torch.fx``: one node, as it looks at sizes that a proxy has not.

    Args:
        module: A part of the module that is traced.
        x: The proxy of its input.

    Raises:
        ValueError: If the module is what is traced itself.
    """
    path = x.tracer.path_of_module(module)
    if not path:
        raise ValueError(
            f"torch.fx has nothing to trace inside a {type(module).__name__}, which is one node;"
            " trace a model that it is a part of, or take torch.export"
        )
    return x.tracer.create_proxy("call_module", path, (x,), {})
