"""Arguments of the server to its plan: what is refused, with the flag, and that keys are kept as digests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from swift.llm.arguments.commands import DeployArguments
from swift.llm.arguments.given import given_in_python
from swift.llm.plan.deploy import HttpPlan, resolve_http
from swift.llm.plan.facts import read_keys
from swift.utils.errors import PlanError


def resolve(keys: dict[str, list[str]] | None = None, **given: Any) -> HttpPlan:
    args = DeployArguments(**given)
    http, problems, _ = resolve_http(args, given_in_python(args), keys or {})
    problems.stop_if_any()
    return http


def test_defaults() -> None:
    http = resolve()
    assert (http.host, http.port, http.keys.clients, http.keys.admin) == ("0.0.0.0", 8000, (), None)
    assert (http.max_body_bytes, http.request_timeout_s, http.log_requests) == (16 * 2**20, 1800.0, True)
    assert (http.allowed_image_hosts, http.max_images, http.image_timeout_s) == ((), 16, 20.0)
    hosts = ("*", "example.org", "*.example.org", "example.org:8443", "http://example.org")
    assert resolve(allowed_image_hosts=hosts).allowed_image_hosts == hosts
    assert resolve(request_timeout=0.0).request_timeout_s is None
    assert resolve(verbose=False).log_requests is False


def test_keys_are_digests(tmp_path: Path) -> None:
    files = {"k": ["b", "c"], "a": ["d"]}
    http = resolve(files, api_key="a", api_key_file="k", admin_api_key_file="a", adapter_roots=(str(tmp_path),))
    assert http.keys.clients == tuple(hashlib.sha256(key).hexdigest() for key in (b"a", b"b", b"c"))
    assert http.keys.admin == hashlib.sha256(b"d").hexdigest()


def test_a_file_of_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    file.write_text("# ours\nsk-a\n\n  # and theirs\n sk-b \n")
    assert read_keys("api_key_file", str(file)) == ["sk-a", "sk-b"]
    file.write_text("sk-a\nsk-b # theirs\n")
    with pytest.raises(PlanError, match=r"keys.txt:2: a key holds no blanks") as told:
        read_keys("api_key_file", str(file))
    assert "sk-" not in str(told.value)


@pytest.mark.parametrize(
    ("given", "keys", "told"),
    [
        ({"port": 70000}, {}, "--port 70000"),
        ({"ssl_keyfile": "k"}, {}, "TLS needs both"),
        ({"api_key": ""}, {}, "--api_key: is empty"),
        ({"api_key_file": "k"}, {"k": []}, "--api_key_file k: holds no key"),
        ({"adapter_roots": ("/nowhere",)}, {}, "nobody may load adapters without an admin key"),
        ({"admin_api_key_file": "a"}, {"a": ["x"]}, "needs --adapter_roots"),
        ({"admin_api_key_file": "a", "adapter_roots": ("/nowhere",)}, {"a": ["x", "y"]}, "holds several keys"),
        ({"admin_api_key_file": "a", "adapter_roots": ("/",), "api_key": "x"}, {"a": ["x"]}, "a key of the clients"),
        ({"admin_api_key_file": "a", "adapter_roots": ("/nowhere",)}, {"a": ["x"]}, "no such folder"),
        ({"max_queue": -1}, {}, "--max_queue -1"),
        ({"max_images": 0}, {}, "--max_images 0"),
        (
            {"allowed_image_hosts": ("https://example.org/x",)},
            {},
            "--allowed_image_hosts https://example.org/x: is written as",
        ),
        ({"allowed_image_hosts": ("exa*mple.org",)}, {}, "--allowed_image_hosts exa*mple.org"),
        ({"max_body_mb": 0.0}, {}, "--max_body_mb 0"),
        ({"max_tokens_limit": 0}, {}, "--max_tokens_limit 0"),
        ({"request_timeout": -1.0}, {}, "--request_timeout"),
        ({"log_interval": -1}, {}, "--log_interval -1"),
        ({"model_aliases": ("",)}, {}, "--model_aliases: a name is empty"),
        ({"dataset": ("x",)}, {}, "--dataset: a server answers its clients"),
        ({"eval_human": True}, {}, "--eval_human"),
        ({"stream": False}, {}, "--stream"),
        ({"result_dir": "x"}, {}, "--result_dir"),
    ],
)
def test_what_cannot_be_is_told_with_its_flag(given: dict[str, Any], keys: dict[str, list[str]], told: str) -> None:
    with pytest.raises(PlanError) as caught:
        resolve(keys, **given)
    assert told in str(caught.value)
