"""Requests made up from our own OpenAPI document: whatever they say, the answer is one that the document announces."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest

schemathesis = pytest.importorskip("schemathesis")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis.errors import Unsatisfiable  # noqa: E402
from schemathesis.generation import GenerationMode  # noqa: E402
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

KEYS = {True: {"Authorization": "Bearer sk-admin"}, False: {"Authorization": "Bearer sk-test"}}
REFUSED = (
    "store",
    "modalities",
    "verbosity",
    "audio",
    "prediction",
    "web_search_options",
    "functions",
    "function_call",
    "suffix",
    "background",
    "previous_response_id",
    "conversation",
    "max_tool_calls",
    "context_management",
)
FORMS = (
    "ChatRequest",
    "ResponsesRequest",
    "CompletionRequest",
    "EmbeddingRequest",
    "TokenizeRequest",
    "DetokenizeRequest",
)


def document(server: Any) -> Any:
    """The document with the name of the model that is served, without what is refused anyway: nothing behind it would be tried."""
    found = httpx.get(f"{server.url}/openapi.json").json()
    for form in FORMS:
        properties = found["components"]["schemas"][form]["properties"]
        properties["model"] = {"type": "string", "enum": ["tiny"]}
        for name in REFUSED:
            properties.pop(name, None)
    schema = schemathesis.openapi.from_dict(found)
    schema.config.update(base_url=server.url)
    return schema


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_answers_are_those_of_the_document(server: Any, mode: GenerationMode) -> None:
    statuses: Counter[tuple[str, int]] = Counter()
    for found in document(server).get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=4, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        def ask(case: Any) -> None:
            # What fields say together, and what the model cannot do, no schema tells: such requests are refused though they fit.
            answer = case.call(headers=KEYS["lora" in case.operation.path])
            case.validate_response(answer, excluded_checks=[positive_data_acceptance])
            statuses[case.operation.path, answer.status_code] += 1

        try:
            ask()
        except Unsatisfiable:
            continue  # a path without parameters cannot be asked wrongly
    assert all(status < 500 for _, status in statuses)
    assert {path for path, _ in statuses} >= {
        f"/v1/{path}" for path in ("chat/completions", "responses", "completions", "embeddings")
    }
