"""Where images stand in a prompt: their tags in the messages become the texts that a model's processor has for them.

A tag becomes a private character before anything is rendered, so nothing that a user, a tool or a template writes can be
taken for it. A chat template that knows images is given them as parts of a message, and writes its own placeholder; in all
other texts the character is replaced. Knows no picture and no tensor.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import takewhile
from typing import Final

from swift.llm.core import Conversation, Message
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template.chat_template import ChatTemplate
from swift.llm.template.render import PLAIN, Atom, RowRenderer
from swift.llm.template.tools import RefusedError
from swift.llm.tokenizer import TextTokenizer

_MARKS: Final = range(0xF0200, 0xF1000)
"""Private characters that no other part of this package gives a meaning."""
_WORD: Final = "qxzword"
_HELD: Final = "a message holds {!r}, which stands for images in this model"


class Pictures:
    """The images of conversations in one template's prompts."""

    def __init__(self, renderer: RowRenderer | ChatTemplate, plan: TemplatePlan) -> None:
        self._renderer, self._plan = renderer, plan
        self._surrounds: dict[str, str] = {}

    def atoms(self, conversation: Conversation, texts: Sequence[str], placeholder: str) -> list[Atom]:
        """The prompt's atoms. ``texts``: what stands for each of the conversation's media, in their order.

        ``placeholder``: the token that chat templates write where one is to be. Raises RefusedError for tags that do not go
        with the media, and where the template leaves one out.
        """
        renderer, count = self._renderer, len(conversation.media)
        assert len(texts) == count, "one text for each medium"
        marks = _free(conversation, count)
        placed = _placed(conversation, marks)
        token: int | None = None
        if isinstance(renderer, ChatTemplate) and self._writes(renderer, placeholder):
            token = renderer.tokenizer.special_tokens[placeholder]
            atoms = renderer.prompt_with_images(placed, marks)
        else:
            atoms = renderer.atoms(placed, True)
        around = placeholder if token is not None else self._surround(placeholder)
        written = [self._written(around.replace(placeholder, text)) for text in texts]
        out, order = _filled(atoms, marks, token, written)
        if len(order) > count:
            raise RefusedError(_HELD.format(placeholder))
        if order != list(range(count)):
            lost = f"it writes {len(order)} of {count} images"
            raise RefusedError(lost if len(order) < count else "it puts the images in another order")
        return out

    def check(self, atoms: Sequence[Atom], ids: Sequence[int], texts: Sequence[str]) -> None:
        """Raise RefusedError where a message brought tokens that stand for images: the model would look for more of them."""
        wanted = {atom[1]: atom[0] for text in dict.fromkeys(texts) for atom in self._written(text) if atom[1] != PLAIN}
        for token, text in wanted.items():
            if list(ids).count(token) != sum(atom[1] == token for atom in atoms):
                raise RefusedError(_HELD.format(text))

    def _writes(self, chat: ChatTemplate, placeholder: str) -> bool:
        """Whether the chat template writes the placeholder for an image among the parts of a message."""
        if placeholder not in chat.tokenizer.special_tokens:
            return False
        text = _try(chat, _IMAGE, _TEXT)
        return text is not None and text.count(placeholder) == 1 and _WORD in text and "'text'" not in text

    def _surround(self, placeholder: str) -> str:
        """The placeholder with what the tokenizer's own chat template puts around it, for formats that are rows."""
        if placeholder not in self._surrounds:
            self._surrounds[placeholder] = placeholder
            chat = self._official
            if chat is not None and self._writes(chat, placeholder):
                with_image, without = _try(chat, _IMAGE, _TEXT) or "", _try(chat, _TEXT) or ""
                same = takewhile(lambda pair: pair[0] == pair[1], zip(with_image, without, strict=False))
                start, length = sum(1 for _ in same), len(with_image) - len(without)
                found = with_image[start : start + max(length, 0)]
                if placeholder in found and with_image[:start] + with_image[start + length :] == without:
                    self._surrounds[placeholder] = found
        return self._surrounds[placeholder]

    @cached_property
    def _official(self) -> ChatTemplate | None:
        renderer = self._renderer
        if isinstance(renderer, ChatTemplate):
            return renderer
        text = renderer.tokenizer.chat_template
        return ChatTemplate(text, renderer.tokenizer, self._plan) if text is not None else None

    def _written(self, text: str) -> list[Atom]:
        """A text with its added tokens as tokens."""
        ids = self._tokens
        pieces = self._pattern.split(text) if self._pattern is not None else [text]
        return [(piece, ids.get(piece, PLAIN), False, 1.0) for piece in pieces if piece]

    @cached_property
    def _tokens(self) -> dict[str, int]:
        tokenizer: TextTokenizer = self._renderer.tokenizer
        return {token.content: id_ for id_, token in tokenizer.backend.get_added_tokens_decoder().items()}

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        tokens = sorted(self._tokens, key=len, reverse=True)
        return re.compile("(" + "|".join(map(re.escape, tokens)) + ")") if tokens else None


