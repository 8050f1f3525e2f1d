"""The routes, and the OpenAPI document that describes them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from swift import __version__
from swift.llm.serve import schema
from swift.llm.serve.chat import answer_chat
from swift.llm.serve.errors import ApiError, answer_error, to_api_error
from swift.llm.serve.gate import ADMIN, OPEN, Gate
from swift.llm.serve.replies import dumps
from swift.llm.serve.response_schema import ResponsesRequest
from swift.llm.serve.responses import answer_response
from swift.llm.serve.site import Site
from swift.llm.serve.stream import read
from swift.llm.serve.texts import answer_completion, detokenize, embed, tokenize
from swift.utils.errors import SwiftError

__all__ = ["create_app"]

STATUSES = {
    400: "Refused: the request cannot be honoured; the message names the field.",
    401: "No key, or an unknown one.",
    403: "Not allowed.",
    404: "No such model or path.",
    413: "The body is too long.",
    422: "The conversation does not fit the model's chat template.",
    429: "Too many answers run or wait already.",
    500: "The server failed.",
    503: "The server is not ready, is about to end, or the answer took too long.",
}
ERROR_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"}, "type": {"type": "string"},
                "param": {"type": ["string", "null"]}, "code": {"type": ["string", "null"]},
            },
        }
    },
}  # fmt: skip
BODIES: Sequence[type[BaseModel]] = (
    schema.ChatRequest, schema.CompletionRequest, schema.EmbeddingRequest, schema.TokenizeRequest, schema.DetokenizeRequest,
    schema.LoadAdapterRequest, schema.UnloadAdapterRequest, ResponsesRequest,
)  # fmt: skip


class _Application(FastAPI):
    """FastAPI whose document knows the bodies that the routes read themselves."""

    def openapi(self) -> dict[str, Any]:
        """The document; FastAPI keeps it once it is made."""
        if self.openapi_schema is None:
            document = super().openapi()
            _, bodies = models_json_schema(
                [(body, "validation") for body in BODIES], ref_template="#/components/schemas/{model}"
            )
            components = document.setdefault("components", {})
            components["schemas"] = {**bodies["$defs"], "Error": ERROR_SCHEMA}
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        return self.openapi_schema or document


def _takes(body: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}}
    return {"requestBody": {"required": True, "content": content}}


def _describe(path: str, site: Site, *statuses: int, events: bool = False, text: bool = False) -> dict[str, Any]:
    """Documentation of a route: its errors, what a success holds, whether it wants a key."""
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    success: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if text:
        success = {"text/plain": {"schema": {"type": "string"}}}
    elif events:
        success["text/event-stream"] = {"schema": {"type": "string"}}
    wants_key = path not in OPEN and (path in ADMIN or bool(site.http.keys.clients))
    codes = sorted({*statuses, 500, *((401,) if wants_key else ())})
    responses: dict[int | str, dict[str, Any]] = {200: {"description": "The answer.", "content": success}}
    responses |= {code: {"description": STATUSES[code], "content": error} for code in codes}
    return {"responses": responses, **({"openapi_extra": {"security": [{"key": []}]}} if wants_key else {})}


def _posts(path: str, site: Site, body: type[BaseModel], *statuses: int, events: bool = False) -> dict[str, Any]:
    told = _describe(path, site, 400, 413, *statuses, events=events)
    told["openapi_extra"] = {**told.get("openapi_extra", {}), **_takes(body)}
    return told


def create_app(site: Site) -> ASGIApp:
    """The whole application around a site."""
    app = _Application(
        title="swift", version=__version__, docs_url=None, redoc_url=None,
        redirect_slashes=False,
        exception_handlers=dict.fromkeys((HTTPException, ApiError, ValidationError, SwiftError, Exception), _told),
    )  # fmt: skip
    _add_state(app, site)
    _add_answers(app, site)
    _add_adapters(app, site)
    paths = [getattr(route, "path", "") for route in app.routes]
    gate: ASGIApp = Gate(app, site, [path for path in paths if "{" not in path])
    if site.http.allowed_origins:
        gate = CORSMiddleware(
            gate, allow_origins=site.http.allowed_origins, allow_methods=["GET", "POST"],
            allow_headers=["*"],  # OpenAI's client for browsers sends a dozen of its own
            expose_headers=["retry-after"],
        )  # fmt: skip
    return gate


async def _told(_: Request, error: Exception) -> Response:
    return answer_error(to_api_error(error))


def _json(value: Any, status: int = 200) -> Response:
    return Response(dumps(value), status, media_type="application/json")


def _add_state(app: FastAPI, site: Site) -> None:
    @app.get("/health", **_describe("/health", site, 503))
    async def health() -> Response:
        """The process lives, and the engine with it."""
        if site.failure is not None:
            raise to_api_error(site.failure)
        return _json({"status": "ok"})

    @app.get("/ready", **_describe("/ready", site, 503))
    async def ready() -> Response:
        """The model has answered a prompt, and the server is not about to end."""
        if not site.is_ready or site.desk.is_draining:
            why = "is about to end" if site.desk.is_draining else "has not answered a first prompt yet"
            raise ApiError(503, f"the server {why}.", code="not_ready")
        return _json({"status": "ready"})

    @app.get("/metrics", **_describe("/metrics", site, text=True))
    async def metrics() -> Response:
        """Counts and times in Prometheus' text format."""
        text = site.metrics.text(await site.engine.stats(), site.desk.num_open)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/v1/models", **_describe("/v1/models", site))
    async def models() -> Response:
        """The model's names and the adapters."""
        return _json({"object": "list", "data": site.models()})

    one = _describe("/v1/models/{model}", site, 404)
    parameter = {"name": "model", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    one["openapi_extra"] = {**one.get("openapi_extra", {}), "parameters": [parameter]}

    @app.get("/v1/models/{model:path}", **one)
    async def model(http: Request) -> Response:
        """One of them."""
        return _json(site.model(http.path_params["model"]))


def _add_answers(app: FastAPI, site: Site) -> None:
    most = site.http.max_body_bytes

    path = "/v1/chat/completions"

    @app.post(path, **_posts(path, site, schema.ChatRequest, 404, 422, 429, 503, events=True))
    async def chat(http: Request) -> Response:
        """Answer a conversation."""
        return await answer_chat(site, await read(http, schema.ChatRequest, most), http)

    path = "/v1/responses"

    @app.post(path, **_posts(path, site, ResponsesRequest, 404, 422, 429, 503, events=True))
    async def responses(http: Request) -> Response:
        """Answer a conversation, as OpenAI's Responses API."""
        return await answer_response(site, await read(http, ResponsesRequest, most), http)

    path = "/v1/completions"

    @app.post(path, **_posts(path, site, schema.CompletionRequest, 404, 429, 503, events=True))
    async def completions(http: Request) -> Response:
        """Go on with a text."""
        return await answer_completion(site, await read(http, schema.CompletionRequest, most), http)

    path = "/v1/embeddings"

    @app.post(path, **_posts(path, site, schema.EmbeddingRequest, 404, 429, 503))
    async def embeddings(http: Request) -> Response:
        """Vectors of texts, where the model gives any."""
        return await embed(site, await read(http, schema.EmbeddingRequest, most), http)

    @app.post("/tokenize", **_posts("/tokenize", site, schema.TokenizeRequest, 404, 422))
    async def tokens(http: Request) -> Response:
        """Token ids of a text or of a conversation."""
        asked = await read(http, schema.TokenizeRequest, most)
        return _json(await tokenize(site, asked, http))

    @app.post("/detokenize", **_posts("/detokenize", site, schema.DetokenizeRequest, 404))
    async def text(http: Request) -> Response:
        """Text of token ids."""
        asked = await read(http, schema.DetokenizeRequest, most)
        return _json(await site.apart(http, partial(detokenize, site, asked)))


def _add_adapters(app: FastAPI, site: Site) -> None:
    most = site.http.max_body_bytes
    path = "/v1/load_lora_adapter"

    @app.post(path, **_posts(path, site, schema.LoadAdapterRequest, 403))
    async def load(http: Request) -> Response:
        """Serve an adapter under a name of its own."""
        asked = await read(http, schema.LoadAdapterRequest, most)
        await site.load_adapter(asked.lora_name, site.adapter_folder(asked.lora_path))
        return _json({"status": "ok", "model": asked.lora_name})

    path = "/v1/unload_lora_adapter"

    @app.post(path, **_posts(path, site, schema.UnloadAdapterRequest, 404))
    async def unload(http: Request) -> Response:
        """Forget an adapter."""
        asked = await read(http, schema.UnloadAdapterRequest, most)
        await site.unload_adapter(asked.lora_name)
        return _json({"status": "ok", "model": asked.lora_name})
