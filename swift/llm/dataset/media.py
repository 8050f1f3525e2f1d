"""Images, videos and audio of a row: columns and inline forms paired with the tags in the text; boxes for grounding."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from swift.llm.core import Media, Message
from swift.llm.dataset.turns import Lost, kind, parse_json, text_of

__all__ = ["COLUMNS", "has_inline", "has_media", "objects_of", "with_media"]

COLUMNS: Mapping[str, str] = {"image": "images", "video": "videos", "audio": "audios"}
_TAGS = {kind_: f"<{kind_}>" for kind_ in COLUMNS}
_INLINE = re.compile(r"<(img|video|audio)>([^<>\n]+)</\1>")
_KINDS: Mapping[str, Literal["image", "video", "audio"]] = {"img": "image", "video": "video", "audio": "audio"}
_OBJECT_TAGS = ("<ref-object>", "<bbox>")
_BOX_TYPES = ("real", "norm_1000", "norm_1")


def has_media(values: Mapping[str, Any]) -> bool:
    """Whether a column of the row names media."""
    return any(values.get(column) or values.get(name) for name, column in COLUMNS.items())


def has_inline(text: str) -> bool:
    """Whether a text holds ``<img>path</img>``, ``<video>path</video>`` or ``<audio>path</audio>``; in answers they do not count."""
    return _INLINE.search(text) is not None


def with_media(values: Mapping[str, Any], messages: Sequence[Message]) -> tuple[list[Message], tuple[Media, ...]]:
    """Pair the media of the columns and of the text with their tags, in the order of the tags.

    A column's name may stand in the singular, as where a row has one image.
    Missing tags are put in front of the first question. Raises Lost for more tags than media, and for a medium that comes
    both ways.
    """
    messages = list(messages)
    waiting: dict[str, list[Any]] = {}
    for name, column in COLUMNS.items():
        value = _listed(values.get(column) or values.get(name), column)
        if value is not None and value != [] and value != "":
            waiting[name] = [one for one in value if one is not None] if isinstance(value, list | tuple) else [value]
    inline: set[str] = set()
    for i, message in enumerate(messages):
        if message.role != "assistant" and "</" in message.content:
            found = _INLINE.findall(message.content)
            if not found:
                continue
            for tag, source in found:
                name = _KINDS[tag]
                if name in waiting and name not in inline:
                    raise Lost(f"{COLUMNS[name]} both as a column and inside of the text")
                inline.add(name)
                waiting.setdefault(name, []).append(source)
            bare = _INLINE.sub(lambda match: _TAGS[_KINDS[match[1]]], message.content)
            messages[i] = replace(message, content=bare)
    if not waiting:
        return messages, ()
    whole = "".join(message.content for message in messages)
    for name, sources in waiting.items():
        tag = _TAGS[name]
        missing = len(sources) - whole.count(tag)
        if missing < 0:
            raise Lost(f"{whole.count(tag)} {tag} tags for {len(sources)} media")
        if missing:
            i = next((i for i, message in enumerate(messages) if message.role == "user"), 0)
            messages[i] = replace(messages[i], content=tag * missing + messages[i].content)
    names = {tag: name for name, tag in _TAGS.items()}
    media = []
    pattern = "|".join(re.escape(_TAGS[name]) for name in waiting)
    for tag in re.findall(pattern, "".join(message.content for message in messages)):
        name = names[tag]
        media.append(Media(name, _source(waiting[name].pop(0), tag)))  # type: ignore[arg-type]
    return messages, tuple(media)


def _listed(value: Any, column: str) -> Any:
    """A column's list may be written as text, since a csv file has no lists; a path is no such text."""
    return (
        parse_json(value, column)
        if isinstance(value, str) and value.lstrip()[:2] in ('["', "['", "[]", "[{")
        else value
    )


def _source(value: Any, tag: str) -> str:
    if isinstance(value, dict):
        raw = value.get("bytes")
        if isinstance(raw, bytes):
            return "data:;base64," + base64.b64encode(raw).decode("ascii")
        value = next((value[key] for key in ("path", "url") if value.get(key) is not None), None)
    source = text_of(value, f"a source of {tag}")
    if not source:
        raise Lost(f"a source of {tag} is empty")
    return source


def objects_of(value: Any, messages: Sequence[Message], num_images: int) -> tuple[Mapping[str, Any], ...]:
    """Parse ``objects``, what ``<ref-object>`` and ``<bbox>`` stand for: a list, or its JSON text.

    Raises Lost for more tags than objects, and for boxes that are none.
    """
    objects = parse_json(value, "objects")
    if not isinstance(objects, list | tuple):
        raise Lost(f"wrong type: objects is {kind(objects)}, expected a list")
    whole = "".join(message.content for message in messages)
    for tag in _OBJECT_TAGS:
        if whole.count(tag) > len(objects):
            raise Lost(f"{whole.count(tag)} {tag} tags for {len(objects)} objects")
    for i, one in enumerate(objects, 1):
        if not isinstance(one, dict):
            raise Lost(f"wrong type: object {i} is {kind(one)}, expected an object")
        text_of(one.get("caption"), f"the caption of object {i}")
        box = one.get("bbox")
        boxes = box if isinstance(box, list) and box and isinstance(box[0], list) else [box]
        for corner in boxes:
            if corner is None and "<bbox>" not in whole:
                continue
            if not isinstance(corner, list) or len(corner) != 4 or not all(type(n) in (int, float) for n in corner):
                raise Lost(f"the bbox of object {i} is not [x_min, y_min, x_max, y_max]")
        if one.get("bbox_type", "real") not in _BOX_TYPES:
            raise Lost(f"bbox_type {one['bbox_type']!r} of object {i} is none of {', '.join(_BOX_TYPES)}")
        image = one.get("image", 0)
        if type(image) is not int or not 0 <= image < max(num_images, 1):
            raise Lost(f"object {i} is in image {image!r}, and there are {num_images}")
    return tuple(objects)
