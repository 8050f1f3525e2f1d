"""Conversations in, answers out: the template, the engine, the detokenizer and the tool parser as one object.

`swift infer`, the server, evaluation and the pages use the same one. Knows no tensor, no file and no screen.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from swift.llm.chat.detokenize import Detokenizer
from swift.llm.core import Conversation, Message, Sampling, Tokenizer
from swift.llm.engine.protocol import Engine, Finish, GenerateRequest
from swift.llm.template import Template
from swift.utils.errors import DataError, EngineError, SwiftError

__all__ = ["Answer", "ChatService", "Delta"]


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of an answer; ``finish`` on the last one only. Tokens are counted up to and with this delta."""

    text: str
    finish: Finish | None
    num_tokens: int
    num_prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: ``text`` as generated, ``message`` with reasoning and tool calls taken out of it.

    ``error`` says why there is none (a prompt that is too long, for one); then ``finish`` is None.
    """

    text: str
    message: Message
    finish: Finish | None
    num_tokens: int
    num_prompt_tokens: int
    error: str | None = None


class ChatService:
    """Answers conversations with one template on one engine. Holds no conversation: it may serve many at once.

    A prompt over the template's ``max_length`` is refused, or cut on its left, as the template's plan says.
    """

    def __init__(self, template: Template, tokenizer: Tokenizer, engine: Engine) -> None:
        self.template = template
        self.tokenizer = tokenizer
        self.engine = engine

    def encode(self, conversation: Conversation) -> tuple[int, ...]:
        """The prompt's ids. Raises DataError for one that the template cannot express or that is over its limit."""
        ids = self.template.encode_prompt(conversation)
        limit = self.template.plan.max_length
        if limit is not None and len(ids) > limit:
            if self.template.plan.truncation != "truncation_left":
                raise DataError(f"the prompt has {len(ids):,} tokens, limit {limit:,} (--max_length).")
            ids = ids[-limit:]
        return tuple(ids)

    async def stream(self, conversation: Conversation, sampling: Sampling) -> AsyncIterator[Delta]:
        """The answer as it grows; leaving early frees the engine. Raises DataError, EngineError."""
        prompt = self.encode(conversation)
        request = GenerateRequest(uuid.uuid4().hex, prompt, sampling, self.template.stop_ids)
        detokenizer = Detokenizer(self.tokenizer, (*self.template.stop_strings_for(conversation), *sampling.stop))
        num_tokens = 0
        async with aclosing(self.engine.generate(request)) as steps:  # type: ignore[type-var]
            async for step in steps:
                num_tokens += len(step.token_ids)
                is_stop_id = step.finish == "stop" and step.token_ids and step.token_ids[-1] in request.stop_ids
                text = detokenizer.push(step.token_ids[:-1] if is_stop_id else step.token_ids)
                finish = step.finish
                if finish is not None:
                    text += detokenizer.finish()
                if detokenizer.stopped is not None:
                    finish = "stop"
                if text or finish is not None:
                    yield Delta(text, finish, num_tokens, len(prompt))
                if finish is not None:
                    return

    async def answer(
        self, conversation: Conversation, sampling: Sampling, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """The whole answer; ``on_text`` is given its text as it comes. Raises DataError, EngineError."""
        text, last = "", None
        async with aclosing(self.stream(conversation, sampling)) as deltas:  # type: ignore[type-var]
            async for last in deltas:
                text += last.text
                if on_text is not None and last.text:
                    on_text(last.text)
        if last is None:
            raise EngineError("the engine ended without an answer.")
        return Answer(
            text, self.template.parse(text, conversation.tools), last.finish, last.num_tokens, last.num_prompt_tokens
        )

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
    ) -> Iterator[Answer]:
        """Answers in the order of the conversations, which are read as they are needed; outside asyncio only.

        ``max_batch`` are answered at a time; a slow one does not keep others from starting until that many answers wait
        behind it. A seed is given on as seed + row number, so that a row's answer does not depend on its neighbours.
        ``on_text(row number, text)`` shows the row whose turn it is as it grows. What cannot be answered is an `Answer`
        with ``error``.
        """
        with asyncio.Runner() as runner:
            jobs: deque[_Job] = deque()
            rows = iter(enumerate(conversations))
            free = asyncio.Semaphore(max_batch)
            loop = runner.get_loop()

            def refill() -> None:
                while len(jobs) < 2 * max_batch:
                    number, row = next(rows, (0, None))
                    if row is None:
                        return
                    seeded = sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + number)
                    job = _Job(number)
                    job.task = loop.create_task(self._work(job, row, seeded, free))
                    jobs.append(job)

            refill()
            while jobs:
                if on_text is not None:
                    jobs[0].show(on_text)
                yield runner.run(_result(jobs[0]))
                jobs.popleft()
                refill()

    async def _work(self, job: _Job, conversation: Conversation, sampling: Sampling, free: asyncio.Semaphore) -> Answer:
        async with free:
            try:
                return await self.answer(conversation, sampling, job.add)
            except SwiftError as error:
                return Answer("", Message("assistant", ""), None, 0, 0, str(error))

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