_IMAGE: Final = {"type": "image"}
_TEXT: Final = {"type": "text", "text": _WORD}


def _try(chat: ChatTemplate, *parts: dict[str, str]) -> str | None:
    try:
        return chat.write([{"role": "user", "content": list(parts)}], [], {}, False)[0]
    except RefusedError:
        return None


def _free(conversation: Conversation, count: int) -> list[str]:
    """Private characters that are nowhere in the conversation, one for each medium."""
    text = "".join(f"{one.content}{one.reasoning}{one.tool_calls}" for one in conversation.messages)
    taken = set() if text.isascii() else set(text)
    free = [chr(code) for code in _MARKS if chr(code) not in taken]
    if len(free) < count:
        raise RefusedError(f"{count:,} images; up to {len(free):,} can be told apart")
    return free[:count]


def _placed(conversation: Conversation, marks: Sequence[str]) -> Conversation:
    """The conversation with marks in the place of the tags; what a model answered is text."""
    waiting: dict[str, deque[int]] = {}
    for number, media in enumerate(conversation.media):
        waiting.setdefault(media.written, deque()).append(number)
    pattern = re.compile("|".join(map(re.escape, sorted(waiting, key=len, reverse=True))))

    def mark(match: re.Match[str]) -> str:
        if not waiting[match[0]]:
            given = sum(media.written == match[0] for media in conversation.media)
            raise RefusedError(f"there are more tags {match[0]} than the {given} images for them")
        return marks[waiting[match[0]].popleft()]

    messages: list[Message] = [
        message if message.role == "assistant" else replace(message, content=pattern.sub(mark, message.content))
        for message in conversation.messages
    ]
    missing = [number for numbers in waiting.values() for number in numbers]
    if missing:
        tag = conversation.media[min(missing)].written
        raise RefusedError(f"image {min(missing) + 1} has no place: no message holds its tag {tag}")
    return replace(conversation, messages=tuple(messages), media=())


def _filled(
    atoms: Sequence[Atom], marks: Sequence[str], token: int | None, written: Sequence[Sequence[Atom]]
) -> tuple[list[Atom], list[int]]:
    """The atoms with ``written`` where the marks, or the placeholders that the template wrote (``token``), are; and which came when."""
    pattern = re.compile("([" + "".join(marks) + "])")
    numbers = {mark: number for number, mark in enumerate(marks)}
    out: list[Atom] = []
    order: list[int] = []

    def put(number: int) -> None:
        order.append(number)
        out.extend(written[number] if number < len(written) else ())

    for atom in atoms:
        if token is not None and atom[1] == token:
            put(len(order))
        elif atom[1] == PLAIN:
            for piece in _split(pattern, atom[0]):
                if piece in numbers:
                    put(numbers[piece])
                else:
                    out.append((piece, *atom[1:]))
        else:
            out.append(atom)
    return out, order


def _split(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    return (piece for piece in pattern.split(text) if piece)
