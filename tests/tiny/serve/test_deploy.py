"""`swift deploy` as a process: the demo model behind the engine pt, from the first line to the exit code."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

openai = pytest.importorskip("openai")
pytest.importorskip("fastapi")

from swift.cli.main import main  # noqa: E402

KEYS = "# of the test\nsk-one\nsk-two\n"


class Deployed:
    """A server process and a client of it."""

    def __init__(self, *arguments: str) -> None:
        command = [
            sys.executable,
            "-m",
            "swift",
            "deploy",
            "--model_type",
            "demo-chat",
            "--host",
            "127.0.0.1",
            *arguments,
        ]
        self.process = subprocess.Popen(
            [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        found = re.search(r"http://\S+", self.line)
        assert found is not None, self.process.stderr.read() if self.process.stderr else ""
        self.client = openai.OpenAI(base_url=found.group(0), api_key="sk-two", max_retries=0)

    def close(self) -> None:
        """Whatever happened, the process is gone."""
        self.client.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    keys = tmp_path_factory.mktemp("keys") / "keys.txt"
    keys.write_text(KEYS)
    server = Deployed("--api_key_file", str(keys), "--model_aliases", "gpt-4o", "--seed", "3")
    try:
        yield server
    finally:
        server.close()


def ask(deployed: Deployed, text: str = "Who are you?", **options: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return deployed.client.chat.completions.create(model="demo-chat", messages=messages, **options)


def test_it_says_where_it_is_and_answers(deployed: Deployed) -> None:
    assert deployed.line.startswith("serving demo-chat, gpt-4o on http://127.0.0.1:")
    whole = ask(deployed, temperature=0, max_tokens=24)
    assert whole.choices[0].message.content
    chunks = list(ask(deployed, temperature=0, max_tokens=24, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content


def test_a_default_seed_holds_for_requests_without_one(deployed: Deployed) -> None:
    first, second = (ask(deployed, temperature=1.5, max_tokens=16, n=2).choices for _ in range(2))
    assert [one.message.content for one in first] == [one.message.content for one in second]
    assert first[0].message.content != first[1].message.content


def test_log_probabilities_are_those_of_the_model(deployed: Deployed) -> None:
    told = ask(deployed, temperature=0, max_tokens=6, logprobs=True, top_logprobs=3).choices[0].logprobs.content
    assert all(len(one.top_logprobs) == 3 and one.logprob == one.top_logprobs[0].logprob for one in told)


def test_an_answer_in_a_form(deployed: Deployed) -> None:
    schema = {
        "type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 9}}, "required": ["age"],
        "additionalProperties": False,
    }  # fmt: skip
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    answer = ask(deployed, response_format=form, max_tokens=400).choices[0]
    assert 0 <= json.loads(answer.message.content)["age"] <= 9
    assert answer.finish_reason == "stop"
    form["json_schema"]["schema"] = {"type": "objekt"}
    with pytest.raises(openai.BadRequestError, match="cannot be followed") as refused:
        ask(deployed, response_format=form)
    assert refused.value.param == "response_format"


def test_a_taken_port_is_told_before_weights_are_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["deploy", "--model_type", "demo-chat", "--host", "127.0.0.1", "--port", str(port)]) == 2
    assert f"--port {port}: cannot be had on 127.0.0.1" in capsys.readouterr().err


def test_a_certificate_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key.pem").write_text("no key")
    flags = ["--ssl_keyfile", str(tmp_path / "key.pem"), "--ssl_certfile", str(tmp_path / "key.pem")]
    assert main(["deploy", "--model_type", "demo-chat", "--port", "0", *flags]) == 2
    assert "cannot be used" in capsys.readouterr().err


def test_keys_are_shown_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys.txt").write_text(KEYS)
    flags = ["--api_key", "sk-secret", "--api_key_file", str(tmp_path / "keys.txt"), "--dry_run"]
    assert main(["deploy", "--model_type", "demo-chat", *flags]) == 0
    shown = capsys.readouterr()
    assert "sk-" not in shown.out + shown.err
    assert "names      demo-chat" in shown.out


def test_at_last_running_answers_finish_and_new_ones_are_refused(deployed: Deployed) -> None:
    end = {str(id_): -100 for id_ in range(3)}  # the demo model's control tokens: it must go on
    chunks = iter(ask(deployed, max_tokens=400, stream=True, logit_bias=end))
    next(chunks)
    deployed.process.send_signal(signal.SIGTERM)
    with pytest.raises(openai.InternalServerError) as refused:
        for _ in range(1000):
            ask(deployed, max_tokens=1)
    assert refused.value.status_code == 503
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "length"
    _, log = deployed.process.communicate(timeout=60)
    assert deployed.process.returncode == 0, log
    assert "POST /v1/chat/completions 200" in log
    assert "sk-" not in log
    assert "Traceback" not in log
