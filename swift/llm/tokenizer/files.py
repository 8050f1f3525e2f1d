"""What a tokenizer's folder says beside its vocabulary: named special tokens, chat templates. Knows no `tokenizers` library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swift.utils.errors import ModelError

CONFIG = "tokenizer_config.json"
FAST = "tokenizer.json"
NAMES = (
    FAST,
    CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
)
NAMED = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """The files of one folder, read: ``named`` maps "eos_token" and its like to texts; ``templates`` holds "default" and others."""

    folder: Path
    files: tuple[Path, ...]
    config: Mapping[str, Any]
    named: Mapping[str, str | None]
    extra_special: tuple[str, ...]
    added: Mapping[int, Mapping[str, Any]]
    templates: Mapping[str, str] = field(default_factory=dict)


def read_files(folder: str | Path) -> TokenizerFiles:
    """Read a tokenizer's folder. Raises ModelError that names the missing or broken file."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder: a tokenizer is read from a local folder with {FAST}.")
    files = [folder / name for name in NAMES if (folder / name).is_file()]
    if not any(
        path.name not in (CONFIG, "special_tokens_map.json") and "chat_template" not in path.name for path in files
    ):
        raise ModelError(
            f"{folder} holds no tokenizer: {FAST} (or tokenizer.model, vocab.json) is missing. "
            "Give a model folder that has one, or download the whole model again."
        )
    files += sorted((folder / "additional_chat_templates").glob("*.jinja"))
    config = _json(folder / CONFIG)
    fallback = _json(folder / "special_tokens_map.json")
    named = {name: _text(config[name] if name in config else fallback.get(name)) for name in NAMED}
    extra = [_text(token) for token in _extra(config) or _extra(fallback)]
    added = {int(key): value for key, value in (config.get("added_tokens_decoder") or {}).items()}
    return TokenizerFiles(
        folder, tuple(files), config, named, tuple(token for token in extra if token), added, _templates(folder, config)
    )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not valid JSON ({error}). Download the file again.") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path} holds a JSON {type(value).__name__}; an object was expected.")
    return value


def _text(token: Any) -> str | None:
    """A special token is written as its text, or as an object with its text in `content`."""
    return token.get("content") if isinstance(token, dict) else token


def _extra(config: Mapping[str, Any]) -> list[Any]:
    found = config.get("additional_special_tokens") or config.get("extra_special_tokens") or []
    return list(found.values()) if isinstance(found, dict) else list(found)


def _templates(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Chat templates by name; a file of its own wins over the entry in tokenizer_config.json, as in transformers."""
    entry = config.get("chat_template") or _json(folder / "chat_template.json").get("chat_template")
    found: dict[str, str] = {}
    if isinstance(entry, str):
        found["default"] = entry
    elif isinstance(entry, list):
        found.update({item["name"]: item["template"] for item in entry})
    elif isinstance(entry, dict):
        found.update(entry)
    if (folder / "chat_template.jinja").is_file():
        found["default"] = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    for path in sorted((folder / "additional_chat_templates").glob("*.jinja")):
        found[path.stem] = path.read_text(encoding="utf-8")
    return found
