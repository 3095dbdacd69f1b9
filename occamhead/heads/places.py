"""Places in a model where a head can stand, and the shapes that it keeps there."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

import torch.fx
from torch import Tensor, nn

# What may stand between a convolution that scores and its pooling, as in SqueezeNet: it goes with
# the convolution, since scores of a formula are not clipped.
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.Identity)


class ConvolutionHead(nn.Module):
    """A head where a 1 x 1 convolution was: after the pooling such a layer is a linear one.

    Args:
        head: From [batch, features] to [batch, classes].
        pool: Whether the mean over the picture is taken first.

    Shape:
        Input [batch, features, 1, 1], with `pool` [batch, features, height, width]; output
        [batch, classes, 1, 1].
    """

    def __init__(self, head: nn.Module, pool: bool = False) -> None:
        super().__init__()
        self.head, self.pool = head, pool

    def forward(self, x: Tensor) -> Tensor:
        if self.pool:
            x = x.mean(dim=(-2, -1), keepdim=True)
        scores: Tensor = self.head(_as_vectors(x))
        return scores[..., None, None]


@torch.fx.wrap  # one step of a trace, as it looks at a shape
def _as_vectors(x: Tensor) -> Tensor:
    """Pooled features [batch, features, 1, 1] as [batch, features]; ValueError for a map."""
    if x.dim() != 4 or x.shape[-2] != 1 or x.shape[-1] != 1:
        raise ValueError(
            f"wanted pooled features [batch, features, 1, 1], got {list(x.shape)}: the convolution"
            " that the head replaced scores every place of a map, and a formula takes one vector"
            " per picture; detach_head(model), and let the model pool before the convolution"
        )
    return x.flatten(1)


@dataclass(frozen=True)
class Place:
    """Where one head stands for all classifiers of a model.

    Args:
        names: Dotted names of the modules that it replaces; all of them take the same features.
        in_features: Number of features.
        out_features: Number of scores.
        form: "linear" takes and gives vectors; "convolution" pictures of 1 x 1; "pooled" stands for
            the convolution, what follows it, and the pooling, in the ``nn.Sequential`` that holds
            them.
    """

    names: tuple[str, ...]
    in_features: int
    out_features: int
    form: str = "linear"

    def put(self, model: nn.Module, head: nn.Module) -> dict[str, nn.Module]:
        """Put a head here; return what stood here, by its name."""
        names: tuple[str, ...]
        new: nn.Module
        if self.form == "pooled":
            path, _, index = self.names[0].rpartition(".")
            chain = model.get_submodule(path)
            assert isinstance(chain, nn.Sequential)
            names, new = (path,), nn.Sequential(*_with_head(chain, int(index), head))
        else:
            names, new = self.names, ConvolutionHead(head) if self.form == "convolution" else head
        new.training = model.training
        originals = {name: model.get_submodule(name) for name in names}
        for name in names:
            put_module(model, name, new)
        return originals

    def tensor(self, model: nn.Module) -> Tensor:
        """A tensor of what stands here, for its device and dtype."""
        return next(model.get_submodule(self.names[0]).parameters())


def put_module(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module where a dotted name says."""
    path, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(path), attribute, module)


def layer_place(model: nn.Module, name: str) -> Place:
    """The place of one layer.

    Raises:
        ValueError: If there is nothing of this name, or it is no layer that maps features to scores
            linearly.
    """
    path, _, attribute = name.rpartition(".")
    try:
        layer = getattr(model.get_submodule(path), attribute)
    except AttributeError as error:
        raise ValueError(f"{type(model).__name__} has no attribute {name!r}") from error
    if isinstance(layer, nn.Linear):
        # A model may call one layer by several names, and run it by any of them.
        same = (n for n, m in model.named_modules(remove_duplicate=False) if m is layer)
        return Place(tuple(same), layer.in_features, layer.out_features)
    if is_layer(layer):
        chain = model.get_submodule(path)
        pooled = isinstance(chain, nn.Sequential) and path and _pooling(chain, int(attribute))
        form = "pooled" if pooled else "convolution"
        return Place((name,), layer.in_channels, layer.out_channels, form)
    raise ValueError(
        f"{name!r} is a {type(layer).__name__}, not an nn.Linear or 1 x 1 convolution; name the"
        " layer that maps features to class scores"
    )


def is_layer(module: object) -> bool:
    """Whether a module maps features to scores linearly, at one place."""
    if isinstance(module, nn.Conv2d):
        ones = (1, 1)
        return module.kernel_size == module.stride == ones and module.groups == 1
    return isinstance(module, nn.Linear)


def outputs_of(layer: nn.Module) -> int:
    """Number of scores of a layer."""
    return int(layer.out_channels if isinstance(layer, nn.Conv2d) else layer.out_features)  # type: ignore[arg-type]


def _pooling(chain: nn.Sequential, index: int) -> int | None:
    """Where a chain takes the mean over all of what its convolution gives, and does no more."""
    after = list(chain)[index + 1 :]
    between = len(list(takewhile(lambda module: isinstance(module, _ACTIVATIONS), after)))
    pools = after[between : between + 1]
    if pools and isinstance(pools[0], nn.AdaptiveAvgPool2d) and _is_one(pools[0].output_size):
        return index + 1 + between
    return None


def _is_one(size: object) -> bool:
    return size == 1 or size == (1, 1)


def _with_head(chain: nn.Sequential, index: int, head: nn.Module) -> list[nn.Module]:
    """A chain whose convolution, and all up to its pooling, is a head behind a pooling."""
    pooling = _pooling(chain, index)
    assert pooling is not None
    steps = list(chain)
    return [*steps[:index], ConvolutionHead(head, pool=True), *steps[pooling + 1 :]]
