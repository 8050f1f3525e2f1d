"""`Template`: one chat format for one tokenizer, used by training, inference, serving and the pages. No state between calls."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from swift.llm.catalog.rows import TemplateRow
from swift.llm.core import Conversation, Dropped, Encoded, Message, Segment
from swift.llm.plan.loss_scale import read_loss_scale
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template.behaviours import THINKING, tags
from swift.llm.template.chat_template import ChatTemplate
from swift.llm.template.encode import Encoder, Tokens
from swift.llm.template.media import Pictures
from swift.llm.template.render import CUT, PLAIN, Atom, RowRenderer
from swift.llm.template.tools import RefusedError, ToolFormat
from swift.llm.template.weights import last_round, load_weights
from swift.llm.template.written import WrittenRows, is_written
from swift.llm.tokenizer import TextTokenizer
from swift.utils.errors import DataError, ModelError

# Rows in one call of the tokenizer; of more rows, its threads work on one chunk while Python cuts the next.
CHUNK = 1024
# Raise this when the same row, tokenizer and arguments begin to give other ids: it is part of the cache key.
VERSION = 3


class Template:
    """A row of the catalog, or (row None) the tokenizer's own chat template, applied to conversations.

    ``stop_ids`` and ``stop_strings`` end generation; ``notes`` tells what a person should know about its mask.
    Raises ModelError where there is neither a row nor a chat template.
    """

    def __init__(self, row: TemplateRow | None, tokenizer: TextTokenizer, plan: TemplatePlan) -> None:
        self.row = row
        self.plan = plan
        self._renderer: RowRenderer | ChatTemplate
        if row is not None:
            self._renderer = RowRenderer(row, tokenizer, plan, load_weights(plan.loss_scale))
        elif tokenizer.chat_template is None:
            raise ModelError(
                "The tokenizer has no chat template. Choose one with --template_type (swift list templates); "
                "for a base model 'default-generation' continues plain text."
            )
        else:
            self._renderer = ChatTemplate(tokenizer.chat_template, tokenizer, plan, load_weights(plan.loss_scale))
        self.tokenizer = self._renderer.tokenizer
        self._pictures = Pictures(self._renderer, plan)
        self._encoder = Encoder(self.tokenizer, plan.permissive_special_tokens)
        self._written = WrittenRows(self.tokenizer, plan.train_on_inputs)
        self.stop_ids, self.stop_strings = self._stops()
        self.fingerprint: str = self._fingerprint()

    @property
    def name(self) -> str:
        """The row's name, or what stands for the tokenizer's own template."""
        return "chat_template" if self.row is None else self.row.name

    @property
    def notes(self) -> tuple[str, ...]:
        """Where texts or masks differ from what one may expect, as seen so far."""
        if isinstance(self._renderer, ChatTemplate):
            return tuple(self._renderer.notes)
        return (self._renderer.row.note,) if self._renderer.row.note else ()

    def _fingerprint(self) -> str:
        """sha256 (hex) over all that decides about ids and mask: row or chat template, tokenizer, plan."""
        settings = asdict(self.plan)
        settings.pop("template_type")
        if self.plan.loss_scale is not None:
            settings["loss_scale"] = read_loss_scale(self.plan.loss_scale)  # what a file says, not its name
        source: Any = self.tokenizer.chat_template if self.row is None else asdict(self.row)
        text = json.dumps([VERSION, source, self.tokenizer.fingerprint, settings], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def render(self, conversation: Conversation, generate: bool = False) -> list[Segment]:
        """The pieces of text, for people to look at. Raises DataError where the format cannot express the conversation."""
        segments: list[Segment] = []
        cut = False
        for text, id_, trained, weight in self._atoms(conversation, generate):
            if id_ == CUT[1]:
                cut = True
            elif text or cut:
                segments.append(Segment(text, trained, id_ != PLAIN, cut, weight))
                cut = False
        return segments

    def text_of_whole(self, conversation: Conversation) -> str:
        """What the tokenizer's own chat template writes, and nothing besides (a sample may go on with the end of the answer)."""
        if not isinstance(self._renderer, ChatTemplate):
            raise TypeError("a row has no text of its own")
        return self._renderer.write_all(conversation)

    def encode_prompt(
        self, conversation: Conversation, media_texts: Sequence[str] = (), placeholder: str | None = None
    ) -> list[int]:
        """The ids that generation starts from; a last assistant message is continued.

        ``media_texts``: what stands for each of the conversation's media, control tokens written out; they go where the tags
        are. ``placeholder`` is the token that the model's chat template writes there. Without them tags are text.
        Raises DataError where the format cannot express the conversation, and for tags that do not go with the media.
        """
        if placeholder is None or not media_texts:
            tokens = self._encoder.encode([self._atoms(conversation, generate=True)])
            ids: list[int] = tokens.ids.tolist()
            return ids
        try:
            atoms = self._pictures.atoms(conversation, media_texts, placeholder)
            ids = self._encoder.encode([atoms]).ids.tolist()
            self._pictures.check(atoms, ids, media_texts)
        except RefusedError as refused:
            raise self._refused(conversation, refused) from None
        return ids

    def encode(self, conversation: Conversation) -> Encoded | Dropped:
        """One sample of training. For many, `encode_batch` is several times as fast."""
        return self.encode_batch([conversation])[0]

    def encode_batch(self, conversations: Sequence[Conversation]) -> list[Encoded | Dropped]:
        """Samples of training, one result for each conversation, in order.

        The plan's limit applies: a longer row is dropped, or keeps its last or first ``max_length`` tokens, or (``split``) stays
        long for the caller to split; ``raise`` raises DataError. A row without a trained token is dropped.
        """
        out: list[Encoded | Dropped] = []
        for rows, tokens in self._chunks(conversations):
            out += self._samples(rows, tokens)
        return out

    @property
    def tool_format(self) -> ToolFormat | None:
        """How calls of tools are written, where the format has them."""
        return self._renderer.tool_format

    @property
    def thinking_tags(self) -> tuple[str, str] | None:
        """What opens and closes the reasoning of an answer; None where this format's answers have none."""
        if self.row is None or any(name in THINKING for name in self.row.behaviours):
            return tags({} if self.row is None else self.row.options)
        return None

    def parse(self, text: str, tools: Sequence[Mapping[str, Any]] = (), *, opened: bool | None = None) -> Message:
        """An answer's text as a message: reasoning and tool calls taken out of it.

        ``tools`` are those of the conversation: where a format writes arguments as bare text, their schemas give the types.
        ``opened``: whether the prompt opened the reasoning already; None takes it so where only its end stands in the text.
        Reasoning that never ends is all there is.
        """
        tool_format = self.tool_format
        if tool_format is not None and tool_format.read is not None:
            return tool_format.read(text, tools)
        reasoning: str | None = None
        content = text
        if self.thinking_tags is not None:
            begin, end = self.thinking_tags
            begins = text.lstrip().startswith(begin)
            if begins or (opened if opened is not None else end in text):
                before, _, after = text.partition(end)
                reasoning = (before.lstrip().removeprefix(begin) if begins else before).strip("\n") or None
                content = after.lstrip("\n")
        if tool_format is not None:
            rest, calls = tool_format.parsed(content, tools)
            if calls:
                return Message("assistant", rest, reasoning=reasoning, tool_calls=calls)
        return Message("assistant", content, reasoning=reasoning)

    def _atoms(self, conversation: Conversation, generate: bool) -> list[Atom]:
        if self.plan.last_round and not generate:
            conversation = last_round(conversation)
        try:
            return self._rendered(conversation, generate)
        except RefusedError as refused:
            raise self._refused(conversation, refused) from None

    def _refused(self, conversation: Conversation, refused: RefusedError) -> DataError:
        where = f" ({conversation.place})" if conversation.place is not None else ""
        return DataError(f"This conversation does not fit the template {self.name!r}{where}: {refused}.")

    def _rendered(self, conversation: Conversation, generate: bool = False) -> list[Atom]:
        if conversation.segments or conversation.encoded is not None:
            continues = self.row is not None and self.row.generation_only
            if is_written(conversation, continues=continues):
                return self._written.atoms(conversation, generate)
        return self._renderer.atoms(conversation, generate)

    def _chunks(self, conversations: Sequence[Conversation]) -> Iterator[tuple[list[Conversation | Dropped], Tokens]]:
        """Rows and tokens, chunk after chunk; the tokenizer works one chunk ahead, outside the interpreter's lock."""
        encoder = self._encoder
        if len(conversations) <= CHUNK:
            rows, atoms = self._walked(conversations)
            yield rows, encoder.encode(atoms)
            return
        with ThreadPoolExecutor(max_workers=1) as executor:
            waiting: tuple[list[Conversation | Dropped], Any, Future[Any]] | None = None
            for start in range(0, len(conversations), CHUNK):
                rows, atoms = self._walked(conversations[start : start + CHUNK])
                planned, anew, on = encoder.plan(atoms)
                future = executor.submit(encoder.look_up, anew, on)
                if waiting is not None:
                    yield waiting[0], encoder.assemble(waiting[1], waiting[2].result())
                waiting = (rows, planned, future)
            if waiting is not None:
                yield waiting[0], encoder.assemble(waiting[1], waiting[2].result())

    def _walked(self, conversations: Sequence[Conversation]) -> tuple[list[Conversation | Dropped], list[list[Atom]]]:
        rows: list[Conversation | Dropped] = []
        atoms: list[list[Atom]] = []
        for conversation in conversations:
            try:
                atoms.append(self._rendered(last_round(conversation) if self.plan.last_round else conversation))
                rows.append(conversation)
            except RefusedError as refused:
                rows.append(Dropped(str(refused), conversation.place))
        return rows, atoms

    def _samples(self, rows: list[Conversation | Dropped], tokens: Tokens) -> Iterator[Encoded | Dropped]:
        number = 0
        limit = self.plan.max_length
        for row in rows:
            if isinstance(row, Dropped):
                yield row
                continue
            start, end = tokens.starts[number], tokens.starts[number + 1]
            number += 1
            length, cut = end - start, 0
            if limit is not None and length > limit and self.plan.truncation != "split":
                if self.plan.truncation == "delete":
                    yield Dropped(f"{length:,} tokens, limit {limit:,}", row.place, length)
                    continue
                if self.plan.truncation == "raise":
                    raise DataError(
                        f"{row.place or 'a row'}: {length:,} tokens, limit {limit:,}, and --truncation_strategy is raise. "
                        f"Give --max_length {length} or more, shorten the row, or choose another strategy."
                    )
                cut = length - limit
                if self.plan.truncation == "truncation_left":
                    start = end - limit
                    tokens.trained[start] = False
                else:
                    end = start + limit
            trained = tokens.trained[start:end]
            if not trained.any():
                part = "last" if self.plan.truncation == "truncation_left" else "first"
                after = f" in the {part} {limit:,} of {length:,} tokens" if cut else ""
                yield Dropped(f"no trained token{after}", row.place, length)
                continue
            scale = None
            if tokens.weights is not None and (tokens.weights[start:end][trained] != 1.0).any():
                scale = tokens.weights[start:end]
            yield Encoded(tokens.ids[start:end], trained, scale, cut)

    def _stops(self) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Ids and strings that end an answer: the row's close and stops, and the tokenizer's eos."""
        special = self.tokenizer.special_tokens
        ids: dict[int, None] = {}
        strings: dict[str, None] = {}
        if isinstance(self._renderer, RowRenderer):
            close = self._renderer.close_tokens()
            ids.update(dict.fromkeys(close))
            texts = list(self._renderer.row.stop)
            tool_format = self._renderer.tool_format
            if tool_format is not None and self.plan.tools_prompt == tool_format.name != "react_en":
                texts += tool_format.stop  # asked for by name, so every answer is in that format
            if not close:
                texts += self._renderer.close_texts()
            for text in self._renderer.row.options.get("no_stop", ()):
                ids.pop(special.get(text, -1), None)
                texts = [one for one in texts if one != text]
        else:
            texts = self._renderer.closings()
        for text in texts:
            if text in special:
                ids[special[text]] = None
            elif text:
                strings[text] = None
        if self.tokenizer.eos_token_id is not None:
            ids[self.tokenizer.eos_token_id] = None
        return tuple(ids), tuple(strings)

    def stop_strings_for(self, conversation: Conversation) -> tuple[str, ...]:
        """The strings that end an answer in this conversation: with tools also those of the tool format ("Observation:")."""
        if not isinstance(self._renderer, RowRenderer) or self._renderer.tool_format is None:
            return self.stop_strings
        if not (conversation.tools or any(message.tool_calls for message in conversation.messages)):
            return self.stop_strings
        return tuple(dict.fromkeys((*self.stop_strings, *self._renderer.tool_format.stop)))

    def with_plan(self, **changes: Any) -> Template:
        """The same template under a changed plan (another system text, say)."""
        return Template(self.row, self.tokenizer, replace(self.plan, **changes))
