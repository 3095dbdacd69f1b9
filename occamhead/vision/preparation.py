"""How a picture is prepared for a backbone, as plain values that can be stored."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from PIL import Image
from torch import Tensor

from occamhead.checks import needs
from occamhead.vision.families import Transform


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
            tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            return cls(**tuples)  # type: ignore[arg-type]
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
        given: Any = transform
        if all(hasattr(given, name) for name in ("resize_size", "crop_size", "std")):
            resize = cut = colours = given
            sizes = resize.resize_size, cut.crop_size
        else:
            steps = list(getattr(given, "transforms", ()))
            if [type(step).__name__.removeprefix("Maybe") for step in steps] != [
                "Resize",
                "CenterCrop",
                "ToTensor",
                "Normalize",
            ]:
                raise ValueError(
                    "to be stored, a backbone's transform must scale, crop the centre and"
                    f" standardise colours, got {transform!r}; give it a Preparation in its place"
                )
            resize, cut, colours = (cast(Any, steps[i]) for i in (0, 1, 3))
            sizes = resize.size, cut.size
        resized, cropped = map(_size, sizes)
        return cls(
            resized if len(resized) == 2 else resized[0],
            cropped * 2 if len(cropped) == 1 else cropped,  # type: ignore[arg-type]
            resize.interpolation.value,
            tuple(map(float, colours.mean)),  # type: ignore[arg-type]
            tuple(map(float, colours.std)),  # type: ignore[arg-type]
        )


def _size(size: Any) -> tuple[int, ...]:
    return (int(size),) if isinstance(size, int) else tuple(int(number) for number in size)


def _methods() -> dict[str, Any]:
    with needs("torchvision", "preparing pictures"):
        from torchvision.transforms import InterpolationMode
    return {method.value: method for method in InterpolationMode}
