"""Bytes to a picture that a model's image processor takes. Knows no model; Pillow decodes."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from swift.utils.errors import DataError
from swift.utils.lazy import require

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FORMATS", "MOST_PIXELS", "as_png", "open_image"]

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MOST_PIXELS = 80_000_000
"""Larger pictures are not decoded: a file of some KiB can claim to be one of many GiB. Below Pillow's own bound."""


def open_image(data: bytes, max_pixels: int) -> Image:
    """The picture in RGB, upright, on white where it is transparent; of a moving one the first frame.

    ``max_pixels``: one that has more (width times height) shrinks to so many, in proportion; -1 leaves it as it is.
    Raises DataError for what is no picture of `FORMATS`, is broken, or has more than `MOST_PIXELS`.
    """
    require("pillow>=10.1", extra="infer")
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise DataError(_too_large(width, height))
            opened.load()
            image = _rgb(ImageOps.exif_transpose(opened))
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(_too_large()) from None
    except UnidentifiedImageError:
        names = ", ".join(FORMATS)
        raise DataError(f"the image is in no format that is read: {names}. Convert it, or copy it again.") from None
    except Exception as error:  # a broken file leads Pillow's readers to errors of every kind
        raise DataError(f"the image is broken ({type(error).__name__}: {error}). Copy it again.") from error
    return _shrunk(image, max_pixels)


def as_png(image: Image) -> bytes:
    """The picture as a file, pixel for pixel and with nothing else of what it came with."""
    file = io.BytesIO()
    bare = image.copy()
    bare.info = {}  # a colour profile would be written, and is read by some
    bare.save(file, "PNG", compress_level=1)  # it goes to another process of this machine: time counts, size does not
    return file.getvalue()


def _too_large(*size: int) -> str:
    has = " x ".join(f"{side:,}" for side in size) or "far more"
    return f"the image has {has} pixels; up to {MOST_PIXELS:,} in all are read. Make it smaller."


def _rgb(image: Image) -> Image:
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits of grey: the upper 8 of them
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        whole = image.convert("RGBA")
        paper = Image.new("RGB", whole.size, (255, 255, 255))
        paper.paste(whole, mask=whole.getchannel("A"))
        return paper
    return image.convert("RGB")


def _shrunk(image: Image, max_pixels: int) -> Image:
    width, height = image.size
    if max_pixels <= 0 or width * height <= max_pixels:
        return image
    from PIL import Image

    scale = math.sqrt(max_pixels / (width * height))
    size = max(1, int(width * scale)), max(1, int(height * scale))
    return image.resize(size, Image.Resampling.BICUBIC)
