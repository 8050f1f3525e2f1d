"""White space in JSON that a grammar forces."""

from __future__ import annotations

from typing import Any

__all__ = ["JSON_SPACE"]

# White space in a JSON text: at most one blank, or a new line with its indent, behind a separator. Anywhere else, and without a
# bound, a model in doubt writes blanks until its token limit: the library's own pattern for them may match again and again.
JSON_SPACE: Any = {
    "whitespace_flexible": False,
    "item_separator": r",( |\n {0,32})?",
    "key_separator": r": ?",
}
