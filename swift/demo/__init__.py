"""The chat model and two small data sets that come with the package, for a first minute without a network.

Data only: the rows of the catalog say how it is used, `scripts/demo_model/build` makes the model again.
"""

from pathlib import Path

MODEL = Path(__file__).parent / "model"
"""The model's folder: configuration, tokenizer, weights (bf16), model card."""

SELF_COGNITION = Path(__file__).parent / "data" / "self_cognition.jsonl"
"""Rows of query, response, tag (zh or en), with {{NAME}} and {{AUTHOR}} to fill in."""

SMALL_INSTRUCT = Path(__file__).parent / "data" / "small_instruct.jsonl"
"""Rows of messages: short answers in simple English."""
