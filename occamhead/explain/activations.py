"""Where in a picture a feature of a backbone is high."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from occamhead.vision import Backbone, Pictures

# What may stand between a layer's output and its spatial mean as a function rather than a layer.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "": lambda a: a,
    "relu": F.relu,
    "relu6": F.relu6,
    "silu": F.silu,
    "hardswish": F.hardswish,
    "gelu": F.gelu,
}
BATCH = 16
# Pictures on which a layer's means are compared with the features.
CHECKED = 2


@dataclass(frozen=True)
class ActivationMaps:
    """The layer of a backbone whose channels' spatial means are its features.

    Args:
        backbone: The backbone.
        layer: Name of the layer in `backbone.module`.
        activation: What is applied to its output; see ``ACTIVATIONS``.
        channels_last: Whether the layer's output is [batch, height, width, channel].
    """

    backbone: Backbone
    layer: str
    activation: str
    channels_last: bool = False

    def __call__(
        self, pictures: Pictures, rows: Sequence[int], channels: Sequence[int]
    ) -> NDArray[np.float32]:
        """The maps of some pictures and channels, [row, channel, height, width].

        The mean of a map is the picture's feature.
        """
        module = self.backbone.module
        maps = []
        with self.watched() as last:
            for start in range(0, len(rows), BATCH):
                batch = tensors(self.backbone, pictures, rows[start : start + BATCH])
                with torch.inference_mode():
                    module(batch.to(_device(module)))
                    maps.append(last()[:, list(channels)].numpy())
        return np.concatenate(maps)

    @contextmanager
    def watched(self) -> Iterator[Callable[[], Tensor]]:
        """Gives the maps of the batch that passed through the backbone last, on the CPU."""
        with _outputs(self.backbone.module, [self.layer]) as outputs:
            yield lambda: self._maps(outputs[self.layer]).cpu()

    def plain(self) -> dict[str, NDArray[Any]]:
        """All but the backbone, as arrays."""
        return {name: np.array(value) for name, value in vars(self).items() if name != "backbone"}

    @classmethod
    def from_plain(
        cls, backbone: Backbone, values: Mapping[str, NDArray[Any]]
    ) -> ActivationMaps | None:
        """What :meth:`plain` gave; None of nothing."""
        given = {name: value.item() for name, value in values.items()}
        return cls(backbone, **given) if given else None

    def _maps(self, output: Tensor) -> Tensor:
        maps = ACTIVATIONS[self.activation](output.float())
        return maps.permute(0, 3, 1, 2) if self.channels_last else maps


def find_maps(
    backbone: Backbone, pictures: Pictures, features: Any, checked: int = CHECKED
) -> ActivationMaps | None:
    """Find the last layer whose channels' spatial means are the features, by trying.

    Args:
        backbone: The backbone, in eval mode.
        pictures: Pictures, at least one.
        features: What the head saw of each of them, [picture, feature]; None takes what the
            backbone makes of them.
        checked: How many pictures to compare on.

    Returns:
        The layer's maps; None if there is no such layer, as in networks that put other layers
        between the last map and the features, or if the features are another backbone's.
    """
    count = min(checked, len(pictures))
    device = _device(backbone.module)
    names = [name for name, _ in backbone.module.named_modules() if name]
    with _outputs(backbone.module, names) as outputs, torch.inference_mode():
        wanted = backbone.module(tensors(backbone, pictures, range(count)).to(device)).float()
        if features is not None:
            wanted = torch.from_numpy(np.array(features[:count], dtype=np.float32)).to(device)
        for layer, output in reversed(outputs.items()):
            for channels_last in (False, True):
                if output.shape[3 if channels_last else 1] != wanted.shape[1]:
                    continue
                for activation in ACTIVATIONS:
                    candidate = ActivationMaps(backbone, layer, activation, channels_last)
                    if _reproduces(candidate._maps(output), wanted):
                        return candidate
    return None


def tensors(backbone: Backbone, pictures: Pictures, rows: Sequence[int]) -> Tensor:
    """Some pictures as the backbone takes them, [row, 3, height, width]."""
    return torch.stack([backbone.transform(pictures.picture(i).convert("RGB")) for i in rows])


def _device(module: nn.Module) -> torch.device:
    return next((tensor.device for tensor in module.parameters()), torch.device("cpu"))


def _reproduces(maps: Tensor, wanted: Tensor) -> bool:
    # A map of one place would tell nothing: it is the feature itself.
    if maps.shape[:2] != wanted.shape or maps[0, 0].numel() < 2:
        return False
    tolerance = 1e-4 * float(wanted.abs().max())
    return bool(((maps.mean(dim=(2, 3)) - wanted).abs() <= tolerance).all())


@contextmanager
def _outputs(module: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """The outputs of shape [batch, a, b, c] of some layers, in the order of their last call.

    The tensors themselves and not copies: where the network goes on to change one in place, as by
    ``relu(x, inplace=True)``, what it goes on with is what is wanted.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            outputs.pop(name, None)
            if isinstance(output, Tensor) and output.ndim == 4:
                outputs[name] = output

        return hook

    handles = [module.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
