"""A format of one's own: a mapping under ``type`` that names columns and the texts around them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from swift.llm.core import Message
from swift.llm.dataset.formats.draft import Draft, RowFormat, Values
from swift.llm.dataset.formats.pairs import rejected_answer
from swift.llm.dataset.turns import Lost, TurnOptions, text_of

__all__ = ["custom_format"]

_FIELD = re.compile(r"\{(instruction|input|system)\}")


def custom_format(prompt: Mapping[str, str]) -> RowFormat:
    """Make the format: ``field_*`` name columns, ``format`` (``no_input_format`` where there is no input) is the user's turn.

    In them ``{instruction}``, ``{input}`` and ``{system}`` stand for the columns. ``system_prompt`` is used where the row has
    no system text; ``system_format`` is put around either.
    """
    system_column, question, extra, answer = (
        prompt.get(f"field_{name}") or name for name in ("system", "instruction", "input", "output")
    )
    full = prompt.get("format")
    alone = prompt.get("no_input_format") or full or "{instruction}"

    def read(values: Values, options: TurnOptions) -> Draft:
        fields = {
            "instruction": text_of(values.get(question), question),
            "input": text_of(values.get(extra), extra),
            "system": text_of(values.get(system_column), system_column) or prompt.get("system_prompt") or "",
        }
        if not fields["instruction"] and not fields["input"]:
            raise Lost(f"empty {question}")
        told = full or f"{{instruction}}{options.join}{{input}}"
        asked = _FIELD.sub(lambda match: fields[match[1]], told if fields["input"] else alone)
        messages = []
        if fields["system"]:
            around = prompt.get("system_format") or "{system}"
            messages.append(Message("system", _FIELD.sub(lambda match: fields[match[1]], around)))
        messages.append(Message("user", asked))
        if answer in values:
            text = text_of(values[answer], answer)
            if not text or text.isspace():
                raise Lost("empty answer")
            messages.append(Message("assistant", text))
        return Draft(messages, rejected_answer(values, options), bool(messages[1:]) and messages[0].role == "system")

    asked_by = (frozenset((question,)), frozenset((extra,)))
    return RowFormat("given", read, tuple(one | {answer} for one in asked_by), asked_by)
