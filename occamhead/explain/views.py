"""Pictures as the report shows them: small, in the page itself, with a mark where a feature is."""

from __future__ import annotations

import base64
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from occamhead.explain.activations import CHECKED, ActivationMaps, find_maps, tensors

if TYPE_CHECKING:
    from PIL import Image

    from occamhead.vision import Backbone, Pictures

SIDE, SMALL = 128, 80  # pixels of a thumbnail, and of one among hundreds
MARK = (230, 74, 25)

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Keep: TypeAlias = Callable[[Sequence[str], Callable[[], Arrays]], Arrays]
"""Gives arrays that these texts name: makes them, or has them from an earlier time."""


class Views(ABC):
    """The pictures of the test rows, as they are and with a feature marked.

    Args:
        pictures: The picture of each row.
    """

    pixelated = False
    """Whether the pictures are so small that their pixels are shown as squares."""

    kind = "JPEG"
    """How they are written."""

    shape: tuple[int, ...] | None = None
    """Of the picture whose pixels the features are, [height, width, ...]; None if they are not."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures

    def prepare(self, wanted: Iterable[tuple[int, int]]) -> None:  # noqa: B027
        """Compute at once what marks will be asked for, as (row, feature)."""

    @property
    @abstractmethod
    def legend(self) -> str:
        """What the marks mean, in a sentence or two."""

    @abstractmethod
    def image(self, row: int, feature: int | None = None, side: int = SIDE) -> Image.Image:
        """The picture of a row, at most so many pixels a side, marked where a feature is."""

    def plain(self, row: int) -> str:
        """Data URI of the picture of a row."""
        return data_uri(self.image(row), self.kind)

    def marked(self, row: int, feature: int) -> str:
        """The same with a mark where the feature is."""
        return data_uri(self.image(row, feature), self.kind)

    def describe(self, feature: int) -> str:
        """Where the feature always is, in words; empty where that depends on the picture."""
        return ""


class PixelViews(Views):
    """Pictures whose pixels are the features: pixel i is feature i."""

    pixelated = True
    kind = "PNG"

    def __init__(self, pictures: Pictures) -> None:
        super().__init__(pictures)
        self.shape = np.asarray(pictures.picture(0)).shape
        self.height, self.width = self.shape[:2]
        self.channels = self.shape[2] if len(self.shape) == 3 else 1

    @property
    def legend(self) -> str:
        return "The square marks the pixel that the feature is."

    def _place(self, feature: int) -> tuple[int, int]:
        pixel = feature // self.channels
        return pixel // self.width, pixel % self.width

    def describe(self, feature: int) -> str:
        row, column = self._place(feature)
        colour = f"{('red', 'green', 'blue')[feature % 3]} of the " if self.channels == 3 else ""
        return (
            f"{colour}pixel in row {row}, column {column} of {self.height} × {self.width}, from 0"
        )

    def image(self, row: int, feature: int | None = None, side: int = SIDE) -> Image.Image:
        from PIL import Image, ImageDraw

        scale = max(1, side // max(self.height, self.width))
        size = (self.width * scale, self.height * scale)
        image = self.pictures.picture(row).convert("RGB").resize(size, Image.Resampling.NEAREST)
        if feature is not None:
            top, left = (scale * place for place in self._place(feature))
            box = [left - 2, top - 2, left + scale + 1, top + scale + 1]
            ImageDraw.Draw(image).rectangle(box, outline=MARK, width=2)
        return image


class PhotographViews(Views):
    """Photographs as the backbone sees them, with the activation map of the feature as heat.

    Args:
        pictures: The photograph of each row.
        backbone: The backbone that made the features; None shows the photographs as they are.
        features: What the head saw of each row; the maps are checked against it.
        keep: What keeps maps from one page to the next.
    """

    def __init__(
        self, pictures: Pictures, backbone: Backbone | None, features: Any, keep: Keep
    ) -> None:
        super().__init__(pictures)
        self.backbone = backbone
        self.maps: ActivationMaps | None = None
        self._keep = keep
        if backbone is not None:
            head = np.ascontiguousarray(features[:CHECKED]).tobytes()
            self._key = ["page", backbone.fingerprint, repr(backbone.transform),
                         pictures.fingerprint(), sha256(head).hexdigest()]  # fmt: skip
            self.maps = self._find(backbone, features)
            self._black, self._white = (_blank(backbone, pictures, shade) for shade in (0, 255))
        self._heat: dict[tuple[int, int], NDArray[np.float32]] = {}
        self._largest: dict[int, float] = {}
        self._seen: dict[tuple[int, int], Image.Image] = {}

    def _find(self, backbone: Backbone, features: Any) -> ActivationMaps | None:
        def found() -> Arrays:
            maps = find_maps(backbone, self.pictures, features)
            return {} if maps is None else maps.plain()

        return ActivationMaps.from_plain(backbone, self._keep([*self._key, "layer"], found))

    @property
    def legend(self) -> str:
        if self.maps is None:
            return (
                "There is no map of where a feature is high: no layer of the network was found"
                " whose spatial means are these features."
            )
        return (
            f"Heat shows where the channel of {self.maps.layer} whose spatial mean is the feature"
            " is high, on one scale for each feature. Photographs are cropped as the network sees"
            " them."
        )

    def prepare(self, wanted: Iterable[tuple[int, int]]) -> None:
        pairs = sorted(set(wanted))
        if self.maps is None or not pairs:
            return
        find = self.maps

        def made() -> Arrays:
            rows, channels = (sorted({pair[i] for pair in pairs}) for i in (0, 1))
            maps = find(self.pictures, rows, channels)
            heat = [maps[rows.index(row), channels.index(channel)] for row, channel in pairs]
            return {"heat": np.stack(heat)}

        kept = self._keep([*self._key, find.layer, find.activation, str(pairs)], made)
        for (row, channel), heat in zip(pairs, kept["heat"], strict=True):
            self._heat[row, channel] = heat
            self._largest[channel] = max(self._largest.get(channel, 0.0), float(heat.max()))

    def image(self, row: int, feature: int | None = None, side: int = SIDE) -> Image.Image:
        if (row, side) not in self._seen:
            self._seen[row, side] = self._thumbnail(row, side)
        image = self._seen[row, side]
        if self.maps is None or feature is None:
            return image
        if (row, feature) not in self._heat:
            self.prepare([(row, feature)])
        return warmed(image, self._heat[row, feature] / (self._largest[feature] or 1.0))

    def _thumbnail(self, row: int, side: int) -> Image.Image:
        from PIL import Image

        if self.backbone is None:
            image = self.pictures.picture(row).convert("RGB")
        else:
            # Whatever the transform crops and scales, it shifts and stretches each channel alike.
            tensor = tensors(self.backbone, self.pictures, [row])[0].numpy()
            shades = (tensor - self._black) / (self._white - self._black)
            levels = np.clip(np.nan_to_num(shades) * 255, 0, 255).round().astype(np.uint8)
            image = Image.fromarray(levels.transpose(1, 2, 0))
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        # Small ones stay as they are: there are hundreds, and a browser enlarges them as well.
        if max(image.size) < side == SIDE:
            factor = side / max(image.size)
            size = (round(image.width * factor), round(image.height * factor))
            image = image.resize(size, Image.Resampling.BICUBIC)
        return image


def _blank(backbone: Backbone, pictures: Pictures, shade: int) -> NDArray[np.float32]:
    """What the transform makes of a picture of one shade, per channel, [3, 1, 1]."""
    from PIL import Image

    blank = Image.new("RGB", pictures.picture(0).size, (shade,) * 3)
    centre: NDArray[np.float32] = backbone.transform(blank).numpy()
    return np.median(centre, axis=(1, 2), keepdims=True).astype(np.float32)


def warmed(image: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """A photograph with heat of 0 to 1 laid over it: grey where there is none, then red to yellow.

    Args:
        image: RGB.
        heat: Any size, [height, width]; scaled to the picture.
    """
    from PIL import Image

    strength = Image.fromarray(np.clip(heat, 0, 1).astype(np.float32))
    level = np.asarray(strength.resize(image.size, Image.Resampling.BICUBIC))
    level = np.clip(level, 0, 1)[..., None]
    colour = np.array([235.0, 35.0, 20.0]) + level**3 * np.array([20.0, 185.0, 20.0])
    photograph = np.asarray(image, dtype=np.float32)
    grey = photograph.mean(axis=-1, keepdims=True)
    # Half the colour of the photograph goes, so that the colour of the heat is its own; and what
    # is in the picture must be seen through the heat.
    ground = 0.5 * photograph + 0.5 * grey
    opacity = 0.6 * level**1.3
    blended = (1 - opacity) * ground + opacity * colour
    return Image.fromarray(blended.round().astype(np.uint8))


_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "JPEG": {"quality": 78, "optimize": True},
    "PNG": {"optimize": True},
    "WEBP": {"quality": 70, "method": 4},
}


def data_uri(image: Image.Image, kind: str) -> str:
    """A picture as text that stands for it in a page: JPEG, PNG or WEBP."""
    stream = io.BytesIO()
    image.save(stream, kind, **_OPTIONS[kind])
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{text}"


def made_anew(key: Sequence[str], make: Callable[[], Arrays]) -> Arrays:
    """A :data:`Keep` that keeps nothing."""
    return make()


def views_of(
    pictures: Pictures | None, backbone: Backbone | None, features: Any, keep: Keep = made_anew
) -> Views | None:
    """The views of some pictures: pixels if the features are theirs, else photographs.

    Raises:
        ValueError: If there is not one picture per row of features.
    """
    if pictures is None:
        return None
    if len(pictures) != len(features):
        raise ValueError(f"pictures: wanted one per test row, {len(features)}, got {len(pictures)}")
    first = np.asarray(pictures.picture(0), dtype=np.float32).reshape(-1) / 255
    if (
        backbone is None
        and first.shape == np.shape(features[0])
        and np.allclose(first, features[0])
    ):
        return PixelViews(pictures)
    return PhotographViews(pictures, backbone, features, keep)
