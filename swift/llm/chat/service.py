"""Conversations in, answers out: the template, the engine, the detokenizer and the sorter as one object.

`swift infer`, the server, evaluation and the pages use the same one. Knows no tensor and no screen, and no file unless it
is told where images may lie.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swift.llm.chat.logprobs import LogprobText, TextLogprob
from swift.llm.chat.reading import TextReader
from swift.llm.chat.sorting import CallDelta, Sorter, opens_thinking
from swift.llm.chat.tool_grammar import form_grammar, tool_grammar
from swift.llm.core import Conversation, Grammar, Message, Sampling, Tokenizer, ToolCall
from swift.llm.engine.protocol import Engine, Finish, GenerateRequest, Pictures
from swift.llm.media.images import MOST_PIXELS, as_png, open_image
from swift.llm.media.sources import read_source
from swift.llm.template import Template
from swift.utils.errors import DataError, EngineError, SwiftError

if TYPE_CHECKING:
    from swift.llm.model.eyes import Eyes

__all__ = ["Answer", "CallDelta", "ChatService", "Delta", "ImageError", "Prompt", "TextLogprob"]

MOST_TOGETHER = 2 * MOST_PIXELS
"""Pixels of the images of one conversation, which are in memory at the same time."""


class ImageError(DataError):
    """An image that cannot be had or read; ``number`` is its place among the conversation's media, from 0."""

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine reads: ``ids``, and where there are images, beside them the model's inputs for those (``media``), or the
    images themselves (``pictures``), as the engine asks for it.
    """

    ids: tuple[int, ...]
    media: Mapping[str, Any] | None = None
    pictures: Pictures | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of an answer; ``finish`` on the last one only. Tokens are counted up to and with this delta.

    ``text`` is raw. ``content``, ``reasoning`` and ``calls`` are the same text sorted into what the message holds; they may
    come later than ``text`` does, while it is open what a piece belongs to. ``logprobs``: one for each token whose text has
    been let out. ``prompt_logprobs`` (one for each token of the prompt but the first) are said with the first delta,
    ``num_reused`` (tokens of the prompt found in the engine's cache) once, when the engine says it.
    """

    text: str
    finish: Finish | None
    num_tokens: int
    num_prompt_tokens: int
    content: str = ""
    reasoning: str = ""
    calls: tuple[CallDelta, ...] = ()
    logprobs: tuple[TextLogprob, ...] = ()
    prompt_logprobs: tuple[TextLogprob, ...] = ()
    num_reused: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: ``text`` as generated, ``message`` with reasoning and tool calls taken out of it.

    ``error`` says why there is none (a prompt that is too long, for one); then ``finish`` is None. ``logprobs`` and
    ``num_reused`` as in `Delta`.
    """

    text: str
    message: Message
    finish: Finish | None
    num_tokens: int
    num_prompt_tokens: int
    error: str | None = None
    logprobs: tuple[TextLogprob, ...] = ()
    num_reused: int = 0


class ChatService:
    """Answers conversations with one template on one engine. Holds no conversation: it may serve many at once.

    A prompt over the template's ``max_length`` is refused, or cut on its left, as the template's plan says; one with images
    is never cut. ``eyes`` reads the images of conversations; without them a conversation with images is refused.
    ``media_root``: the folder that paths of images begin in; None: they may be data URLs and addresses only.
    """

    def __init__(
        self,
        template: Template,
        tokenizer: Tokenizer,
        engine: Engine,
        eyes: Eyes | None = None,
        *,
        media_root: Path | None = None,
    ) -> None:
        self.template = template
        self.tokenizer = tokenizer
        self.engine = engine
        self.eyes = eyes
        self._media_root = media_root
        self._logprob_text = LogprobText(tokenizer)

    @property
    def takes_images(self) -> bool:
        """Whether conversations may hold images."""
        return self.eyes is not None and (self.engine.limits.media or self.engine.limits.pictures > 0)

    def encode(self, conversation: Conversation) -> tuple[int, ...]:
        """The prompt's ids, without media. Raises DataError for one that the template cannot express or that is over its limit."""
        ids = self.template.encode_prompt(conversation)
        limit = self.template.plan.max_length
        if limit is not None and len(ids) > limit:
            if self.template.plan.truncation != "truncation_left":
                raise DataError(f"the prompt has {len(ids):,} tokens, limit {limit:,} (--max_length).")
            ids = ids[-limit:]
        return tuple(ids)

    def prepare(self, conversation: Conversation, then: Sequence[int] = ()) -> Prompt:
        """What the engine is to read, and ``then`` behind it. With images this takes a while, and waits for those at an address: not for an event loop.

        Raises DataError as `encode`, and for images that cannot be had, read or answered (`ImageError` names the image).
        """
        if not conversation.media:
            return Prompt((*self.encode(conversation), *then))
        other = sorted({media.kind for media in conversation.media} - {"image"})
        if other:
            raise DataError(f"the conversation holds {' and '.join(other)}: this version answers about images only.")
        if self.eyes is None:
            raise DataError("the conversation holds images, and the model reads text only.")
        limits = self.engine.limits
        if not limits.media and len(conversation.media) > limits.pictures:
            raise DataError(
                f"the conversation holds {len(conversation.media)} images, and the engine reads at most {limits.pictures}"
                " (--limit_mm_per_prompt)."
                if limits.pictures
                else "the conversation holds images, and the engine takes text only. The engine pt reads them."
            )
        images, room = [], MOST_TOGETHER
        for number, media in enumerate(conversation.media):
            try:
                images.append(open_image(read_source(media, root=self._media_root), self.eyes.max_pixels))
                room -= images[-1].width * images[-1].height
                if room < 0:  # each may have come in a few KiB
                    raise DataError(
                        f"together they have over {MOST_TOGETHER:,} pixels. Make them smaller (--rescale_image)."
                    )
            except DataError as error:
                raise ImageError(number, f"image {number + 1} of {len(conversation.media)}: {error}") from error
        look = self.eyes.look(images) if limits.media else None
        texts, placeholder = look.texts if look is not None else self.eyes.texts(images), self.eyes.placeholder
        ids = self.template.encode_prompt(conversation, texts, placeholder)
        limit = self.template.plan.max_length
        if limit is not None and len(ids) > limit:
            raise DataError(
                f"the prompt has {len(ids):,} tokens with its images, limit {limit:,} (--max_length). --rescale_image makes"
                " images smaller."
            )
        ids = [*ids, *then]
        if look is not None:
            return Prompt(tuple(ids), self.eyes.beside(look, ids))
        folded = self.template.encode_prompt(conversation, [placeholder] * len(images), placeholder)
        return Prompt(tuple(ids), pictures=Pictures(tuple(map(as_png, images)), (*folded, *then)))

    def tool_grammar(self, conversation: Conversation, prompt: Prompt, name: str | None = None) -> Grammar:
        """What forces a call of the tool ``name``, or of any of the conversation's (None).

        ``prompt``: what `prepare` made of the conversation. Raises DataError for an unknown tool, or where the template's tool format has no such grammar.
        """
        return tool_grammar(self.template, conversation, name, opened=self._opened(conversation, prompt.ids))

    def form_grammar(self, conversation: Conversation, prompt: Prompt, form: Grammar) -> Grammar:
        """What holds the answer to ``form``, behind reasoning that the prompt opens, and unless it calls one of the conversation's tools.

        ``prompt``: what `prepare` made of the conversation. Raises DataError where the template's tool format has no such grammar.
        """
        return form_grammar(self.template, conversation, form, opened=self._opened(conversation, prompt.ids))

    def _opened(self, conversation: Conversation, prompt: Sequence[int]) -> bool:
        return opens_thinking(self.template, conversation, lambda: self.tokenizer.decode(prompt[-32:]))

    async def stream(
        self,
        conversation: Conversation,
        sampling: Sampling,
        *,
        adapter: str | None = None,
        logprobs: int | None = None,
        grammar: Grammar | None = None,
        request_id: str | None = None,
        prompt: Prompt | tuple[int, ...] | None = None,
    ) -> AsyncIterator[Delta]:
        """The answer as it grows; leaving early frees the engine.

        ``adapter`` names one that the engine has loaded; ``logprobs``: log-probabilities of the answer's tokens, with that many
        likeliest ones beside each; ``grammar`` bounds what may be written; ``request_id`` is the engine's name for the request
        (`Engine.abort`); ``prompt``: what `prepare` or `encode` made of the conversation already. Raises DataError, EngineError.
        """
        if prompt is None:
            prepare = self.prepare
            prompt = await asyncio.to_thread(prepare, conversation) if conversation.media else prepare(conversation)
        elif not isinstance(prompt, Prompt):
            prompt = Prompt(prompt)
        sorter = Sorter(self.template, conversation.tools, opened=self._opened(conversation, prompt.ids))
        request = GenerateRequest(
            request_id or uuid.uuid4().hex,
            prompt.ids,
            sampling,
            _ends(self.template.stop_ids, sampling),
            adapter=adapter,
            logprobs=logprobs,
            grammar=grammar,
            media=prompt.media,
            pictures=prompt.pictures,
        )
        own = () if sampling.ignore_eos else self.template.stop_strings_for(conversation)
        stop = (*own, *sampling.stop)
        answered = self._deltas(request, stop)
        del prompt, request  # images are large: they are the engine's now, for as long as it needs them
        async with aclosing(answered) as deltas:  # type: ignore[type-var]
            async for delta in deltas:
                piece = sorter.push(delta.text, is_end=delta.finish is not None)
                yield Delta(  # not `replace`, which looks at every field: this is done for every token
                    delta.text, delta.finish, delta.num_tokens, delta.num_prompt_tokens, piece.content, piece.reasoning, piece.calls,
                    delta.logprobs, delta.prompt_logprobs, delta.num_reused,
                )  # fmt: skip

    async def stream_prompt(
        self,
        ids: tuple[int, ...],
        sampling: Sampling,
        *,
        adapter: str | None = None,
        logprobs: int | None = None,
        prompt_logprobs: int | None = None,
        grammar: Grammar | None = None,
        stop_ids: tuple[int, ...] | None = None,
        request_id: str | None = None,
    ) -> AsyncIterator[Delta]:
        """What follows a prompt that is given as ids, as plain text: ``content`` is ``text``, nothing is parsed.

        ``stop_ids`` None: only the tokenizer's end of text ends it. Raises EngineError.
        """
        if stop_ids is None:
            eos = self.tokenizer.eos_token_id
            stop_ids = () if eos is None else (eos,)
        request = GenerateRequest(
            request_id or uuid.uuid4().hex,
            tuple(ids),
            sampling,
            _ends(stop_ids, sampling),
            adapter=adapter,
            logprobs=logprobs,
            prompt_logprobs=prompt_logprobs,
            grammar=grammar,
        )
        async with aclosing(self._deltas(request, sampling.stop)) as deltas:  # type: ignore[type-var]
            async for delta in deltas:
                yield replace(delta, content=delta.text)

    async def _deltas(self, request: GenerateRequest, stop: Sequence[str]) -> AsyncIterator[Delta]:
        """The engine's steps as text and log-probabilities; the stop strings are searched here."""
        reader = TextReader(self.tokenizer, stop, self._logprob_text if request.logprobs is not None else None)
        num_tokens, reused = 0, 0
        prompt_logprobs: tuple[TextLogprob, ...] = ()
        answered, num_prompt, stop_ids = self.engine.generate(request), len(request.prompt), request.stop_ids
        del request  # as above
        async with aclosing(answered) as steps:  # type: ignore[type-var]
            async for step in steps:
                num_tokens += len(step.token_ids)
                reused += step.num_reused
                if step.prompt_logprobs:
                    prompt_logprobs = tuple(map(self._logprob_text.of, step.prompt_logprobs))
                ids, logprobs = step.token_ids, step.logprobs
                if step.finish == "stop" and ids and ids[-1] in stop_ids:
                    ids, logprobs = ids[:-1], logprobs[: len(ids) - 1]
                text, told = reader.push(ids, logprobs, is_end=step.finish is not None)
                finish = "stop" if reader.stopped is not None else step.finish
                if text or told or finish is not None:
                    yield Delta(
                        text, finish, num_tokens, num_prompt, logprobs=told,
                        prompt_logprobs=prompt_logprobs, num_reused=reused,
                    )  # fmt: skip
                    reused, prompt_logprobs = 0, ()
                if finish is not None:
                    return

    async def answer(
        self,
        conversation: Conversation,
        sampling: Sampling,
        on_text: Callable[[str], None] | None = None,
        *,
        adapter: str | None = None,
        logprobs: int | None = None,
        grammar: Grammar | None = None,
        request_id: str | None = None,
    ) -> Answer:
        """The whole answer; ``on_text`` is given its text as it comes. Raises DataError, EngineError."""
        whole, last = _Whole(), None
        options = {"adapter": adapter, "logprobs": logprobs, "grammar": grammar, "request_id": request_id}
        async with aclosing(self.stream(conversation, sampling, **options)) as deltas:  # type: ignore[type-var,arg-type]
            async for last in deltas:
                whole.add(last)
                if on_text is not None and last.text:
                    on_text(last.text)
        if last is None:
            raise EngineError("the engine ended without an answer.")
        return whole.answer(last)

    async def chat(self, conversation: Conversation, sampling: Sampling) -> Message:
        """The answer as the conversation's next message. Raises DataError, EngineError."""
        return (await self.answer(conversation, sampling)).message

    def answers(
        self,
        conversations: Iterable[Conversation],
        sampling: Sampling,
        *,
        max_batch: int = 16,
        on_text: Callable[[int, str], None] | None = None,
        first: int = 0,
        adapter: str | None = None,
        logprobs: int | None = None,
    ) -> Iterator[Answer]:
        """Answers in the order of the conversations, which are read as they are needed; outside asyncio only.

        ``max_batch`` are answered at a time; a slow one does not keep others from starting until that many answers wait
        behind it. A seed is given on as seed + row number, so that a row's answer does not depend on its neighbours; rows are
        numbered from ``first`` on.
        ``on_text(row number, text)`` shows the row whose turn it is as it grows. What cannot be answered is an `Answer`
        with ``error``.
        """
        with asyncio.Runner() as runner:
            jobs: deque[_Job] = deque()
            rows = iter(enumerate(conversations, first))
            free = asyncio.Semaphore(max_batch)
            loop = runner.get_loop()

            async def work(job: _Job, row: Conversation, seeded: Sampling) -> Answer:
                async with free:
                    try:
                        return await self.answer(row, seeded, job.add, adapter=adapter, logprobs=logprobs)
                    except SwiftError as error:
                        return Answer("", Message("assistant", ""), None, 0, 0, str(error))

            def refill() -> None:
                while len(jobs) < 2 * max_batch:
                    number, row = next(rows, (0, None))
                    if row is None:
                        return
                    seeded = sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + number)
                    job = _Job(number)
                    job.task = loop.create_task(work(job, row, seeded))
                    jobs.append(job)

            refill()
            while jobs:
                if on_text is not None:
                    jobs[0].show(on_text)
                yield runner.run(_result(jobs[0]))
                jobs.popleft()
                refill()

    def chat_batch(
        self, conversations: Sequence[Conversation], sampling: Sampling, max_batch: int = 16
    ) -> list[Message]:
        """The answers' messages, in order. Raises EngineError that names the first row that has none."""
        messages = []
        for number, answer in enumerate(self.answers(conversations, sampling, max_batch=max_batch)):
            if answer.error is not None:
                raise EngineError(f"row {number}: {answer.error}")
            messages.append(answer.message)
        return messages


