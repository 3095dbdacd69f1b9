"""Picture files of every kind, as the RGB pictures that people see in them."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION

# What Pillow reads, of it what holds pictures that a camera, scanner or browser makes.
SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpf",
    ".jpg", ".jpx", ".pbm", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff",
    ".webp",
})  # fmt: skip
# Pictures all the same, but read only where a plugin of Pillow does: else they are named.
FOREIGN_SUFFIXES = frozenset({
    ".arw", ".cr2", ".cr3", ".dng", ".exr", ".hdr", ".heic", ".heif", ".jxl", ".nef", ".orf",
    ".psd", ".raf", ".raw", ".rw2", ".svg",
})  # fmt: skip

# What Pillow raises for files that are cut off, empty, no pictures at all, or absurdly large; and
# `as_rgb` for those whose black and white are not known.
UNREADABLE = (
    OSError, SyntaxError, ValueError, TypeError, struct.error, Image.DecompressionBombError,
)  # fmt: skip


def read_rgb(path: str | Path) -> Image.Image:
    """Decode a file: its first picture, where there are several, as `as_rgb` shows it.

    It is not turned as EXIF says, as torchvision does not: backbones were trained that way.

    Raises:
        OSError: If the file cannot be read, or another of `UNREADABLE`.
    """
    with Image.open(path) as image:
        return as_rgb(image)


def check_readable(path: str | Path) -> None:
    """Read a picture to its end, a JPEG at an eighth of its size; raise what `read_rgb` raises."""
    with Image.open(path) as image:
        image.draft("RGB", (1, 1))
        as_rgb(image)


def as_rgb(image: Image.Image) -> Image.Image:
    """A picture in RGB, 8 bits a colour.

    16 bits of grey are scaled to 8, as are floating-point greys from 0 to 1; what is transparent
    shows white behind it, as on a page.

    Raises:
        ValueError: If the numbers do not say what is black and what is white: floating-point ones
            outside 0 to 1, or whole ones of 32 bits.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        values = np.asarray(image).astype(np.uint32)
        # Pillow turns greys that a TIFF counts from white to black round at 8 bits alone.
        if image.format == "TIFF" and image.tag_v2[PHOTOMETRIC_INTERPRETATION] == 0:  # type: ignore[attr-defined]
            values = 65535 - values
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "I":
        raise ValueError("whole numbers of 32 bits, of which none is known as white; save 16 bits")
    if image.mode == "F":
        values = np.asarray(image)
        if not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(
                f"floating-point greys from {values.min()} to {values.max()}, wanted 0 (black) to 1"
                " (white)"
            )
        return Image.fromarray(np.round(values * 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        page = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(page, layer).convert("RGB")
    return image.convert("RGB")
