"""Bytes to pictures: formats, orientation, transparency, sizes, and files that want to do harm."""

from __future__ import annotations

import io
import struct
import zlib

import pytest

from swift.llm.media.images import FORMATS, open_image
from swift.utils.errors import DataError

Image = pytest.importorskip("PIL.Image")


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The file of a picture."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_formats(kind: str) -> None:
    image = open_image(saved(Image.new("RGB", (6, 4), (200, 0, 0)), kind), -1)
    assert (image.size, image.mode) == ((6, 4), "RGB")
    assert image.getpixel((2, 2))[0] > 190


def test_first_frame_of_a_moving_picture() -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ((255, 0, 0), (0, 255, 0))]
    image = open_image(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), -1)
    assert image.getpixel((0, 0)) == (255, 0, 0)


def test_upright_by_its_exif() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    image = Image.new("RGB", (8, 4), (255, 255, 255))
    assert open_image(saved(image, "JPEG", exif=exif), -1).size == (4, 8)


def test_transparent_pictures_stand_on_white() -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 255, 255))
    found = open_image(saved(image), -1)
    assert [found.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 255)]
    assert open_image(saved(image.convert("LA")), -1).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_of_grey() -> None:
    found = open_image(saved(Image.new("I;16", (2, 2), 0x8000)), -1)
    assert found.getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize(("limit", "size"), [(-1, (200, 100)), (20_000, (200, 100)), (5_000, (100, 50)), (1, (1, 1))])
def test_shrinks_in_proportion(limit: int, size: tuple[int, int]) -> None:
    assert open_image(saved(Image.new("RGB", (200, 100))), limit).size == size


def bomb(width: int, height: int) -> bytes:
    """A PNG of some bytes that says it has so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(9_000, 9_000), (12_000, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_bombs_are_not_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=r"pixels; up to 80,000,000 in all are read\. Make it smaller\."):
        open_image(bomb(*size), -1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "in no format that is read: PNG, JPEG, WEBP, GIF, BMP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "in no format that is read"),
        (saved(Image.new("RGB", (4, 4)), "TIFF"), "in no format that is read"),
        (saved(Image.new("RGB", (64, 64), (1, 2, 3)))[:60], "the image is broken"),
        (saved(Image.effect_noise((64, 64), 50), "JPEG")[:300], "the image is broken"),
    ],
    ids=["empty", "svg", "tiff", "half a png", "half a jpeg"],
)
def test_broken_files(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_image(data, -1)
