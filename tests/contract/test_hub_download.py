"""Downloads through the hubs' own packages, against a server of this machine that speaks both protocols."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from swift.utils.hub import recorded_id

COMMIT = "c" * 40
WEIGHTS = os.urandom(300_000)
CARD = b"---\nconfigs:\n- config_name: main\n  data_files:\n  - split: train\n    path: main/train-*\n---\nText.\n"
REPOSITORIES = {
    "acme/tiny": {
        "config.json": b'{"architectures": ["LlamaForCausalLM"]}',
        "tokenizer.json": b"{}",
        "model.safetensors": WEIGHTS,
        "pytorch_model.bin": b"pickle",
    },
    "acme/pickled": {"config.json": b"{}", "pytorch_model.bin": b"pickle"},
    "acme/faq": {
        "README.md": CARD,
        "main/train-0.jsonl": b'{"text": "a"}\n',
        "main/test-0.jsonl": b'{"text": "b"}\n',
        "other/train-0.jsonl": b'{"text": "c"}\n',
    },
    "acme/plain": {"train.jsonl": b'{"text": "a"}\n', "test.jsonl": b'{"text": "b"}\n'},
    "acme/single": {"rows.json": b"[]", "valid.json": b"[]"},
    "acme/many": {
        "LICENSE.txt": b"do what you like",
        "data/de/train-00000-of-00001.parquet": b"p",
        "data/de/validation-00000-of-00001.parquet": b"p",
        "data/en/train-00000-of-00001.parquet": b"p",
        "data/en/train-00000-of-00001.csv": b"c",
    },
}


class Hub(BaseHTTPRequestHandler):
    """The few addresses that the packages ask for. ``cut`` drops the connection in the middle of the weights."""

    cut = False
    requested: list[str] = []

    def _repository(self) -> tuple[str, str] | None:
        match = re.match(r"/(?:datasets/)?([\w.-]+/[\w.-]+)/resolve/[^/]+/(.+)", self.path.split("?")[0])
        return (match[1], match[2]) if match else None

    def do_HEAD(self) -> None:
        self._file(body=False)

    def do_GET(self) -> None:
        if self.path.startswith("/api/v1/"):
            return self._modelscope()
        info = re.match(r"/api/(?:models|datasets)/([\w.-]+/[\w.-]+)/(revision|tree)/", self.path)
        if info is None:
            return self._file(body=True)
        files = REPOSITORIES.get(info[1])
        if files is None:
            return self._send(404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"})
        if info[2] == "tree":
            tree = [{"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in files.items()]
            return self._send(200, json.dumps(tree).encode())
        answer = {"id": info[1], "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
        return self._send(200, json.dumps(answer).encode())

    def _file(self, *, body: bool) -> None:
        place = self._repository()
        data = REPOSITORIES.get(place[0], {}).get(place[1]) if place else None
        if data is None:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if not body:
            return self._send(200, data, headers, body=False)
        Hub.requested.append(place[1])
        start = int((re.match(r"bytes=(\d+)-", self.headers.get("Range", "")) or ["", "0"])[1])
        if Hub.cut and place[1].endswith(".safetensors"):
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start : start + 10_000])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
            return None
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self._send(206 if start else 200, data[start:], headers)

    def _modelscope(self) -> None:
        address = urlparse(self.path)
        match = re.match(r"/api/v1/(?:models|datasets)/([\w.-]+/[\w.-]+)/repo", address.path)
        files = REPOSITORIES.get(match[1]) if match else None
        if files is None:
            return self._send(404, b'{"Code": 10010205001, "Message": "Not found", "Success": false}')
        wanted = parse_qs(address.query).get("FilePath")
        if wanted:
            Hub.requested.append(wanted[0])
            return self._send(200, files[wanted[0]])
        tree = [
            {"Path": name, "Name": name, "Size": len(data), "Type": "blob", "Sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        ]
        answer = {
            "Code": 200,
            "Data": {"Files": tree, "TotalCount": len(tree)},
            "TotalCount": len(tree),
            "Success": True,
        }
        return self._send(200, json.dumps(answer).encode())

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None, *, body: bool = True) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.cut = False
    Hub.requested.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def ask(call: str, endpoint: str, home: Path, **environment: str) -> str:
    """Run one call in a process of its own: the hub's package reads its address when it is imported."""
    pytest.importorskip("huggingface_hub")
    code = (
        "from swift.utils import hub\n"
        "from swift.utils.errors import SwiftError\n"
        f"try:\n    print('FOUND', {call})\n"
        "except SwiftError as error:\n    print(type(error).__name__, error)\n"
    )
    variables = {
        "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "MODELSCOPE_ENDPOINT": endpoint, "MODELSCOPE_CACHE": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_ETAG_TIMEOUT": "2", "HF_HUB_DOWNLOAD_TIMEOUT": "2", **environment,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **variables}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout
    return done.stdout.strip()


def test_a_model_is_fetched_without_pickles(hub: str, tmp_path: Path) -> None:
    answer = ask("hub.resolve('acme/tiny', use_hf=True)", hub, tmp_path)
    folder = Path(answer.removeprefix("FOUND "))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert recorded_id(folder) == "acme/tiny"


def test_only_config_leaves_the_weights_for_later(hub: str, tmp_path: Path) -> None:
    answer = ask("hub.resolve('acme/tiny', use_hf=True, only_config=True)", hub, tmp_path)
    first = Path(answer.removeprefix("FOUND "))
    assert (first / "config.json").is_file()
    assert "model.safetensors" not in Hub.requested
    second = ask("hub.resolve('acme/tiny', use_hf=True)", hub, tmp_path)
    assert Path(second.removeprefix("FOUND ")) == first
    assert (first / "model.safetensors").is_file()


