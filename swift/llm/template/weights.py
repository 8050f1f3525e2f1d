"""Loss weights inside an answer (`use_loss_scale`): texts and the weight of their loss. Knows no tokenizer.

A table maps a query stem to ``w``, a literal marker to ``[marker, text after it]`` or a regular expression to ``[w]``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from swift.utils.errors import ArgumentError

Weigh = Callable[[str, str], list[tuple[str, float]]]

_REACT: Mapping[str, list[float]] = {
    "Action:": [2.0, 2.0],
    "Action Input:": [2.0, 2.0],
    "Thought:": [1.0, 1.0],
    "Final Answer:": [1.0, 1.0],
    "Observation:": [2.0, 0.0],
}
PRESETS: Mapping[str, Mapping[str, Mapping[str, list[float]]]] = {
    "DEFAULT": {"response": _REACT, "query": {}},
    "alpha-umi": {"response": {**_REACT, "Next:": [2.0, 2.0]}, "query": {}},
}


def load_weights(source: str | None) -> Weigh | None:
    """Read a preset, a JSON file or JSON text; None gives None. Raises ArgumentError where it is none of them."""
    if source is None:
        return None
    table: Any = PRESETS.get(source)
    if table is None:
        path = Path(source).expanduser()
        try:
            table = json.loads(path.read_text(encoding="utf-8") if not source.lstrip().startswith("{") else source)
        except (OSError, json.JSONDecodeError) as error:
            raise ArgumentError(
                f"--loss_scale_config_path {source!r} is neither a preset ({', '.join(PRESETS)}) "
                f"nor a JSON file that can be read: {error}"
            ) from None
    if not isinstance(table, Mapping):
        raise ArgumentError(f"--loss_scale_config_path {source!r}: a JSON object was expected")
    response = table.get("response", {}) if "response" in table or "query" in table else table
    return _weigher({key: _numbers(key, value) for key, value in response.items()}, table.get("query", {}))


def _numbers(key: str, value: Any) -> list[float]:
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= 2 or not all(isinstance(item, int | float) for item in values):
        raise ArgumentError(
            f"loss weights: {key!r} has {value!r}; one number, or two for a marker and its text, are expected"
        )
    return [float(item) for item in values]


def _weigher(response: Mapping[str, list[float]], query: Mapping[str, Any]) -> Weigh:
    markers = {key: value for key, value in response.items() if len(value) == 2}
    patterns = [(re.compile(key, re.DOTALL), value[0]) for key, value in response.items() if len(value) == 1]
    split = (
        re.compile("(" + "|".join(map(re.escape, sorted(markers, key=len, reverse=True))) + ")") if markers else None
    )

    def weigh(question: str, answer: str) -> list[tuple[str, float]]:
        for stem, value in query.items():
            if stem in question:
                return [(answer, float(value[0] if isinstance(value, list) else value))]
        out: list[tuple[str, float]] = []
        pieces = split.split(answer) if split is not None else [answer]
        if pieces[0]:
            out += _by_pattern(pieces[0], patterns)
        for marker, text in zip(pieces[1::2], pieces[2::2], strict=True):
            out.append((marker, markers[marker][0]))
            if text:
                out.append((text, markers[marker][1]))
        return out

    return weigh


def _by_pattern(text: str, patterns: list[tuple[re.Pattern[str], float]]) -> list[tuple[str, float]]:
    """Weigh the matches of the first pattern that has any; what lies between them is looked at by the next patterns."""
    if not patterns:
        return [(text, 1.0)]
    pattern, weight = patterns[0]
    out: list[tuple[str, float]] = []
    place = 0
    for match in pattern.finditer(text):
        if match.start() == match.end():
            continue
        if match.start() > place:
            out += _by_pattern(text[place : match.start()], patterns[1:])
        out.append((match[0], weight))
        place = match.end()
    if place < len(text):
        out += _by_pattern(text[place:], patterns[1:])
    return out
