"""The data part of axolotl's configuration: entries of `datasets` as items of `--dataset`, or as rows of a dataset_info."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from swift.cli.parser import Given

__all__ = ["DataKeys"]

READ_AS_THEY_ARE = frozenset({"alpaca", "completion", "sharegpt"})
"""Types that are found by the columns of the rows."""

RENAMES: Mapping[str, Mapping[str, str]] = {
    "oasst": {"INSTRUCTION": "query", "RESPONSE": "response"},
    "gpteacher": {"response": "output"},
    "alpaca_chat.load_qa": {"question": "query", "answer": "response"},
    "alpaca_chat.load_camel_ai": {"message_1": "query", "message_2": "response"},
    "alpaca_w_system.load_open_orca": {"system_prompt": "system", "question": "query"},
}
"""Types that are a known shape under other names of columns."""

TURNS: Mapping[str, Mapping[str, str]] = {
    "sharegpt.load_role": {"from_key": "role", "user_role": "human", "assistant_role": "gpt"},
    "sharegpt.load_guanaco": {"user_role": "prompter", "assistant_role": "assistant"},
    "pygmalion": {"from_key": "role", "user_role": "human", "assistant_role": "bot"},
}
"""Types that are turns under other names of roles."""

_FILE_TYPES = {
    "json": (".json", ".jsonl"),
    "csv": (".csv",),
    "text": (".txt",),
}
_ENTRY_KEYS = frozenset(
    {"path", "name", "type", "ds_type", "data_files", "train_on_split", "split", "conversation", "field", "field_human",
     "field_model"}
)  # fmt: skip
_TEMPLATES = {"chatml": "chatml", "inst": "mistral", "alpaca": "default"}


class DataKeys:
    """The methods for the keys about data; mixed into the translator, which has `put`, `absent`, `wrong` and `note`."""

    def put(self, name: str, value: Any, origin: Given) -> None:
        """Set an argument."""
        raise NotImplementedError

    def absent(self, origin: Given, what: str = "", hint: str = "") -> None:
        """Report a missing counterpart."""
        raise NotImplementedError

    def wrong(self, origin: Given, expected: str) -> None:
        """Report a value that cannot be understood."""
        raise NotImplementedError
