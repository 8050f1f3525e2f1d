"""Where an image comes from: data URLs and files, and what is said of all that is neither."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from swift.llm.core import Media
from swift.llm.media.sources import MAX_BYTES, located, read_source, shown
from swift.utils.errors import DataError

BODY = base64.b64encode(b"picture").decode()


@pytest.mark.parametrize(
    "source",
    [
        f"data:image/png;base64,{BODY}",
        f"DATA:;base64,{BODY}",
        f"data:image/jpeg;name=a.jpg;base64,{BODY[:4]}\n{BODY[4:]}",
        "data:image/png,pic%74ure",
    ],
)
def test_data_urls(source: str) -> None:
    assert read_source(Media("image", source), root=None) == b"picture"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("data:image/png;base64", "is no data URL"),
        ("data:text/html;base64,eA==", "is of type text/html, and an image was expected"),
        ("data:image/png;base64,***", "is no base64"),
        ("data:image/png;base64," + "A" * (2 * MAX_BYTES), "is larger than 64 MiB"),
        ("a.png", "files are not read here. Give a data URL"),
        ("/etc/hostname", "files are not read here"),
        ("file:///etc/hostname", "files are not read here"),
    ],
)
def test_refused_sources(source: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_source(Media("image", source), root=None)
    assert len(str(caught.value)) < 300


def test_files_begin_at_the_root(tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(b"picture")
    for source in ("a b.png", str(tmp_path / "a b.png"), f"file://{tmp_path}/a%20b.png"):
        assert read_source(Media("image", source), root=tmp_path) == b"picture"
    for source in ("none.png", ".", "\0"):
        with pytest.raises(DataError, match=r"there is no such file|cannot be read"):
            read_source(Media("image", source), root=tmp_path)
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(DataError, match="is larger than 64 MiB"):
        read_source(Media("image", "huge.png"), root=tmp_path)


def test_other_kinds_are_refused_by_name() -> None:
    with pytest.raises(DataError, match="is a medium of kind video, and this version answers about images only"):
        read_source(Media("video", "a.mp4"), root=None)


def test_located_in_the_first_folder_that_has_it(tmp_path: Path) -> None:
    rows, here = tmp_path / "rows", tmp_path / "here"
    for folder in (rows, here):
        folder.mkdir()
    (here / "a.png").touch()
    folders = (rows, here)
    assert located(Media("image", "a.png", "tag"), folders) == Media("image", str(here / "a.png"), "tag")
    (rows / "a.png").touch()
    assert located(Media("image", "a.png"), folders).source == str(rows / "a.png")
    assert located(Media("image", "b.png"), folders).source == str(here / "b.png")
    for source in ("https://example.org/a.png", "data:image/png;base64,eA==", "/x/a.png"):
        assert located(Media("image", source), folders).source == source


def test_long_sources_are_cut_in_messages() -> None:
    assert shown("a.png") == "'a.png'"
    assert len(shown("data:" + "A" * 10_000)) < 80
