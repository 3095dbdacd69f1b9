"""How a picture is prepared for a backbone, as plain values that can be stored."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image
from torch import Tensor

from occamhead.vision.families import Transform, needs


@dataclass(frozen=True)
class Preparation:
    """Scale a picture, cut out its centre and standardise its colours.

    Called with an RGB picture it gives float32 [3, height, width], to the bit what the transform
    gives that it was read off.

    Args:
        resize: Length of the shorter side in pixels, or (height, width).
        crop: (height, width) of the centre.
        interpolation: Name of PIL's method, such as "bilinear".
        mean, std: Of each colour channel, for colours from 0 to 1.

    Raises:
        ValueError: On sizes, a method or colours that there cannot be.
    """

    resize: int | tuple[int, int]
    crop: tuple[int, int]
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        sizes = self.resize if isinstance(self.resize, tuple) else (self.resize,)
        if not all(type(size) is int and 0 < size <= 1 << 14 for size in (*sizes, *self.crop)):
            raise ValueError(
                f"sizes must be from 1 to 16384 pixels, got {self.resize}, {self.crop}"
            )
        if len(self.crop) != 2 or len(sizes) > 2:
            raise ValueError(f"wanted a size of two numbers, got {self.resize}, {self.crop}")
        if len(self.mean) != 3 or len(self.std) != 3:
            raise ValueError(f"wanted three colour channels, got {self.mean}, {self.std}")
        if not all(map(math.isfinite, (*self.mean, *self.std))) or not all(self.std):
            raise ValueError(f"colours must be finite and std not 0, got {self.mean}, {self.std}")
        if self.interpolation not in _methods():
            raise ValueError(
                f"interpolation must be one of {', '.join(_methods())}, got {self.interpolation!r}"
            )

    def __call__(self, picture: Image.Image) -> Tensor:
        with needs("torchvision", "preparing pictures"):
            from torchvision.transforms import functional
        resize = self.resize if isinstance(self.resize, int) else list(self.resize)
        method = _methods()[self.interpolation]
        picture = functional.resize(picture, resize, interpolation=method)
        tensor = functional.to_tensor(functional.center_crop(picture, list(self.crop)))
        return functional.normalize(tensor, list(self.mean), list(self.std))

    def plain(self) -> dict[str, Any]:
        """The arguments, as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Preparation":
        """The preparation of :meth:`plain`, also after JSON has made lists of its tuples.

        Raises:
            ValueError: If the values are not those of a preparation.
        """
        try:
            return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        except TypeError as reason:
            raise ValueError(f"not a preparation of pictures: {reason}") from reason

    @classmethod
    def of(cls, transform: Transform) -> "Preparation":
        """Read a preparation off a transform of torchvision or timm.

        Raises:
            ValueError: If the transform does anything else.
        """
        if isinstance(transform, Preparation):
            return transform
        steps = list(getattr(transform, "transforms", ()))
        names = [type(step).__name__ for step in steps]
        if all(hasattr(transform, name) for name in ("resize_size", "crop_size", "std")):
            resize, cut, colours = transform, transform, transform
            sizes: tuple[Any, Any] = transform.resize_size, transform.crop_size  # type: ignore[attr-defined]
        elif (
            len(steps) == 4
            and names[::3] == ["Resize", "Normalize"]
            and (names[1] == "CenterCrop" and names[2] in ("ToTensor", "MaybeToTensor"))
        ):
            resize, cut, _, colours = steps
            sizes = resize.size, cut.size
        else:
            raise ValueError(
                "the backbone's transform must scale, crop the centre, and standardise colours to"
                f" be stored, got {transform!r}; store a Preparation in its place"
            )
        resized, cropped = (_size(size) for size in sizes)
        return cls(
            resized if len(resized) == 2 else resized[0],  # type: ignore[arg-type,attr-defined]
            cropped * 2 if len(cropped) == 1 else cropped,  # type: ignore[arg-type,attr-defined]
            resize.interpolation.value,
            tuple(map(float, colours.mean)),  # type: ignore[arg-type,attr-defined]
            tuple(map(float, colours.std)),  # type: ignore[arg-type,attr-defined]
        )


def _size(size: Any) -> tuple[int, ...]:
    return (int(size),) if isinstance(size, int) else tuple(int(number) for number in size)


def _methods() -> dict[str, Any]:
    with needs("torchvision", "preparing pictures"):
        from torchvision.transforms import InterpolationMode
    return {method.value: method for method in InterpolationMode}
