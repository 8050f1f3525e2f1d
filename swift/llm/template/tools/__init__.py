"""Tool formats: tool schemas and calls as text, and calls out of text again. Knows no tokenizer and no template row.

One module a family of formats; each lists its rows in ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Mapping

from swift.llm.template.tools import hermes, llama, mistral, react
from swift.llm.template.tools.base import Fragment, Parsed, RefusedError, Tool, ToolFormat

__all__ = ["TOOL_FORMATS", "Fragment", "Parsed", "RefusedError", "Tool", "ToolFormat"]

TOOL_FORMATS: Mapping[str, ToolFormat] = {
    row.name: row for module in (hermes, llama, mistral, react) for row in module.FORMATS
}
