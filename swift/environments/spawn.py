"""A process in another interpreter: started with a port of ours, watched, and ended with all its children.

Its group lives no longer than this program, whichever way it ends (see ``guard``). Knows nothing of what it serves: whether it
is ready is asked of a function.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from swift.environments import guard
from swift.environments.create import clean_environment
from swift.utils.environ import SWIFT_CACHE
from swift.utils.errors import EngineError
from swift.utils.files import disk_error
from swift.utils.log import logger

__all__ = ["ServerProcess", "Work", "free_port", "log_folder", "start_server"]

KEPT_LOGS = 20
PORT_TRIES = 3
TAIL_LINES = 15
NAMES_ERROR = re.compile(r"\w(Error|Exception)\b: ")
IN_USE = ("address already in use", "eaddrinuse", "errno 98")


@dataclass(frozen=True, slots=True)
class Work:
    """What a family of processes has done since each began, by process id: seconds in which it ran, and in which its threads
    together waited for a free core; pages and bytes that all of them brought from the disk."""

    ran_s: Mapping[int, float]
    waited_s: Mapping[int, float]
    from_disk: int

    def is_more_than(self, before: Work, passed_s: float, idle_share: float, idle_s: float) -> bool:
        """Whether anything was done in the ``passed_s`` since: any reading, processes that came or went, or one that ran for
        more than ``idle_share`` of the time in which it was not kept waiting for a core, and ``idle_s`` besides.

        Waiting alone is no work: on a crowded machine who looks for work and sleeps again is kept waiting, too, each time it
        wakes. What it runs, of the time in which it runs or sleeps, is the same as on an empty machine, and so it is for who works.
        """
        if self.ran_s.keys() != before.ran_s.keys() or self.from_disk != before.from_disk:
            return True
        for pid, ran_s in self.ran_s.items():
            free_s = max(0.0, passed_s - max(0.0, self.waited_s[pid] - before.waited_s[pid]))
            if ran_s - before.ran_s[pid] > idle_s + idle_share * free_s or free_s < idle_share * passed_s:
                return True
        return False


class ServerProcess:
    """A server that runs for us on ``port`` of this machine; its output goes to ``log``.

    ``stop`` ends it and all its children. When it dies by itself, that is logged with its last lines, and ``death`` says it.
    """

    def __init__(
        self, title: str, command: Sequence[str], port: int, log: Path, variables: Mapping[str, str], grace_s: float
    ) -> None:
        self.title, self.port, self.log = title, port, log
        self.started = time.monotonic()
        self._grace_s = grace_s
        self._stopping = False
        self._lock = threading.Lock()
        reading, self._held = os.pipe()
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with open(log, "ab") as output:
                output.write(f"$ {' '.join(command)}\n".encode())
                output.flush()
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", guard.__file__, str(reading), str(grace_s), *command],
                    stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, pass_fds=(reading,),
                    start_new_session=True, env={**clean_environment(command[0]), **variables},
                )  # fmt: skip
        except OSError as error:
            os.close(self._held)
            raise disk_error(error, log) from error
        finally:
            os.close(reading)
        # A daemon: it only waits, and must not hold up the end of the program.
        self._watcher = threading.Thread(target=self._watch, name=f"swift-watch-{title}", daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        """The process id of its guard."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def work(self) -> Work | None:
        """What it and its children have done up to now; None where there is no /proc to say it."""
        ran_s: dict[int, float] = {}
        waited_s: dict[int, float] = {}
        from_disk = 0
        for pid in guard.descendants(self.pid):
            with suppress(OSError, ValueError, IndexError):  # one that ended meanwhile
                # behind the name: state, parent, ..., [9] major faults, [11] user and [12] system time
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                waited_s[pid] = _waited_s(pid)
                ran_s[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                from_disk += int(fields[9])
                found = re.search(r"^read_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
                from_disk += int(found[1]) if found else 0
        return Work(ran_s, waited_s, from_disk) if ran_s else None

    def death(self, wait_s: float = 0.0) -> str | None:
        """How it ended, with the last lines of its log; None while it runs. Waits up to ``wait_s`` for an end under way."""
        try:
            code = self._process.wait(timeout=wait_s) if wait_s else self._process.poll()
        except subprocess.TimeoutExpired:
            return None
        return None if code is None else f"{self._how(code)}. The end of its log ({self.log}):\n{tail(self.log)}"

    @property
    def end(self) -> str | None:
        """How it ended, in one sentence that names its log; None while it runs."""
        code = self._process.poll()
        return None if code is None else f"{self._how(code)}; its log: {self.log}"

    def _how(self, code: int) -> str:
        return f"{self.title} " + (
            f"was ended by signal {code - 128}" if code > 128 else f"ended with exit code {code}"
        )

    def stop(self) -> None:
        """End it and everything it started; returns when nothing of it is left. May be called twice."""
        with self._lock:
            self._stopping = True
            if self._held >= 0:
                os.close(self._held)
                self._held = -1
        try:
            self._process.wait(timeout=self._grace_s + 10)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its child dies with it
            self._process.wait()

    def _watch(self) -> None:
        self._process.wait()
        with self._lock:
            by_itself = not self._stopping
        if by_itself:
            logger.error("%s", self.death())


def start_server(
    title: str,
    command: Callable[[int], Sequence[str]],
    is_ready: Callable[[ServerProcess], bool],
    *,
    variables: Mapping[str, str] | None = None,
    timeout_s: float = 900.0,
    grace_s: float = 10.0,
) -> ServerProcess:
    """Start ``command(port)`` and wait until ``is_ready`` says that it answers.

    A port that somebody else took in between is replaced by another. Raises EngineError with the end of its log where it dies
    or is not ready in time; nothing of it is left then.
    """
    for _attempt in range(PORT_TRIES):
        log = log_folder() / f"{title.lower().replace(' ', '-')}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        port = free_port()
        server = ServerProcess(title, command(port), port, log, variables or {}, grace_s)
        try:
            _wait(server, is_ready, timeout_s)
            logger.info("%s answers after %.0f s (log: %s)", title, time.monotonic() - server.started, log)
            return server
        except _PortTakenError:
            server.stop()
        except BaseException:
            server.stop()
            raise
    raise EngineError(f"{title}: {PORT_TRIES} ports in turn were taken by others while it started. Try again.")


class _PortTakenError(Exception):
    """It could not listen where it was told to."""


def _wait(server: ServerProcess, is_ready: Callable[[ServerProcess], bool], timeout_s: float) -> None:
    told = server.started
    while not is_ready(server):
        now = time.monotonic()
        if not server.is_running:
            server._stopping = True
            end = tail(server.log, 60).lower()
            if any(sign in end for sign in IN_USE):
                raise _PortTakenError
            raise EngineError(f"{server.death()}")
        if now - server.started > timeout_s:
            raise EngineError(
                f"{server.title} did not answer within {timeout_s:.0f} s. The end of its log ({server.log}):\n{tail(server.log)}"
            )
        if now - told >= 15:
            told = now
            logger.info(
                "%s starts (%.0f s): %s", server.title, now - server.started, tail(server.log, 1).strip(" |")[:160]
            )
        time.sleep(0.2)


def _waited_s(pid: int) -> float:
    """For how long its threads could have run and got no core."""
    waited = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError, IndexError):
            waited += int(thread.read_text().split()[1])
    return waited / 1e9


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def log_folder() -> Path:
    """Where the output of servers is kept; only the newest files stay."""
    folder = Path(SWIFT_CACHE.read() or "~/.cache/swift").expanduser() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
    for old in logs[: max(0, len(logs) - KEPT_LOGS)]:
        old.unlink(missing_ok=True)
    return folder


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented; above them the last one that names an error, where it stands earlier."""
    with open(log, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 32_768))
        text = file.read().decode("utf-8", errors="replace")
    every = text.strip().splitlines()
    # Interpreters that are torn down may write pages about themselves behind what they died of.
    errors = [line for line in every[:-lines] if NAMES_ERROR.search(line)][-1:]
    if lines == 1 or any(map(NAMES_ERROR.search, every[-lines:])):
        errors = []
    return "\n".join(f"  | {line[:300]}" for line in (*errors, *every[-lines:]))