def test_an_interrupted_download_leaves_nothing_half_written(hub: str, tmp_path: Path) -> None:
    Hub.cut = True
    answer = ask("hub.resolve('acme/tiny', use_hf=True)", hub, tmp_path)
    assert answer.startswith("ModelError acme/tiny: cannot be fetched from Hugging Face")
    assert "Run the command again" in answer
    assert "--use_hf false" in answer
    assert list(tmp_path.rglob("model.safetensors")) == []
    Hub.cut = False
    again = ask("hub.resolve('acme/tiny', use_hf=True)", hub, tmp_path)
    assert (Path(again.removeprefix("FOUND ")) / "model.safetensors").read_bytes() == WEIGHTS


def test_what_the_hub_does_not_have(hub: str, tmp_path: Path) -> None:
    answer = ask("hub.resolve('acme/nothing', use_hf=True, known=['acme-nothing-7b'])", hub, tmp_path)
    assert "Hugging Face has no such model" in answer
    assert "ModelScope" in answer
    assert "acme-nothing-7b" in answer


def test_pickled_weights_are_refused(hub: str, tmp_path: Path) -> None:
    answer = ask("hub.resolve('acme/pickled', use_hf=True)", hub, tmp_path)
    assert "no safetensors weights" in answer
    assert "pytorch_model.bin" not in Hub.requested


def test_an_unreachable_hub_is_told_on_one_screen(tmp_path: Path) -> None:
    answer = ask("hub.resolve('acme/tiny', use_hf=True)", "http://127.0.0.1:9", tmp_path)
    assert "cannot be fetched from Hugging Face" in answer
    assert "local folder" in answer
    assert len(answer.splitlines()) < 6


def test_offline_takes_the_cache_and_nothing_else(hub: str, tmp_path: Path) -> None:
    ask("hub.resolve('acme/tiny', use_hf=True)", hub, tmp_path)
    found = ask("hub.resolve('acme/tiny', use_hf=True)", hub, tmp_path, HF_HUB_OFFLINE="1")
    assert found.startswith("FOUND ")
    answer = ask("hub.resolve('acme/faq', use_hf=True)", hub, tmp_path, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE" in answer


@pytest.mark.parametrize(
    ("call", "files"),
    [
        ("'acme/faq', use_hf=True, subsets=('main',)", ["train-0.jsonl"]),
        ("'acme/faq', use_hf=True", ["train-0.jsonl"]),
        ("'acme/plain', use_hf=True", ["train.jsonl"]),
        ("'acme/plain', use_hf=True, split=('test',)", ["test.jsonl"]),
        ("'acme/single', use_hf=True", ["rows.json"]),
        ("'acme/many', use_hf=True, subsets=('de', 'en')", ["train-00000-of-00001.parquet"] * 2),
    ],
)
def test_a_data_set_gives_the_files_of_its_split(hub: str, tmp_path: Path, call: str, files: list[str]) -> None:
    answer = ask(f"[str(path) for path in hub.fetch_dataset({call})]", hub, tmp_path)
    assert [Path(name).name for name in re.findall(r"'([^']+)'", answer)] == files


def test_an_unknown_subset_is_told(hub: str, tmp_path: Path) -> None:
    answer = ask("hub.fetch_dataset('acme/faq', use_hf=True, subsets=('mian',))", hub, tmp_path)
    assert "has no subset 'mian'; it has main" in answer


def test_only_the_chosen_files_travel(hub: str, tmp_path: Path) -> None:
    first = ask("[path.name for path in hub.fetch_dataset('acme/many', use_hf=True, subsets=('en',))]", hub, tmp_path)
    assert first == "FOUND ['train-00000-of-00001.parquet']"
    assert Hub.requested == ["data/en/train-00000-of-00001.parquet"]
    call = "[path.name for path in hub.fetch_dataset('acme/many', use_hf=True, subsets=('en',))]"
    assert ask(call, hub, tmp_path, HF_HUB_OFFLINE="1") == first


def test_an_unknown_split_is_told(hub: str, tmp_path: Path) -> None:
    answer = ask("hub.fetch_dataset('acme/plain', use_hf=True, split=('dev',))", hub, tmp_path)
    assert "acme/plain: has no split dev; it has test, train." in answer
    answer = ask("hub.fetch_dataset('acme/nothing', use_hf=True)", hub, tmp_path)
    assert "Hugging Face has no such dataset" in answer


def test_modelscope_gives_the_same_model(hub: str, tmp_path: Path) -> None:
    pytest.importorskip("modelscope_hub")
    first = ask("hub.resolve('acme/tiny', use_hf=False, only_config=True)", hub, tmp_path)
    folder = Path(first.removeprefix("FOUND "))
    assert recorded_id(folder) == "acme/tiny"
    assert "model.safetensors" not in Hub.requested
    second = ask("hub.resolve('acme/tiny', use_hf=False)", hub, tmp_path)
    assert Path(second.removeprefix("FOUND ")) == folder
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert "pytorch_model.bin" not in Hub.requested


def test_what_modelscope_does_not_have(hub: str, tmp_path: Path) -> None:
    pytest.importorskip("modelscope_hub")
    answer = ask("hub.resolve('acme/nothing', use_hf=False)", hub, tmp_path)
    assert "ModelScope has no such model" in answer
    assert "--use_hf true" in answer


def test_a_data_set_of_modelscope(hub: str, tmp_path: Path) -> None:
    pytest.importorskip("modelscope_hub")
    answer = ask("[path.name for path in hub.fetch_dataset('acme/plain', use_hf=False)]", hub, tmp_path)
    assert answer == "FOUND ['train.jsonl']"
