"""Processes in other interpreters: started, watched, and gone with all their children whichever way we end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from swift.environments.spawn import ServerProcess, Work, start_server, tail
from swift.utils.errors import EngineError

ROOT = Path(__file__).parents[3]
SERVER = """
import http.server, os, subprocess, sys
port, note = int(sys.argv[1]), sys.argv[2]
child = subprocess.Popen([sys.executable, "-S", "-c", "import os, time; os.setsid(); time.sleep(100)"])  # leaves the group
open(note + ".new", "w").write(f"{os.getpid()} {child.pid}")
os.rename(note + ".new", note)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            print("the last words", flush=True)
            os._exit(3)
        self.send_response(200); self.end_headers(); self.wfile.write(b"well")
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""


def command(port: int, note: Path) -> list[str]:
    return [sys.executable, "-S", "-c", SERVER, str(port), str(note)]


def answers(server: ServerProcess) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=2) as answer:
            return bool(answer.read() == b"well")
    except OSError:
        return False


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pids: list[int]) -> list[int]:
    until = time.monotonic() + 10
    while any(map(is_alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return [pid for pid in pids if is_alive(pid)]


linux = pytest.mark.skipif(sys.platform != "linux", reason="children are found through /proc")


@linux
def test_stop_ends_the_process_and_what_it_started(tmp_path: Path) -> None:
    server = start_server("Test", lambda port: command(port, tmp_path / "pids"), answers, timeout_s=30, grace_s=2)
    try:
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert server.is_running
        assert server.death() is None
        assert all(map(is_alive, pids))
    finally:
        server.stop()
    assert wait_until_gone(pids) == []
    server.stop()  # twice is fine


@linux
def test_a_death_is_told_with_the_last_lines_and_leaves_no_child(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server = start_server("Test", lambda port: command(port, tmp_path / "pids"), answers, timeout_s=30, grace_s=2)
    try:
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        with pytest.raises(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/die", timeout=5)
        death = server.death(wait_s=10)
    finally:
        server.stop()
    assert death is not None
    assert "Test ended with exit code 3" in death
    assert "the last words" in death
    assert wait_until_gone(pids) == []
    assert "the last words" in capfd.readouterr().err


@linux
def test_killing_us_leaves_no_orphan(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    program = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_spawn import answers, command, start_server
start_server("Test", lambda port: command(port, Path({str(note)!r})), answers, timeout_s=30, grace_s=2)
print("up", flush=True)
time.sleep(100)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "SWIFT_CACHE": str(tmp_path)}
    )  # fmt: skip
    pids: list[int] = []
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        pids = [int(pid) for pid in note.read_text().split()]
        assert all(map(is_alive, pids))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert wait_until_gone(pids) == []
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        for pid in pids:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def test_one_that_does_not_come_up_says_why() -> None:
    with pytest.raises(EngineError, match=r"Test ended with exit code 1[\s\S]*no module named nothing"):
        start_server(
            "Test",
            lambda _: [sys.executable, "-S", "-c", "raise SystemExit('no module named nothing')"],
            answers,
            timeout_s=30,
        )


def test_one_that_never_answers_is_ended(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="did not answer within 0 s"):
        start_server("Test", lambda port: command(port, tmp_path / "pids"), lambda _: False, timeout_s=0.3, grace_s=1)


def test_a_port_that_was_taken_is_replaced_by_another(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        tried: list[int] = []

        def on_taken_port_first(port: int) -> list[str]:
            tried.append(port)
            return command(port if len(tried) > 1 else other.getsockname()[1], tmp_path / "pids")

        server = start_server(
            "Test", on_taken_port_first, lambda one: len(tried) > 1 and answers(one), timeout_s=30, grace_s=2
        )
        server.stop()
    assert len(tried) == 2


def test_the_end_of_a_log_names_the_error_before_the_noise(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("start\nKeyError: first\nEngineDeadError: the core is gone\n" + "leaked function\n" * 40)
    assert tail(log, 3).splitlines() == ["  | EngineDeadError: the core is gone", *["  | leaked function"] * 3]
    log.write_text("KeyError: first\nleaked\nValueError: last\n")
    assert tail(log, 2).splitlines() == ["  | leaked", "  | ValueError: last"]


@pytest.mark.parametrize(
    ("ran_s", "waited_s", "from_disk", "is_work"),
    [
        (0.9, 0.0, 0, False),  # it looks for work, 40 times a second
        (0.82, 4.5, 0, False),  # the same on a crowded machine, as seen of vLLM's workers
        (0.5, 40.0, 0, False),
        (0.0, 0.0, 1, True),
        (3.2, 0.0, 0, True),
        (0.7, 55.0, 0, True),  # it runs whenever it gets a core, which is seldom
        (0.02, 59.0, 0, True),
    ],
)
def test_looking_for_work_is_none_however_crowded_the_machine_is(
    ran_s: float, waited_s: float, from_disk: int, is_work: bool
) -> None:
    before = Work({1: 100.0, 2: 5.0}, {1: 70.0, 2: 0.0}, 0)
    now = Work({1: 100.0 + ran_s, 2: 5.0}, {1: 70.0 + waited_s, 2: 0.0}, from_disk)
    assert now.is_more_than(before, 60.0, 0.05, 0.05) is is_work
    assert Work({1: 100.0}, {1: 70.0}, 0).is_more_than(before, 60.0, 0.05, 0.05)  # one has ended
