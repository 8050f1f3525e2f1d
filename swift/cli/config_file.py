"""Reading a configuration file: YAML or JSON, from disk or by URL, with the line of every key. Knows no key
but `strict`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from swift.cli.parser import Given
from swift.utils.errors import ArgumentError

__all__ = ["ConfigFile", "read_config"]

MAX_BYTES = 2 * 2**20
# YAML 1.1, as PyYAML reads it, wants a dot in a number with an exponent; people write 1e-4.
_FLOAT = re.compile(r"[-+]?(\d[\d_]*(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class ConfigFile:
    """The keys of a file in their order; `strict` says that options may only change keys that the file has."""

    label: str
    items: list[Given]
    strict: bool


def read_config(name: str) -> ConfigFile:
    """Read a file or a URL. Raises ArgumentError with the line of a mistake, of an unknown form or of a
    doubled key.
    """
    url = re.match(r"https?://", name)
    label = name
    text = _fetch(name) if url else _load(name)
    suffix = os.path.splitext(name.partition("?")[0] if url else name)[1].casefold()
    if suffix not in (".json", ".yaml", ".yml") and not url:
        raise ArgumentError(f"{name}: a configuration file ends in .yaml, .yml or .json")
    items = _read_json(text, label) if suffix == ".json" else _read_yaml(text, label)
    strict = [item for item in items if item.name == "strict"]
    items = [item for item in items if item.name != "strict"]
    if strict and strict[-1].data not in (True, False, None):
        raise ArgumentError(f"{strict[-1].where}: {strict[-1].raw!r} is not true or false")
    return ConfigFile(label, items, bool(strict and strict[-1].data))


def _load(name: str) -> str:
    path = os.path.expanduser(name)
    try:
        size = os.path.getsize(path)
        if size > MAX_BYTES:
            raise ArgumentError(f"{name}: {size} bytes are too many for a configuration file; is it a data file?")
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except FileNotFoundError:
        raise ArgumentError(_missing(name, path)) from None
    except IsADirectoryError:
        raise ArgumentError(f"{name} is a folder; give the configuration file in it") from None
    except UnicodeDecodeError as error:
        raise ArgumentError(f"{name}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise ArgumentError(f"{name}: cannot be read: {error.strerror}") from None


def _missing(name: str, path: str) -> str:
    if os.path.splitext(name)[1].casefold() not in (".json", ".yaml", ".yml"):
        return f"{name!r} is neither an option, which begins with two dashes, nor a .yaml or .json file"
    folder = os.path.dirname(path) or "."
    from swift.utils.registry import nearest

    near = nearest(os.path.basename(path), os.listdir(folder)) if os.path.isdir(folder) else []
    hint = f"; did you mean {' or '.join(os.path.join(os.path.dirname(name), one) for one in near)}?" if near else ""
    return f"{name}: there is no such file{hint}"


def _fetch(url: str) -> str:
    """Download a small text. The answer must be the file itself, not a page that shows it."""
    import urllib.error
    import urllib.request

    from swift.utils import environ

    request = urllib.request.Request(url, headers={"User-Agent": "swift", "Accept": "text/plain, */*;q=0.5"})
    try:
        with urllib.request.urlopen(request, timeout=environ.TIMEOUT.read()) as answer:
            body: bytes = answer.read(MAX_BYTES + 1)
            kind = answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        error.close()
        raise ArgumentError(f"{url}: the server says {error.code} {error.reason}; check the address") from None
    except (OSError, ValueError) as error:  # URLError is an OSError
        reason = getattr(error, "reason", None) or error
        raise ArgumentError(f"{url}: cannot be fetched: {reason}. Download it and give the file.") from None
    if len(body) > MAX_BYTES:
        raise ArgumentError(f"{url}: more than {MAX_BYTES // 2**20} MiB are too much for a configuration file")
    if kind == "text/html":
        raise ArgumentError(f"{url}: this is a web page; give the address of the raw file")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ArgumentError(f"{url}: not UTF-8 text") from None


# -- JSON ----------------------------------------------------------------------------------------------------


def _read_json(text: str, label: str) -> list[Given]:
    import json

    def refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise ArgumentError(f"{label}:{_line_of(text, key, last=True)}: key {key!r} is there twice; remove one")
        return dict(pairs)

    try:
        content = json.loads(text, object_pairs_hook=refuse_doubles)
    except json.JSONDecodeError as error:
        raise ArgumentError(
            f"{label}: line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}"
        ) from None
    except RecursionError:
        raise ArgumentError(f"{label}: nested too deeply") from None
    if not isinstance(content, dict):
        raise ArgumentError(f"{label}: expected an object of options in braces, found {type(content).__name__}")
    return [_item(key, value, value, label, _line_of(text, key)) for key, value in content.items()]


def _line_of(text: str, key: str, *, last: bool = False) -> int:
    """Find the line of a key. A text with the same characters might come first: good enough to point a reader
    there.
    """
    import json

    found = [match.start() for match in re.finditer(re.escape(json.dumps(key)) + r"\s*:", text)]
    return text.count("\n", 0, found[-1 if last else 0]) + 1 if found else 1


# -- YAML ----------------------------------------------------------------------------------------------------


def _read_yaml(text: str, label: str) -> list[Given]:
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}:" if mark else ""
        tab = " Indent with blanks, not with tabs." if error.problem and "\\t" in error.problem else ""
        raise ArgumentError(f"{label}:{place} not valid YAML: {error.problem or error.context}.{tab}") from None
    except yaml.YAMLError as error:
        raise ArgumentError(f"{label}: not valid YAML: {error}") from None
    except RecursionError:
        raise ArgumentError(f"{label}: nested too deeply") from None
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise ArgumentError(f"{label}: expected lines of the form 'key: value'")
    items: list[Given] = []
    for key_node, value_node in _pairs(node, label):
        raw, data = _written(value_node, label), _value(value_node, label)
        items.append(_item(key_node.value, raw, data, label, key_node.start_mark.line + 1))
    return items


def _pairs(node: Any, label: str) -> list[tuple[Any, Any]]:
    """Return the pairs of a mapping node. Raises ArgumentError for a key that is doubled, or is no text."""
    import yaml

    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ArgumentError(f"{label}:{line}: a key must be a word")
        if key.tag == "tag:yaml.org,2002:merge":
            raise ArgumentError(f"{label}:{line}: merge keys (<<) are not supported; write the keys out")
        if key.value in lines:
            raise ArgumentError(
                f"{label}:{line}: key {key.value!r} is there already in line {lines[key.value]}; remove one"
            )
        lines[key.value] = line
    return list(node.value)


def _written(node: Any, label: str) -> Any:
    """Texts as they stand in the file, so that `1.10`, `yes` or `1e-4` mean what the argument takes them for."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        return None if _is_null(node) else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_written(one, label) for one in node.value]
    return _value(node, label)


def _value(node: Any, label: str) -> Any:
    """The node as YAML means it: numbers, truth values, lists, mappings."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        return [_value(one, label) for one in node.value]
    if isinstance(node, yaml.MappingNode):
        return {key.value: _value(value, label) for key, value in _pairs(node, label)}
    kind = node.tag.rpartition(":")[2]
    text = node.value
    if _is_null(node):
        return None
    if kind == "bool":
        return text.casefold() in ("true", "yes", "on")
    if node.style is None and _FLOAT.fullmatch(text):
        number = text.replace("_", "")
        return int(number) if re.fullmatch(r"[-+]?\d+", number) else float(number)
    return text


def _is_null(node: Any) -> bool:
    return bool(node.tag.endswith(":null"))


def _item(key: str, raw: Any, data: Any, label: str, line: int) -> Given:
    name = key.replace("-", "_")
    return Given(name, raw, data, f"{label}:{line}: {key}", f"file {label}:{line}")
