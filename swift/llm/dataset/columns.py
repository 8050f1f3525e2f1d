"""Rows in the known shapes to conversations, or the reason why not. Knows no file and no tokens.

Which format reads a row is decided once for each set of columns: by the registration, or by the first format of `AUTO` that
fits. ``null`` columns count as absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from swift.llm.catalog.rows import DatasetRow
from swift.llm.core import Conversation, Dropped, Media, Message, Place
from swift.llm.dataset.diagnosis import explain, why_not
from swift.llm.dataset.formats import AUTO, FORMATS
from swift.llm.dataset.formats.custom import custom_format
from swift.llm.dataset.formats.draft import Draft, Reader, RowFormat
from swift.llm.dataset.formats.pairs import QUESTION_LIKE
from swift.llm.dataset.formats.untemplated import STYLES, Style, as_text, in_style
from swift.llm.dataset.media import COLUMNS, has_inline, has_media, objects_of, with_media
from swift.llm.dataset.source import Unusable
from swift.llm.dataset.turns import Lost, TurnOptions, check_order, check_text, kind, parse_tools
from swift.utils.errors import DataError
from swift.utils.registry import unknown

__all__ = ["READING_VERSION", "RowParser", "reading"]

READING_VERSION = 3
"""Raise this when the same row and registration begin to read otherwise: it is part of the address of cached samples."""

_PLACEHOLDER = re.compile(r"\{\{\s*(name|author)\s*\}\}", re.IGNORECASE)
# Files whose reader gives every object all keys that occur in its column, null where they were not there.
_TYPED = (".parquet", ".arrow", ".feather", ".orc")
# Columns that need more than their format.
_RARE = frozenset((*COLUMNS, *COLUMNS.values(), "tools", "functions", "objects", "label", "chat_template_kwargs"))
_NORMAL = frozenset(
    ("query", "query_role", "response", "history", "history_roles", "system", "rejected_response", "rejected_messages")
)
# Other names of the column ``system``, for rows that are recognised by their columns.
_SYSTEM_NAMES = ("system_prompt", "system_message", "sys_prompt")
# How many different sets of columns are remembered: rows that all differ must not fill the memory.
_REMEMBERED = 4096


def reading(row: DatasetRow) -> dict[str, Any]:
    """What of a registration decides how its rows are read, for the address of cached samples."""
    return {
        "version": READING_VERSION,
        "columns": dict(row.columns),
        "conversations": dict(row.conversations),
        "format": row.format,
        "prompt": dict(row.prompt),
        "fill_names": row.fill_names,
    }


class RowParser:
    """Parses the rows of one source. ``names`` and ``authors`` (Chinese, English) fill placeholders if its row asks for it.

    ``need_answer`` false (inference) also takes rows that end with a question. ``preference`` says what alignment needs
    of each row: a ``pair`` (a chosen and a rejected answer that differ) or a ``label`` (true or false).
    Raises DataError for a format or a prompt style that is not there.
    """

    def __init__(
        self,
        row: DatasetRow,
        names: tuple[str | None, str | None] = (None, None),
        authors: tuple[str | None, str | None] = (None, None),
        need_answer: bool = True,
        preference: Literal["pair", "label"] | None = None,
    ) -> None:
        self.row = row
        self.names = names
        self.authors = authors
        self.need_answer = need_answer
        self.preference = preference
        self._format, self._style = _format_of(row)
        options = {**(self._format.turns if self._format is not None else {}), **row.conversations}
        usual = TurnOptions.of(options)
        self._options = usual if self._style is None else replace(usual, join=self._style.join)
        self._typed = replace(self._options, drop_nulls=True)
        self._renames = _renames(row)
        self._known: dict[tuple[str, ...], tuple[Reader, bool, str | None] | None] = {}

    def parse(self, values: Any, place: Place) -> Conversation | Dropped:
        """Return the conversation of one row, or why there is none."""
        try:
            return self._parse(values, place)
        except Lost as lost:
            if self.row.conversations.get("error_strategy") == "raise":
                raise DataError(f"{place}: {lost}. The set's registration says error_strategy raise.") from None
            return Dropped(str(lost), place)
        except RecursionError:
            return Dropped("nested too deeply", place)

    def advice(self, reason: str, values: Any = None) -> str:
        """Return what to do when every row is lost for this reason; ``values`` is one such row. Empty: nothing to say."""
        return explain(reason, values, self.row, FORMATS)

    def _parse(self, values: Any, place: Place) -> Conversation:
        if type(values) is not dict:
            raise Lost(
                values.reason if isinstance(values, Unusable) else f"the row is {kind(values)}, expected an object"
            )
        given: dict[str, Any] = values
        if self._renames:
            given = self._renamed(given)
        if None in given.values():
            given = {key: value for key, value in given.items() if value is not None}
        found = self._recognise(tuple(given))
        if found is None:
            raise Lost(self._why_not(given, values))
        read, rare, system = found
        if system is not None:
            given = {**given, "system": given[system]}
        typed = place.source.endswith(_TYPED)
        draft = read(given, self._typed if typed else self._options)
        if draft.plain and rare and has_media(given):
            draft.plain = False  # a caption: its question is the medium
            draft.messages.insert(0, Message("user", ""))
        if draft.plain:
            as_text(draft)
        elif not draft.segments and draft.encoded is None:
            check_order(draft.messages, need_answer=self.need_answer)
        if self.row.fill_names:
            draft.messages = [self._filled(one, str(given.get("tag", "")), place) for one in draft.messages]
        if self._style is not None:
            in_style(draft, self._style)
        rich = rare or self.row.keep_columns
        for message in draft.messages:
            content = message.content
            if not content.isascii():
                check_text(content)
            if "</" in content and message.role != "assistant" and has_inline(content):
                rich = True
        if self.preference is not None:
            self._check_preference(draft, given)
        if rich:
            return self._rich(draft, given, place, typed)
        return Conversation(
            tuple(draft.messages),
            (),
            (),
            draft.rejected,
            None,
            place,
            draft.system_given,
            {},
            draft.segments,
            draft.encoded,
        )

    def _rich(self, draft: Draft, given: dict[str, Any], place: Place, typed: bool) -> Conversation:
        messages: Sequence[Message] = draft.messages
        media: tuple[Media, ...] = ()
        if not draft.segments and draft.encoded is None:
            messages, media = with_media(given, messages)
        elif has_media(given):
            raise Lost("images, videos or audios beside a row that no template is put around")
        images = sum(one.kind == "image" for one in media)
        tools = given.get("tools") or (given.get("functions") if "messages" in given else None)
        label = given.get("label")
        kwargs = given.get("chat_template_kwargs")
        extra = {}
        if self.row.keep_columns:
            extra = {key: value for key, value in given.items() if key not in _RARE and key not in _NORMAL}
        return Conversation(
            messages=tuple(messages),
            tools=parse_tools(tools, drop_nulls=typed) if tools else (),
            media=media,
            rejected=draft.rejected,
            label=label if isinstance(label, bool) else None,
            place=place,
            system_given=draft.system_given,
            template_kwargs=kwargs if isinstance(kwargs, dict) else {},
            segments=draft.segments,
            encoded=draft.encoded,
            objects=objects_of(given["objects"], messages, images) if media and given.get("objects") else (),
            extra=extra,
        )

    def _renamed(self, values: dict[str, Any]) -> dict[str, Any]:
        """Rename columns; where two get one name, the renamed one counts."""
        renames = self._renames
        kept = {key: value for key, value in values.items() if key not in renames}
        for key, name in renames.items():
            if values.get(key) is not None or (key in values and name not in kept):
                kept[name] = values[key]
        return kept

    def _recognise(self, columns: tuple[str, ...]) -> tuple[Reader, bool, str | None] | None:
        """The reader of these columns, whether they need more than it, and the column that is its ``system``."""
        try:
            return self._known[columns]
        except KeyError:
            pass
        names = frozenset(columns)
        chosen = self._choose(names)
        found = None
        if chosen is not None:
            named = self._format is None and "system" not in names
            system = next((name for name in _SYSTEM_NAMES if named and name in names), None)
            found = (chosen.read, not names.isdisjoint(_RARE), system)
        if len(self._known) < _REMEMBERED:
            self._known[columns] = found
        return found

    def _choose(self, columns: frozenset[str]) -> RowFormat | None:
        if self._format is not None:
            key = self._options.turns_key
            if key is not None and key in columns:
                return self._format
            return self._format if self._format.fits(columns, need_answer=self.need_answer) else None
        # Columns that are renamed onto format 1 beat the options of the turn parser.
        if self.row.conversations and not (self.row.columns and "response" in columns):
            key = self._options.turns_key
            if key is not None:
                return FORMATS["conversations"] if key in columns else None
            if not columns.isdisjoint(("conversations", "messages")):
                return FORMATS["conversations"]
        for asked in (False, True):
            for one in AUTO:
                fits = any(need <= columns for need in (one.prompt_needs if asked else one.needs))
                if fits and one.unless.isdisjoint(columns) and not (one.name == "swift" and _loses_question(columns)):
                    return one
            if self.need_answer:
                break
        return None

    def _why_not(self, given: Mapping[str, Any], values: Mapping[str, Any]) -> str:
        before = self._renamed(dict(values)) if self._renames else values
        nulls = [str(name) for name in before if before[name] is None]
        readable = bool(nulls) and self._choose(frozenset(before)) is not None
        wanted = None if self._format is None else (self._format.name, self._format.needs)
        return why_not(given, nulls if readable else [], wanted, self._options.turns_key)

    def _check_preference(self, draft: Draft, given: Mapping[str, Any]) -> None:
        if self.preference == "label":
            label = given.get("label")
            if label is None:
                raise Lost("no label")
            if not isinstance(label, bool):
                raise Lost(
                    f"wrong type: label is {label!r}, expected true or false"
                    + (", without quotes" * isinstance(label, str))
                )
            return
        if not draft.rejected or not any(one.content.strip() or one.tool_calls for one in draft.rejected):
            raise Lost("no rejected answer")
        if draft.rejected[-1].role != "assistant":
            raise Lost("the rejected side does not end with an answer")
        if tuple(draft.messages[-len(draft.rejected) :]) == draft.rejected:
            raise Lost("chosen and rejected are the same")

    def _filled(self, message: Message, tag: str, place: Place) -> Message:
        if "{{" not in message.content:
            return message
        chinese = tag == "zh"

        def value(match: re.Match[str]) -> str:
            what = match[1].lower()
            found = (self.names if what == "name" else self.authors)[0 if chinese else 1]
            if found is None:
                flag = "--model_name" if what == "name" else "--model_author"
                raise DataError(
                    f"{place}: data set {self.row.name!r} says who the model is, and {flag} is not given. "
                    f"Give the Chinese and the English value, or one for both: --model_name 小蓝 Bluebell --model_author 青空 'Clear Sky'"
                )
            return found

        return replace(message, content=_PLACEHOLDER.sub(value, message.content))


def _format_of(row: DatasetRow) -> tuple[RowFormat | None, Style | None]:
    """The format and the prompt style that a registration names."""
    if row.prompt:
        return custom_format(row.prompt), None
    if row.format is None:
        return None, None
    name, colon, style = row.format.partition(":")
    if name not in FORMATS:
        raise DataError(f"data set {row.name!r}: {unknown('type', name, FORMATS)}. Known: {', '.join(FORMATS)}")
    if colon and style not in STYLES:
        raise DataError(f"data set {row.name!r}: {unknown('prompt style', style, STYLES)}. Known: {', '.join(STYLES)}")
    return FORMATS[name], STYLES[style] if colon else None


def _renames(row: DatasetRow) -> dict[str, str]:
    renames = dict(row.columns)
    media = row.conversations.get("media_type")
    if media is not None:
        renames.setdefault(str(row.conversations.get("media_key") or media), COLUMNS[media])
    return {old: new for old, new in renames.items() if old != new}


def _loses_question(columns: frozenset[str]) -> bool:
    """Whether a ``response`` would be read without the question, or without a part of it, that stands in other columns."""
    if "query" in columns or "history" in columns:
        return False
    if columns & {"instruction", "question", "prompt"}:
        return bool(columns & {"context", "article", "passage", "choices"})
    return bool(columns & QUESTION_LIKE)
