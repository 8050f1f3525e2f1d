"""A byte-level tokenizer for one row: every marker of its strings is a control token. Made in milliseconds, without files."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import Any

from swift.llm.catalog.registries import TEMPLATE_MAPPING
from swift.llm.catalog.rows import TemplateRow
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import Template
from swift.llm.tokenizer import TextTokenizer

BOS, EOS = "<|the-bos|>", "<|the-eos|>"
THINK = ("<think>", "</think>")
_MARKER = re.compile(r"<[^<>\n {}]{1,40}>|\[/?[A-Z_0-9]{3,}\]|\|\|\|[A-Z_]+\|\|\||\]~!?b\[|\]~b\]|\[e~\[")
_OWN = (
    "{{ bos_token }}{% for message in messages %}<{{ message.role }}>{{ message.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


class _Made:
    """The part of a transformers fast tokenizer that `TextTokenizer.from_hf` reads."""

    name_or_path = ""
    bos_token, eos_token = BOS, EOS
    chat_template = _OWN

    def __init__(self, backend: Any) -> None:
        self.backend_tokenizer = backend


def distinct_rows() -> dict[str, TemplateRow]:
    """Every row once: names of the same format are left out."""
    seen: dict[str, str] = {}
    for name, row in TEMPLATE_MAPPING.items():
        seen.setdefault(repr(replace(row, name="")), name)
    return {name: TEMPLATE_MAPPING[name] for name in seen.values()}


def markers(row: TemplateRow) -> list[str]:
    """What looks like a control token in the strings of a row."""
    texts = json.dumps(asdict(row), ensure_ascii=False, default=str)
    found = dict.fromkeys(_MARKER.findall(texts))
    return [token for token in found if token not in THINK and token not in ("<think>\\n", "</think>\\n")]


@cache
def tokenizer_for(tokens: tuple[str, ...], by_id: tuple[int, ...] = ()) -> TextTokenizer:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    vocabulary: dict[str, int] = {f"<number {number}>": number for number in by_id}
    free = (number for number in range(100_000, 101_000))
    for letter in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[letter] = next(free)
    made = Tokenizer(models.BPE(vocabulary, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in (BOS, EOS, *tokens)])
    made.add_tokens(
        [AddedToken(token, special=False, normalized=False) for token in (*THINK, "<tool_call>", "</tool_call>")]
    )
    made.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=None, special_tokens=[(BOS, made.token_to_id(BOS))]
    )
    return TextTokenizer.from_hf(_Made(made))


def open_row(row: TemplateRow, **plan: Any) -> Template:
    """The template of a row, over a tokenizer that has its markers."""
    numbers = {int(number) for number in re.findall(r"\{id:(\d+)\}", repr(row))}
    tokenizer = tokenizer_for(tuple(markers(row)), tuple(sorted(numbers)))
    return Template(None if row.own_template else row, tokenizer, TemplatePlan(template_type=row.name, **plan))


def joined(segments: Sequence[Any], trained: bool | None = None) -> str:
    """The text of segments, of all or of those that are trained (or not)."""
    return "".join(segment.text for segment in segments if trained is None or segment.train is trained)
