"""A plan to an engine that runs as a process: find its interpreter, start it, wait until it has answered a prompt."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swift.environments.spawn import ServerProcess, start_server
from swift.llm.catalog.registries import ENGINE_MAPPING
from swift.llm.catalog.rows import EngineRow
from swift.llm.core import Sampling
from swift.llm.engine.protocol import GenerateRequest, Limits
from swift.llm.engine.remote import Call, Dialect, RemoteEngine
from swift.llm.plan.plans import EnginePlan, ModelPlan
from swift.utils.errors import EngineError, EnvironmentsError
from swift.utils.lazy import load, require
from swift.utils.log import logger

__all__ = ["launch"]

TRIAL = GenerateRequest("trial", (1, 1), Sampling(max_new_tokens=1))
"""The prompt that an engine must answer before it counts as ready; every vocabulary has the id 1."""


def launch(model: ModelPlan, plan: EnginePlan, tokenizer: Path) -> RemoteEngine:
    """Start the engine of ``plan`` with the weights of ``model`` and the tokenizer in a folder.

    Ends with the caller's ``shutdown``, or with this program. Raises EnvironmentsError where it is not installed, EngineError
    with the end of its log where it does not come up.
    """
    require("httpx>=0.27", extra="infer")
    row = ENGINE_MAPPING.find(plan.name)
    assert row.module is not None
    python = _python(row, plan)
    key = secrets.token_urlsafe(24) if row.keyed else None
    dialect: Dialect = load(row.dialect or "")()
    logger.info("%s is being started; its first start may take minutes", row.title)
    server = start_server(
        row.title,
        lambda port: load(f"{row.module}:command")(python, port, model, plan, tokenizer),
        lambda server: _answers(server, dialect, key, for_vectors=plan.pooling is not None),
        variables=load(f"{row.module}:variables")(plan, key or ""),
    )
    try:
        served = _get(server, "/v1/models", key)
    except BaseException:
        server.stop()
        raise
    limits = Limits(
        context=_context(served, plan),
        logprobs=plan.options.get("max_logprobs", 20) if plan.pooling is None else None,
        adapters=plan.enable_lora,
        grammars=row.grammars,
        embeddings=plan.pooling is not None,
        answers=plan.pooling is None,
        pictures=plan.pictures,
    )
    return RemoteEngine(dialect, _url(server), limits, api_key=key, server=server)


def _python(row: EngineRow, plan: EnginePlan) -> str:
    if plan.python is None or not Path(plan.python).exists():
        raise EnvironmentsError(
            f"{row.title} cannot be started: its interpreter {plan.python} is not there. Make its environment with:"
            f" swift env add {plan.environment}"
        )
    return plan.python


def _url(server: ServerProcess) -> str:
    return f"http://127.0.0.1:{server.port}"


def _answers(server: ServerProcess, dialect: Dialect, key: str | None, *, for_vectors: bool) -> bool:
    """Whether it has answered a prompt, or made a vector of one. Raises EngineError where it will not."""
    import httpx

    try:
        if httpx.get(f"{_url(server)}/health", headers=_headers(key), timeout=5, trust_env=False).status_code != 200:
            return False
    except httpx.TransportError:
        return False
    call = dialect.embed([TRIAL.prompt]) if for_vectors else dialect.generate(TRIAL, 1)
    try:
        answer = _send(server, call, key)
    except httpx.TransportError:
        return False  # it died meanwhile: whoever asks sees that
    if answer.status_code == 503:
        return False
    if answer.status_code != 200 or '"error"' in answer.text:
        raise EngineError(f"{dialect.title} is up and refuses to answer ({answer.status_code}): {answer.text[:500]}")
    return True


def _send(server: ServerProcess, call: Call, key: str | None) -> Any:
    import httpx

    # The first answer compiles.
    return httpx.post(f"{_url(server)}{call.path}", json=call.body, headers=_headers(key), timeout=600, trust_env=False)


def _get(server: ServerProcess, path: str, key: str | None) -> Mapping[str, Any]:
    import httpx

    try:
        answer = httpx.get(f"{_url(server)}{path}", headers=_headers(key), timeout=30, trust_env=False)
        return dict(answer.raise_for_status().json())
    except (httpx.HTTPError, ValueError) as error:
        raise EngineError(f"{server.title}: {path}: {error}") from error


def _headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


def _context(served: Mapping[str, Any], plan: EnginePlan) -> int | None:
    """Tokens of prompt and answer together: what the engine says, else what it was told."""
    models = served.get("data") or [{}]
    return models[0].get("max_model_len") or plan.context
