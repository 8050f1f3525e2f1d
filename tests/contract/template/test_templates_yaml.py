"""Every row against the published strings of its format: the same text for the same dialogue, but for the differences named here."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from swift.llm.catalog.registries import TEMPLATE_MAPPING
from swift.llm.core import Conversation, Message
from swift.llm.template.behaviours import THINKING
from swift.utils.errors import DataError

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "template"))
from synthetic import BOS, EOS, joined, open_row  # noqa: E402 (its folder is put on the path above)

STRINGS = ROOT.parent / "shared" / "spec" / "templates.yaml"
pytestmark = pytest.mark.skipif(not STRINGS.is_file(), reason=f"the published strings are not here: {STRINGS}")

SYSTEM = "Be brief."
ROUNDS = (("What is 2+2?", "Four."), ("And doubled?", "Eight, I think."), ("Thanks.", "Welcome."))

OLDER = "the later line writes it so, as the official template does"
SPACE = "the official text has a blank between the marker and the answer"
FOLDED = "the official template puts a system text into a user turn, or refuses it"
DIFFERS = {
    # (line, name): why the row says something else than the published strings
    ("v2", "default"): "every answer ends with eos, so that a model learns to stop in every turn",
    ("v4", "default"): "every answer ends with eos, so that a model learns to stop in every turn",
    ("v2", "yi1_5"): "the official template writes the system text bare",
    ("v2", "yi-vl"): OLDER,
    ("v2", "deepseek"): SPACE,
    ("v4", "deepseek"): SPACE,
    ("v2", "deepseek2"): SPACE,
    ("v2", "deepseek2_5"): "the published end of an answer is misspelt",
    ("v2", "deepseek-vl"): SPACE,
    ("v4", "deepseek_vl"): SPACE,
    ("v4", "deepseek_vl2"): SPACE,
    ("v2", "deepseek-janus"): SPACE,
    ("v4", "deepseek_janus"): SPACE,
    ("v4", "deepseek_janus_pro"): SPACE,
    ("v2", "llama"): "the official text has blanks around an answer",
    ("v4", "llama"): "the official text has blanks around an answer",
    ("v2", "longwriter-llama3"): "the published system part lacks [INST] in front of it",
    ("v4", "longwriter_llama"): "the published system part lacks [INST] in front of it",
    ("v4", "llava1_6_mistral"): "the published system part lacks <s>[INST] in front of it",
    ("v4", "llava1_6_mistral_hf"): "the published system part lacks <s>[INST] in front of it",
    ("v2", "llava-mistral"): "the published strings lack [INST] from the second question on",
    ("v2", "mistral-nemo"): "the published prompt holds the mark for a system text where there is none",
    ("v4", "mistral_nemo"): "the official text has no blank behind [INST]",
    ("v2", "pixtral"): FOLDED,
    ("v4", "pixtral"): FOLDED,
    ("v2", "internvl"): OLDER,
    ("v2", "internvl2"): OLDER,
    ("v2", "internvl-phi3"): OLDER,
    ("v2", "internvl2-phi3"): OLDER,
    ("v2", "mplug_owl3"): OLDER,
    ("v2", "mplug_owl3v"): OLDER,
    ("v2", "telechat2"): OLDER,
    ("v2", "llama3_2-vision"): OLDER,
    ("v2", "phi3"): "the official text ends with the end-of-text token",
    ("v4", "phi3"): "the official text ends with the end-of-text token",
    ("v4", "phi4_multimodal"): "the official text has no newlines between its markers",
    ("v2", "gemma"): FOLDED,
    ("v4", "gemma"): FOLDED,
    ("v4", "gemma3_vision"): FOLDED,
    ("v4", "gemma3n"): FOLDED,
    ("v2", "c4ai"): "the published system part lacks the bos token, and its last marker is cut",
    ("v4", "c4ai"): "the published system part lacks the bos token, and its last marker is cut",
    ("v2", "aya"): "the published system part lacks the bos token, and its last marker is cut",
    ("v4", "aya"): "the published system part lacks the bos token, and its last marker is cut",
    (
        "v4",
        "wizardlm2",
    ): "the name means the format of 2.x, as in the model's card; the 7B copy in AWQ form is wizardlm2-awq",
    ("v2", "glm4v"): OLDER,
    ("v2", "codegeex4"): OLDER,
    ("v4", "chatglm4v"): "an answer ends with the marker of the next turn, as in the text models of the family",
    ("v4", "hy_v3"): "the official text names the reasoning effort, and has an empty thought in front of an answer",
    ("v4", "gpt_oss"): "the official text has a system block of its own, and a channel in front of an answer",
    ("v4", "internvl3_5_gpt"): "the official text has a system block of its own, and a channel in front of an answer",
    ("v4", "seed_oss"): "the published strings write the first bos token twice",
}
SYSTEM_DIFFERS = {
    ("v2", "internlm2"): "none in the official chat template",
    ("v4", "internlm2"): "none in the official chat template",
    ("v2", "telechat2"): OLDER,
    ("v2", "c4ai"): "none in the official chat template",
    ("v4", "c4ai"): "none in the official chat template",
    ("v2", "aya"): "none in the official chat template",
    ("v4", "aya"): "none in the official chat template",
    ("v4", "qwq"): "the name means the preview model, as in 2.x; the later one is qwq_32b",
    ("v4", "wizardlm2"): "the name means the format of 2.x",
    ("v4", "mistral_2506"): "the official template has one",
    ("v4", "minimax_m2"): "the official template has another",
}


@cache
def entries() -> dict[tuple[str, str], dict[str, Any]]:
    data = yaml.safe_load(STRINGS.read_text(encoding="utf-8"))
    return {(line, name): entry for line in ("v2", "v4") for name, entry in data[line].items()}


def text_of(parts: list[Any]) -> str:
    attributes = {
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "eos_token": EOS,
        "user_token_id": "<_user>",
        "bot_token_id": "<_bot>",
    }
    out = ""
    for part in parts:
        if isinstance(part, str):
            out += part
        else:
            out += attributes[part["attr"]] if "attr" in part else f"<number {part['id']}>"
    return out


def published(entry: dict[str, Any], system: str | None, rounds: int) -> str:
    """The text that the strings of an entry make of a dialogue."""
    parts = entry["prefix"] if system is None else entry["system_prefix"]
    out = text_of(parts).replace("{{SYSTEM}}", system or "").replace("{{system}}", system or "")
    if entry.get("bos") == "auto":
        out = BOS + out
    for number, (question, answer) in enumerate(ROUNDS[:rounds]):
        prompt = text_of(entry["prompt"]).replace("{{QUERY}}", question)
        out += prompt.replace("{{ROUND0}}", str(number)).replace("{{ROUND1}}", str(number + 1)) + answer
        out += text_of(entry["suffix"] if number + 1 == rounds else entry["sep"])
    return out.replace("{{DATE}}", "26 Jul 2024")


def ours(name: str, system: str | None, rounds: int) -> str:
    """The text of our row; DataError where the format refuses."""
    messages = [Message("system", system)] if system else []
    for question, answer in ROUNDS[:rounds]:
        messages += [Message("user", question), Message("assistant", answer)]
    conversation = Conversation(tuple(messages), system_given=system is None)
    return joined(open_row(TEMPLATE_MAPPING[name]).render(conversation))


# Literal names of a family's own bos and eos, where we take the tokenizer's.
_BOS = re.compile(
    r"(<number 64790><number 64792>|<s>|<bos>|<\|begin_of_text\|>|<｜begin▁of▁sentence｜>|<BOS_TOKEN>|<number 100000>)"
)
_EOS = re.compile(r"(</s>|<eos>|<｜end▁of▁sentence｜>|<number 100001>|<_end>)")
_LEAD = r"(?:(?<=: )\n)?"
_THOUGHT = re.compile(rf"{_LEAD}<think>\s*</think>\s*|</think>\n*|{_LEAD}<think>\n*")


def plain(text: str, thinking: bool) -> str:
    """The text with one name for bos and for eos, without empty reasoning, and without the last newline."""
    text = _EOS.sub(EOS, _BOS.sub(BOS, text))
    if thinking:
        text = _THOUGHT.sub("", text)
    text = text.removeprefix(BOS + BOS) if text.startswith(BOS + BOS) else text.removeprefix(BOS)
    return text.rstrip("\n")


def cases(entry: dict[str, Any]) -> list[tuple[str | None, int]]:
    systems: list[str | None] = [None] if entry["system_prefix"] is None else [None, SYSTEM]
    return [(system, rounds) for system in systems for rounds in ((1,) if entry["sep"] is None else (1, 2, 3))]


def difference(line: str, name: str) -> str | None:
    """The first difference between the published text and ours, None where all are equal."""
    entry = entries()[line, name]
    row = TEMPLATE_MAPPING[name]
    thinking = bool(set(row.behaviours) & set(THINKING)) or "no_think_prefix" in entry or "thinking" in entry
    for system, rounds in cases(entry):
        wanted = plain(published(entry, system, rounds), thinking)
        try:
            found = plain(ours(name, system, rounds), thinking)
        except DataError as error:
            return f"{system!r}, {rounds} rounds: {error}"
        if found != wanted:
            return f"{system!r}, {rounds} rounds:\n  published {wanted!r}\n  ours      {found!r}"
    return None


def comparable() -> list[tuple[str, str]]:
    if not STRINGS.is_file():
        return []
    return [key for key, entry in entries().items() if entry.get("prompt") is not None]


def test_every_name_is_a_row() -> None:
    assert [name for _, name in entries() if name not in TEMPLATE_MAPPING] == []


@pytest.mark.parametrize(("line", "name"), comparable())
def test_the_text_is_the_published_one(line: str, name: str) -> None:
    if TEMPLATE_MAPPING[name].own_template:
        return
    found = difference(line, name)
    if (line, name) in DIFFERS:
        assert found is not None, "no longer a difference: take it from the table"
    else:
        assert found is None, found


@pytest.mark.parametrize(("line", "name"), comparable())
def test_the_default_system_text_is_the_published_one(line: str, name: str) -> None:
    entry, row = entries()[line, name], TEMPLATE_MAPPING[name]
    text = entry["system"]
    if row.own_template or (text or "").startswith("<long text") or (line, name) in SYSTEM_DIFFERS:
        return
    assert (row.default_system or None) == (text or None)


def test_what_ends_generation_is_published() -> None:
    for (_, name), entry in entries().items():
        row = TEMPLATE_MAPPING[name]
        if row.own_template or not entry["stop"] or entry.get("prompt") is None:
            continue
        template = open_row(row)
        assert template.stop_ids or template.stop_strings, name
