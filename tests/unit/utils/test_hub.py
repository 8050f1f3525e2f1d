"""Names to folders, as far as no network is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from swift.utils.errors import DataError, ModelError
from swift.utils.hub import fetch_dataset, is_hub_id, package_folder, recorded_id, resolve


def test_a_folder_wins(tmp_path: Path) -> None:
    assert resolve(tmp_path) == tmp_path


@pytest.mark.parametrize("name", ["/no/such/folder", "./gone", "qwen2_5-7b-instrct", "a/b/c"])
def test_a_missing_folder(name: str) -> None:
    with pytest.raises(ModelError, match="there is no such folder"):
        resolve(name, known=["qwen2_5-7b-instruct"])


def test_near_names_are_offered() -> None:
    with pytest.raises(ModelError, match="Did you mean --model_type qwen2_5-7b-instruct"):
        resolve("qwen2_5-7b-instrct", known=["qwen2_5-7b-instruct"])


def test_hub_ids() -> None:
    assert is_hub_id("Qwen/Qwen2.5-7B-Instruct")
    assert not is_hub_id("../Qwen")
    assert not is_hub_id("a/b/c")


def test_folders_of_packages() -> None:
    assert package_folder("/a/b") is None
    assert package_folder("C:/models/x") is None
    assert package_folder("swift.demo:data") == Path(__file__).parents[3] / "swift" / "demo" / "data"
    with pytest.raises(ModelError, match="holds no folder"):
        package_folder("swift.demo:nothing")


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/c/hub/models--Qwen--Qwen2.5-7B/snapshots/0123", "Qwen/Qwen2.5-7B"),
        ("/c/models/Qwen--Qwen2.5-7B/snapshots/master", "Qwen/Qwen2.5-7B"),
        ("/home/me/Qwen2.5-7B", None),
    ],
)
def test_recorded_ids(folder: str, expected: str | None) -> None:
    assert recorded_id(Path(folder)) == expected


def test_old_modelscope_cache(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "Qwen" / "Qwen2___5-7B"
    folder.mkdir(parents=True)
    (folder / ".msc").touch()
    assert recorded_id(folder) == "Qwen/Qwen2.5-7B"


def test_a_data_set_needs_an_id() -> None:
    with pytest.raises(DataError, match="owner/name"):
        fetch_dataset("faq", use_hf=True)
