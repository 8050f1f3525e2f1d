"""Rows and the tokenizers' own chat templates against what transformers gives: the same text, the same ids."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from swift.llm.core import Encoded
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template.chat_template import ChatTemplate
from swift.llm.template.check import verify
from swift.llm.template.render import DEFAULT_DATE
from swift.llm.template.tools import RefusedError
from swift.utils.errors import DataError

TOKENIZERS = (
    "qwen3",
    "llama-3.1-instruct",
    "llama-2-chat",
    "phi-3.5-mini-instruct",
    "deepseek-coder-instruct",
    "mistral-v3",
)
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
TEMPLATES = sorted(str(path.relative_to(DATA)) for path in (DATA / "golden" / "templates").rglob("*.json"))

TOOLS = ("tools_question_gen", "tool_call_train", "tool_parallel_gen", "tool_nested_arguments_train")
NO_TOOLS = "the official template knows no tools and leaves them out; the row tells them as ReAct text"
NO_REASONING = "the official template leaves reasoning out; the row keeps it, as text, rather than lose training data"
SYSTEM = "the official text loses the system text once the last message is not the user's; the row keeps it"

# (tokenizer, case): why the row's ids differ from the official ones. Everything else is equal.
EXCEPTIONS: dict[tuple[str, str], str] = {
    **{
        (name, case): NO_TOOLS
        for name in ("llama-2-chat", "phi-3.5-mini-instruct", "deepseek-coder-instruct")
        for case in TOOLS
    },
    **{(name, "reasoning_content_train"): NO_REASONING for name in TOKENIZERS if name != "qwen3"},
    **{
        ("mistral-v3", case): SYSTEM
        for case in ("system_multi_train", "whitespace_code_train", "tool_call_train", "long_multi_train")
    },
}


def ids_and_text(template: Any, conversation: Any, generate: bool) -> tuple[Any, str]:
    text = "".join(segment.text for segment in template.render(conversation, generate))
    if generate:
        return template.encode_prompt(conversation), text
    sample = template.encode(conversation)
    return (sample.input_ids.tolist() if isinstance(sample, Encoded) else sample), text


@pytest.mark.parametrize("own", [False, True], ids=["row", "chat_template"])
@pytest.mark.parametrize("name", TOKENIZERS)
def test_ids_equal_transformers(material: Any, name: str, own: bool) -> None:
    row = None if own else material.rows[name]
    safe = material.template(name, row)
    permissive = material.template(name, row, permissive_special_tokens=True)
    for case in material.json(f"golden/chat/{name}.json")["cases"]:
        id_ = case["id"]
        conversation = material.conversation(id_)
        generate = material.conversations[id_]["add_generation_prompt"]
        if not own and (name, id_) in EXCEPTIONS:
            try:
                assert ids_and_text(safe, conversation, generate)[0] != case.get("input_ids"), id_
            except DataError as error:
                assert "allows one" in str(error)  # noqa: PT017
            continue
        if "error" in case:
            with pytest.raises(DataError):
                ids_and_text(safe, conversation, generate)
            continue
        ids, text = ids_and_text(permissive, conversation, generate)
        assert text == case["text"], id_
        assert ids == case["input_ids"], id_
        ids, text = ids_and_text(safe, conversation, generate)
        assert text == case["text"], id_
        if id_ == "markers_in_text_train":
            # A control token's text in a message stays text, unless the permissive reading is asked for.
            named = {
                material.tokenizer(name).special_tokens[text]
                for text in ("</s>", "<|im_end|>", "<|eot_id|>")
                if text in material.tokenizer(name).special_tokens
            }
            assert len([one for one in ids if one in named]) <= len([one for one in case["input_ids"] if one in named])
        else:
            assert ids == case["input_ids"], id_


@pytest.mark.parametrize("name", TEMPLATES)
def test_texts_of_all_chat_templates(material: Any, name: str) -> None:
    golden = material.json(name)
    template = (DATA / golden["template"]).read_text(encoding="utf-8")
    named = golden["special_tokens"]
    # The tokenizers of these models are not here; the text needs only their named tokens.
    tokenizer = SimpleNamespace(
        special_tokens={}, added_tokens={}, named_tokens=named, eos_token=named.get("eos_token"), chat_templates={}
    )
    renderer = ChatTemplate(template, tokenizer, TemplatePlan(template_type=None))  # type: ignore[arg-type]
    for case in golden["cases"]:
        id_ = case["id"]
        generate = material.conversations[id_]["add_generation_prompt"]
        conversation = material.conversation(id_)
        if renderer.shape.parts:
            continue  # given texts, as here, it refuses or leaves them out; it is given lists of parts (test_own_template)
        if "error" in case:
            with pytest.raises(RefusedError):
                renderer.atoms(conversation, generate)
            continue
        text = "".join(atom[0] for atom in renderer.atoms(conversation, generate))
        expected = [
            re.sub("⟦strftime:(.*?)⟧", lambda found: DEFAULT_DATE.strftime(found[1]), one)
            for one in (case["text"], *case.get("also", ()))
        ]
        assert text in expected, id_


@pytest.mark.parametrize(
    ("template", "row", "tokenizer"),
    [
        ("google-gemma-2-2b-it", "gemma", None),
        ("trl/gemma3", "gemma3_text", None),
        ("mistralai-Mistral-Nemo-Instruct-2407", "mistral-nemo", None),
        ("axolotl/mistral_v1", "mistral_v1", None),
        ("trl/llama3", "llama3", None),
        ("axolotl/chatml", "chatml", None),
        ("trl/qwen3_instruct_2507", "qwen3_nothinking", None),
        ("trl/qwen3", "qwen3", None),
    ],
)
def test_rows_write_the_texts_of_families_without_a_tokenizer_here(
    material: Any, template: str, row: str, tokenizer: None
) -> None:
    """Text only: a GPT-2 tokenizer stands in, with the named tokens of the real one."""
    from dataclasses import replace

    from swift.llm.catalog.registries import TEMPLATE_MAPPING
    from swift.llm.template.render import RowRenderer

    golden = material.json(f"golden/templates/{template}.json")
    stand_in = material.tokenizer("gpt2")
    named = {key: (value or "") for key, value in golden["special_tokens"].items()}
    found = TEMPLATE_MAPPING[row]
    texts = {
        name: getattr(found, name)
        .replace("{bos}", named.get("bos_token", ""))
        .replace("{eos}", named.get("eos_token", ""))
        for name in ("prefix", "user", "assistant_close")
    }
    renderer = RowRenderer(replace(found, **texts), stand_in, TemplatePlan(template_type=row))
    compared = 0
    for case in golden["cases"]:
        conversation = material.conversation(case["id"])
        skipped = (conversation.tools and found.tools is None) or any(m.reasoning for m in conversation.messages)
        if "error" in case or (skipped and row != "qwen3"):
            continue
        lost = found.options.get("upstream_loses") == "system" and conversation.messages[0].role == "system"
        if lost and conversation.messages[-1].role != "user":
            continue
        generate = material.conversations[case["id"]]["add_generation_prompt"]
        try:
            text = "".join(atom[0] for atom in renderer.atoms(conversation, generate))
        except RefusedError:
            pytest.fail(f"{row} refuses {case['id']}")
        assert text == case["text"], case["id"]
        compared += 1
    assert compared >= 7


@pytest.mark.parametrize("name", TOKENIZERS)
def test_verify_finds_the_rows_equal(material: Any, name: str) -> None:
    verdict = verify(material.template(name, material.rows[name]), material.tokenizer(name))
    assert verdict.equal, verdict.first_difference
    assert verdict.checked >= 8


def test_verify_shows_the_first_difference(material: Any) -> None:
    verdict = verify(material.template("qwen3", "qwen2_5"), material.tokenizer("qwen3"))
    assert not verdict.equal
    assert "You are Qwen" in str(verdict.first_difference)
