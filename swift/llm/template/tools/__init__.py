"""Tool formats: tool schemas and calls as text, and calls out of text again. Knows no tokenizer and no template row.

One module a family of formats; each lists its rows in ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Mapping

from swift.llm.template.tools import (
    apertus,
    apriel,
    bielik,
    cohere,
    deepseek,
    functionary,
    glm,
    granite,
    harmony,
    hermes,
    kimi,
    laguna,
    lfm,
    llama,
    minimax,
    mistral,
    nemotron,
    nous,
    qwen,
    react,
    seed,
    smollm,
    solar,
)
from swift.llm.template.tools.base import Fragment, Parsed, RefusedError, Tool, ToolFormat

__all__ = ["TOOL_FORMATS", "Fragment", "Parsed", "RefusedError", "Tool", "ToolFormat"]

_MODULES = (
    *(deepseek, glm, harmony, kimi, minimax, qwen, seed),
    *(hermes, llama, mistral, react),
    *(apertus, apriel, bielik, cohere, functionary, granite, laguna, lfm, nemotron, nous, smollm, solar),
)
TOOL_FORMATS: Mapping[str, ToolFormat] = {row.name: row for module in _MODULES for row in module.FORMATS}
