"""``swift deploy``: serve a model over HTTP with the OpenAI interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from swift.llm.answering.planning import make_infer_plan
from swift.llm.arguments.commands import DeployArguments
from swift.llm.arguments.given import given_in_python
from swift.llm.plan.deploy import SERVER_NEEDS, DeployPlan, resolve_deploy, resolve_http
from swift.llm.plan.explain import run_or_show
from swift.llm.plan.facts import read_keys
from swift.llm.plan.infer import sampling_of
from swift.utils.environ import TIMEOUT
from swift.utils.errors import PlanError
from swift.utils.lazy import require
from swift.utils.log import logger

if TYPE_CHECKING:
    import socket

__all__ = ["deploy_main", "main", "make_plan", "run"]


def make_plan(args: DeployArguments, sources: Mapping[str, str] | None = None) -> DeployPlan:
    """The frozen plan of these arguments; loads no weights. Raises PlanError with every conflict at once."""
    told = given_in_python(args) if sources is None else sources
    http, problems, reasons = resolve_http(args, told, _read_keys(args), TIMEOUT.read())
    try:
        infer = make_infer_plan(args, told)
    except PlanError as error:
        for problem in error.problems:
            problems.add(problem)
    problems.stop_if_any()
    return resolve_deploy(infer, args, http, reasons)


def _read_keys(args: DeployArguments) -> dict[str, list[str]]:
    given = (("api_key_file", args.api_key_file), ("admin_api_key_file", args.admin_api_key_file))
    return {path: read_keys(flag, path) for flag, path in given if path is not None}


def run(plan: DeployPlan) -> None:
    """Load the model and serve it until a signal ends it. Raises SwiftError."""
    require(*SERVER_NEEDS, extra="serve")
    from swift.llm.serve.server import bind, check_tls

    check_tls(plan.http.ssl_keyfile, plan.http.ssl_certfile)
    listener = bind(plan.http.host, plan.http.port)
    try:
        _serve(plan, listener)
    finally:
        listener.close()


def _serve(plan: DeployPlan, listener: socket.socket) -> None:
    from swift.llm.answering.service import open_service
    from swift.llm.serve.server import run_until_end, serve
    from swift.llm.serve.site import Site

    if not plan.http.keys.clients and plan.http.host not in ("127.0.0.1", "localhost", "::1"):
        logger.warning("whoever reaches %s may use the model: no --api_key or --api_key_file is given", plan.http.host)
    sampling = replace(sampling_of(plan.generate, {}), seed=plan.seed)

    def tell(url: str) -> None:
        print(f"serving {', '.join(plan.http.names)} on {url}/v1", flush=True)

    with open_service(plan) as service:
        site = Site(
            service, sampling, plan.http, plan.max_batch_size,
            adapters={one.name: one.path for one in plan.adapters}, default_adapter=plan.default_adapter,
        )  # fmt: skip
        run_until_end(serve(site, listener, tell))


def deploy_main(args: DeployArguments) -> DeployPlan | None:
    """Serve with arguments built in Python: the same as ``swift deploy`` with them as flags.

    Returns when a signal has ended the server, or the plan with ``dry_run=True``. Raises SwiftError where the command line
    would show a message.
    """
    return _deploy(args, given_in_python(args))


def main(parsed: Any) -> int:
    """Run the command."""
    _deploy(parsed.args, parsed.sources)
    return 0


def _deploy(args: DeployArguments, sources: Mapping[str, str]) -> DeployPlan | None:
    return run_or_show(make_plan(args, sources), run, dry_run=args.dry_run)
