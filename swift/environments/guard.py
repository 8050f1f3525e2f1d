"""Watch one process for another: a script of its own, started by ``spawn`` as ``python guard.py FD GRACE_S COMMAND…``.

FD is the reading end of a pipe that only our program holds open at the other end. When that ends (closed on purpose, or because
the program was killed, however), the command is asked to end with all its children, and after GRACE_S seconds made to. When the
command ends by itself, its children go too, and its exit code is ours. Imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(fd: int, grace_s: float, command: list[str]) -> int:
    """Run the command until it ends or the pipe does; returns its exit code, 128 + N for signal N."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)  # children whose parents die become ours, and can be found
    asked_to_end: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda seen, _frame: asked_to_end.append(seen))
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        # For the case that this script is killed itself. One thread only, so that nothing can happen between fork and exec.
        preexec_fn=lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    while child.poll() is None and not asked_to_end:
        with suppress(InterruptedError):
            if select.select([fd], [], [], 0.1)[0] and not os.read(fd, 1):
                asked_to_end.append(0)
    end(child, grace_s)
    code = child.wait()
    return code if code >= 0 else 128 - code


def end(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """End the command's whole group and every process that came from it: politely, then not."""
    _signal(child.pid, signal.SIGTERM)
    until = time.monotonic() + grace_s
    while time.monotonic() < until and (child.poll() is None or descendants(os.getpid())):
        if child.poll() is not None:
            # Its children outlived it: they have had the signal as members of its group, those that left it have not.
            for pid in descendants(os.getpid()):
                _kill(pid, signal.SIGTERM)
        _reap(child.pid)
        time.sleep(0.05)
    _signal(child.pid, signal.SIGKILL)
    for pid in descendants(os.getpid()):
        _kill(pid, signal.SIGKILL)
    _reap(child.pid)


def descendants(ancestor: int) -> list[int]:
    """The process ids of all living children of a process, and of theirs; nothing where there is no /proc."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            # "pid (name, which may hold spaces and brackets) state parent …"
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    found: list[int] = []
    for pid in parents:
        above = pid
        while above in parents and above != ancestor:
            above = parents[above]
        if above == ancestor and pid != ancestor:
            found.append(pid)
    return found


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _kill(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _reap(child: int) -> None:
    """Collect adopted children that ended; the command's own exit code is left to be read."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            pid = int(stat.parent.name)
            if state == "Z" and int(parent) == os.getpid() and pid != child:
                os.waitpid(pid, os.WNOHANG)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
