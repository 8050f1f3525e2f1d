"""Text to ids and back on the `tokenizers` library; knows no model, no template and no tensor library."""

from __future__ import annotations

from swift.llm.tokenizer.text import TextTokenizer, load_tokenizer

__all__ = ["TextTokenizer", "load_tokenizer"]
