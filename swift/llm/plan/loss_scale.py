"""Loss weights inside an answer (``--use_loss_scale``): presets, and what a JSON file of one's own may say.

A table maps a query stem to ``w``, a literal marker to ``[marker, text after it]`` or a regular expression to ``[w]``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from swift.utils.errors import ArgumentError

Table: TypeAlias = Mapping[str, Mapping[str, list[float]]]

_REACT: Mapping[str, list[float]] = {
    "Action:": [2.0, 2.0],
    "Action Input:": [2.0, 2.0],
    "Thought:": [1.0, 1.0],
    "Final Answer:": [1.0, 1.0],
    "Observation:": [2.0, 0.0],
}
PRESETS: Mapping[str, Table] = {
    "DEFAULT": {"response": _REACT, "query": {}},
    "alpha-umi": {"response": {**_REACT, "Next:": [2.0, 2.0]}, "query": {}},
    "agent-flan": {
        "response": {
            "Name:": [1.0, 3.0],
            "Action:": [1.0, 3.0],
            "ACTION:": [1.0, 3.0],
            "Tool:": [1.0, 3.0],
            "Command": [1.0, 3.0],
            "Arguments:": [1.0, 3.0],
            "action input": [1.0, 3.0],
            "ACTION_INPUT:": [1.0, 3.0],
            "Action Input:": [1.0, 3.0],
            "Thought:": [1.0, 1.0],
            "Final Answer:": [1.0, 1.0],
            "Observation:": [2.0, 0.0],
        },
        "query": {
            "What is the tool you want to use": [3.0],
            "What are the required parameter names": [3.0],
            "What is the value of": [3.0],
            "What are the required parameter names for this tool": [3.0],
        },
    },
}
"""By the names that ``--loss_scale_config_path`` knows."""


def read_loss_scale(source: str) -> str:
    """A preset's name as it is; a JSON file, or JSON text, as checked JSON text, so that a plan holds what it was made from.

    Raises ArgumentError where it is none of them, or where an entry is wrong.
    """
    if source in PRESETS:
        return source
    return json.dumps(loss_table(source), ensure_ascii=False)


def loss_table(source: str) -> Table:
    """The weights of a preset, a JSON file or JSON text, as ``{"response": ..., "query": ...}``. Raises ArgumentError."""
    if source in PRESETS:
        return PRESETS[source]
    flag = f"--loss_scale_config_path {source if len(source) < 80 else source[:77] + '...'}"
    try:
        text = source if source.lstrip().startswith("{") else Path(source).expanduser().read_text(encoding="utf-8-sig")
        table: Any = json.loads(text)
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"{flag} is neither a preset ({', '.join(PRESETS)}) nor a JSON file that can be read: {error}"
        ) from None
    if not isinstance(table, dict):
        raise ArgumentError(f"{flag}: a JSON object was expected, found {type(table).__name__}")
    if not ({"response", "query"} & table.keys() and all(isinstance(value, dict) for value in table.values())):
        table = {"response": table}
    for part in table.keys() - {"response", "query"}:
        raise ArgumentError(
            f'{flag}: {part!r} stands beside "response" and "query"; a map for answers belongs into "response"'
        )
    return {
        part: {key: _numbers(flag, part, key, value) for key, value in table.get(part, {}).items()}
        for part in ("response", "query")
    }


def _numbers(flag: str, part: str, key: str, value: Any) -> list[float]:
    values = value if isinstance(value, list) else [value]
    most = 2 if part == "response" else 1
    fine = all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
    if not 1 <= len(values) <= most or not fine or not all(math.isfinite(one) and one >= 0 for one in values):
        wanted = "one weight" if most == 1 else "one weight for a pattern, or two for a marker and the text after it"
        raise ArgumentError(f"{flag}: {key!r} has {value!r}; {wanted}, each a number from 0 up, is expected")
    if not key:
        raise ArgumentError(f"{flag}: an empty marker stands everywhere; name a text")
    if part == "response" and len(values) == 1:
        try:
            re.compile(key)
        except re.error as error:
            raise ArgumentError(f"{flag}: {key!r} is no regular expression: {error}") from None
    return [float(one) for one in values]
