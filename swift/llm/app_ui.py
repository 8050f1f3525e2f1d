"""``swift app-ui``: a page in the browser to chat with one model.

The model is served by ``swift deploy`` in a process of its own, for this page only (or it is served already, somewhere else);
the page is a client of it.
"""

from __future__ import annotations

import json
import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swift.llm.answering.planning import make_infer_plan
from swift.llm.arguments.commands import AppUiArguments
from swift.llm.arguments.given import given_in_python
from swift.llm.plan.app_ui import AppUiPlan, check_app_ui, resolve_app_ui
from swift.llm.plan.deploy import SERVER_NEEDS
from swift.llm.plan.explain import run_or_show
from swift.llm.plan.facts import read_keys
from swift.utils.errors import EngineError, PlanError
from swift.utils.lazy import require

if TYPE_CHECKING:
    from swift.environments.spawn import ServerProcess

__all__ = ["app_ui_main", "main", "make_plan", "run"]

NEEDS = ("gradio>=6.20", "openai>=2")
WATCH_S = 0.5


def make_plan(args: AppUiArguments, sources: Mapping[str, str] | None = None) -> AppUiPlan:
    """The frozen plan of these arguments; loads no weights. Raises PlanError with every conflict at once."""
    return _plan(args, given_in_python(args) if sources is None else sources, _keys(args))


def _plan(args: AppUiArguments, told: Mapping[str, str], keys: list[str] | None) -> AppUiPlan:
    problems = check_app_ui(args, told, keys)
    infer = None
    if args.api_base is None:
        try:
            infer = make_infer_plan(args, told)
        except PlanError as error:
            for problem in error.problems:
                problems.add(problem)
    problems.stop_if_any()
    return resolve_app_ui(args, told, infer)


def _keys(args: AppUiArguments) -> list[str] | None:
    return None if args.api_key_file is None else read_keys("api_key_file", args.api_key_file)


def run(plan: AppUiPlan, api_key: str | None = None) -> None:
    """Serve the page until a signal ends it. Raises SwiftError, EngineError where the model's server ends by itself."""
    require(*NEEDS, extra="ui")
    from swift.llm.serve.server import bind
    from swift.ui.chat_client import ChatClient
    from swift.ui.chat_page import open_page

    listener = bind(plan.host, plan.port)  # a taken port is told before weights are loaded
    port = listener.getsockname()[1]
    with _served(plan, api_key) as (url, key, server):
        page = open_page(ChatClient(url, key), title=plan.title, is_base=plan.is_base)
        listener.close()
        try:
            local, public = page.launch(plan.host, port, share=plan.share, block=False)
        except OSError as error:
            raise PlanError([f"--port {port}: cannot be had on {plan.host} ({error})."]) from None
        print(f"the page: {local}" + (f"  public: {public}" if public else ""), flush=True)
        try:
            _wait(server)
        finally:
            page.blocks.close()


@contextmanager
def _served(plan: AppUiPlan, api_key: str | None) -> Iterator[tuple[str, str | None, ServerProcess | None]]:
    """Address and key of the server, and its process where it is ours; it ends with the block."""
    if plan.api_base is not None:
        yield plan.api_base, api_key, None
        return
    require(*SERVER_NEEDS, extra="serve")
    import httpx

    from swift.environments.spawn import start_server

    def is_ready(server: ServerProcess) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{server.port}/ready", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    key = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="swift-app-ui-") as folder:  # only we may read what is in it
        settings, keys = Path(folder) / "deploy.json", Path(folder) / "keys.txt"
        settings.write_text(json.dumps(dict(plan.served)), encoding="utf-8")
        keys.write_text(key + "\n", encoding="utf-8")

        def command(port: int) -> list[str]:
            where = ["--host", "127.0.0.1", "--port", str(port), "--api_key_file", str(keys)]
            return [sys.executable, "-m", "swift", "deploy", str(settings), *where]

        server = start_server("swift deploy", command, is_ready)
        try:
            yield f"http://127.0.0.1:{server.port}/v1", key, server
        finally:
            server.stop()


def _wait(server: ServerProcess | None) -> None:
    """Until a signal comes. Raises EngineError where the server ends before."""
    asked = threading.Event()
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not asked.wait(WATCH_S):
            if server is not None and not server.is_running:
                raise EngineError(f"{server.death()}")
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def app_ui_main(args: AppUiArguments) -> AppUiPlan | None:
    """The page with arguments built in Python: the same as ``swift app-ui`` with them as flags.

    Returns when a signal has ended it, or the plan with ``dry_run=True``. Raises SwiftError where the command line would show
    a message.
    """
    return _app_ui(args, given_in_python(args))


def main(parsed: Any) -> int:
    """Run the command."""
    _app_ui(parsed.args, parsed.sources)
    return 0


def _app_ui(args: AppUiArguments, sources: Mapping[str, str]) -> AppUiPlan | None:
    keys = _keys(args)  # beside the plan, which is printed
    plan = _plan(args, sources, keys)
    return run_or_show(plan, lambda plan: run(plan, keys[0] if keys else None), dry_run=args.dry_run)