def _ends(own: tuple[int, ...], sampling: Sampling) -> tuple[int, ...]:
    """The ids that end an answer: the model's own, unless they are to be ignored, and those that were asked for."""
    return (*(() if sampling.ignore_eos else own), *sampling.stop_ids)


@dataclass(slots=True)
class _Whole:
    """An answer's deltas put together again: the message is what a client that joins the stream sees."""

    text: list[str] = field(default_factory=list)
    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    heads: dict[int, CallDelta] = field(default_factory=dict)
    arguments: dict[int, str] = field(default_factory=dict)
    logprobs: list[TextLogprob] = field(default_factory=list)
    num_reused: int = 0

    def add(self, delta: Delta) -> None:
        self.text.append(delta.text)
        self.content.append(delta.content)
        self.reasoning.append(delta.reasoning)
        self.logprobs += delta.logprobs
        self.num_reused += delta.num_reused
        for call in delta.calls:
            self.heads.setdefault(call.index, call)
            self.arguments[call.index] = self.arguments.get(call.index, "") + call.arguments

    def answer(self, last: Delta) -> Answer:
        calls = tuple(
            ToolCall(head.name or "", _object(self.arguments[index]), head.id) for index, head in self.heads.items()
        )
        message = Message("assistant", "".join(self.content), "".join(self.reasoning) or None, calls)
        return Answer(
            "".join(self.text), message, last.finish, last.num_tokens, last.num_prompt_tokens,
            logprobs=tuple(self.logprobs), num_reused=self.num_reused,
        )  # fmt: skip


def _object(text: str) -> dict[str, object] | str:
    """Arguments as the object that they are; as text where they are none (an answer that was cut off in them)."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value if isinstance(value, dict) else text


class _Job:
    """One conversation under way: its text so far, and whom to show it to."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.task: asyncio.Task[Answer] | None = None
        self._text = ""
        self._on_text: Callable[[int, str], None] | None = None

    def add(self, text: str) -> None:
        self._text += text
        if self._on_text is not None:
            self._on_text(self.number, text)

    def show(self, on_text: Callable[[int, str], None]) -> None:
        """Show what there is, and all that comes."""
        self._on_text = on_text
        if self._text:
            on_text(self.number, self._text)


async def _result(job: _Job) -> Answer:
    assert job.task is not None
    return await job.task
