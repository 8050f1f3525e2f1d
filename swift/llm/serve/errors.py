"""What went wrong, as HTTP: a status and an error object as OpenAI's clients read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from swift.utils.errors import DataError, EngineError, EngineFailedError, SwiftError

__all__ = ["ApiError", "ClientGoneError", "answer_error", "error_event", "invalid", "refused", "to_api_error"]

TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "service_unavailable_error",
}
INVALID = "invalid_request_error"
SHOWN_PROBLEMS = 3


class ApiError(Exception):
    """An answer that is an error: ``status``, a sentence, the field it is about (``param``), a ``code`` for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The error object."""
        kind = TYPES.get(self.status, INVALID)
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


class ClientGoneError(Exception):
    """The client closed its connection: nobody is left to answer."""


def refused(param: str, why: str) -> ApiError:
    """A field that cannot be honoured."""
    return ApiError(400, f"{param}: {why}", param=param, code="unsupported_parameter")


def invalid(param: str, why: str) -> ApiError:
    """A field with a value that cannot be right."""
    return ApiError(400, f"{param}: {why}", param=param, code="invalid_value")


def to_api_error(error: Exception) -> ApiError:
    """Any error as one for the client; what is not ours tells nothing of the inside."""
    match error:
        case ApiError():
            return error
        case ValidationError():
            return _of_validation(error)
        case HTTPException():
            return _of_http(error)
        case DataError():
            return ApiError(422, str(error), code="unprocessable")
        case EngineFailedError():  # its words are those of a log
            return ApiError(503, "the engine failed; the server's log says why.", code="engine_failed")
        case EngineError() if "context holds" in str(error) or "(--max_length)" in str(error):
            return ApiError(400, str(error), param="messages", code="context_length_exceeded")
        case EngineError() | SwiftError():
            return ApiError(400, str(error), code="refused_by_engine")
    return ApiError(500, "the server failed; its log says why.", code="internal_error")


def _of_http(error: HTTPException) -> ApiError:
    told = {
        404: "this path does not exist; GET /openapi.json lists those that do.",
        405: "this path does not take that method.",
    }
    codes = {404: "unknown_path", 405: "method_not_allowed"}
    return ApiError(
        error.status_code, told.get(error.status_code, str(error.detail)), code=codes.get(error.status_code),
        headers=error.headers,
    )  # fmt: skip


def _of_validation(error: ValidationError) -> ApiError:
    """The first problems, each with the field's path; pydantic adds a line for every member of a union that does not fit."""
    problems: dict[str, tuple[str, str]] = {}  # by path: pydantic's word for its kind, the sentence
    for one in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in one["loc"] if isinstance(part, int) or _is_field(part))
        kind, said = one["type"], one["msg"]
        if kind == "extra_forbidden":
            said = "unknown field; it cannot be honoured"
        # Of a union, the member of the right type says more.
        if path not in problems or (problems[path][0].endswith("_type") and not kind.endswith("_type")):
            problems[path] = kind, said
    for path in [path for path, (kind, _) in problems.items() if kind.endswith("_type")]:
        if any(other.startswith(f"{path}.") for other in problems):  # what is wrong within that member says even more
            del problems[path]
    first, (first_kind, first_said) = next(iter(problems.items()))
    if first_kind == "json_invalid":
        return ApiError(400, f"the body is not JSON in UTF-8: {first_said}", code="invalid_json")
    told = [f"{path or 'the body'}: {said}" for path, (_, said) in problems.items()]
    more = f" (and {len(told) - SHOWN_PROBLEMS} more)" if len(told) > SHOWN_PROBLEMS else ""
    code = "unsupported_parameter" if first_kind == "extra_forbidden" else "invalid_value"
    return ApiError(400, "; ".join(told[:SHOWN_PROBLEMS]) + more, param=first or None, code=code)


def _is_field(part: str) -> bool:
    """Unions put the names of their members into the path, in brackets or in capitals: those are not the client's words."""
    return (
        part.isidentifier() and part.islower() and part not in ("str", "int", "float", "bool", "user", "system", "none")
    )


def answer_error(error: ApiError) -> Response:
    """The error as a response."""
    headers = dict(error.headers)
    if error.status == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    body = json.dumps(error.body(), ensure_ascii=False).encode(errors="replace")
    return Response(body, error.status, headers, "application/json")


def error_event(error: ApiError) -> bytes:
    """The error inside a stream that has begun; clients raise it."""
    return b"data: " + json.dumps(error.body(), ensure_ascii=False).encode(errors="replace") + b"\n\n"
