"""The real tokenizers, templates and golden texts, where they lie beside the checkout."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from swift.llm.core import Conversation, Message, ToolCall
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import Template, open_template
from swift.llm.tokenizer import TextTokenizer, load_tokenizer

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


class Material:
    """Reads the golden data; `rows` pairs each tokenizer with the row of its model."""

    rows = {
        "qwen3": "qwen3",
        "llama-3.1-instruct": "llama3_1",
        "llama-2-chat": "llama",
        "phi-3.5-mini-instruct": "phi3",
        "deepseek-coder-instruct": "deepseek-coder",
        "mistral-v3": "mistral_v3",
    }

    def path(self, *parts: str) -> Path:
        return DATA.joinpath(*parts)

    @cache  # noqa: B019 (one object a session)
    def json(self, name: str) -> Any:
        return json.loads((DATA / name).read_text(encoding="utf-8"))

    @cache  # noqa: B019
    def tokenizer(self, name: str) -> TextTokenizer:
        return load_tokenizer(DATA / "tokenizers" / name)

    @cache  # noqa: B019
    def template(self, tokenizer: str, row: str | None, **plan: Any) -> Template:
        return open_template(row, self.tokenizer(tokenizer), TemplatePlan(template_type=row, **plan))

    @property
    def conversations(self) -> dict[str, dict[str, Any]]:
        return {case["id"]: case for case in self.json("golden/conversations.json")["conversations"]}

    def conversation(self, id_: str) -> Conversation:
        return as_conversation(self.conversations[id_])


def as_conversation(case: dict[str, Any]) -> Conversation:
    messages = tuple(
        Message(
            message["role"],
            message["content"],
            reasoning=message.get("reasoning_content"),
            tool_calls=tuple(
                ToolCall(call["function"]["name"], call["function"]["arguments"], call.get("id"))
                for call in message.get("tool_calls", ())
            ),
            tool_call_id=message.get("tool_call_id"),
            name=message.get("name"),
        )
        for message in case["messages"]
    )
    return Conversation(messages, tools=tuple(case.get("tools") or ()), template_kwargs=case.get("kwargs") or {})


@pytest.fixture(scope="session")
def material() -> Material:
    if not DATA.is_dir():
        pytest.skip(f"no golden data: {DATA} is absent")
    return Material()
