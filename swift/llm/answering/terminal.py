"""A chat in the terminal, or over a pipe: lines in, answers out as they are written. Knows no model and no template."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from swift.llm.answering.result import result_row
from swift.llm.chat.service import ChatService
from swift.llm.core import Conversation, Media, Message, Sampling
from swift.llm.dataset.media import with_media
from swift.llm.media.sources import located
from swift.utils.errors import DataError, EngineError
from swift.utils.files import append_jsonl
from swift.utils.lazy import require

__all__ = ["HELP", "Chat", "open_reader"]

HELP = """\
clear          forget the conversation
reset-system   ask for another system prompt, and forget the conversation
multi-line     let a question have several lines; it ends with # at the end of a line
single-line    a question ends with its line (as at the beginning)
<image>        in a question: asks for an image, which stands there; so does <img>path or URL</img> by itself
/adapter NAME  answer with this adapter from now on; base: without any; no name: list them
help           this list
exit, quit     end; so do Ctrl-D, and Ctrl-C while nothing is being answered
Ctrl-C         stop the answer that is being written"""

ADAPTER, BASE = "/adapter", "base"
COMMANDS = ("clear", "reset-system", "multi-line", "single-line", "help", "exit", "quit")
QUESTION, MORE, SYSTEM = "<<< ", "... ", "system prompt (empty: the template's own): "
IMAGE = "image path or URL (empty: do not ask): "
TAG = "<image>"


class Reader(Protocol):
    """Where questions come from. ``read`` raises EOFError at the end, KeyboardInterrupt for Ctrl-C."""

    def read(self, prompt: str) -> str:
        """One line, without its end."""


class PipeReader:
    """Lines of standard input, shown after their prompt so that the output reads like the conversation."""

    def read(self, prompt: str) -> str:
        """The next line of the pipe or file."""
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        text = line.rstrip("\r\n")
        print(prompt + text, flush=True)
        return text


class TerminalReader:
    """A line with editing and history, through prompt_toolkit."""

    def __init__(self) -> None:
        require("prompt_toolkit>=3.0.43", extra="infer")
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import InMemoryHistory

        self._session: PromptSession[str] = PromptSession(history=InMemoryHistory())

    def read(self, prompt: str) -> str:
        """What is typed until Enter."""
        return self._session.prompt(prompt)


def open_reader() -> Reader:
    """A line editor on a terminal, plain lines elsewhere."""
    return TerminalReader() if sys.stdin.isatty() and sys.stdout.isatty() else PipeReader()


class Chat:
    """One conversation, turn after turn. Answers are appended to ``result_path`` as JSON lines, if there is one.

    ``adapters`` can be switched between by name; ``adapter`` answers first (None: the model as it is).
    """

    def __init__(
        self,
        service: ChatService,
        sampling: Sampling,
        reader: Reader,
        *,
        stream: bool = True,
        result_path: Path | None = None,
        write: Callable[[str], None] | None = None,
        adapters: Sequence[str] = (),
        adapter: str | None = None,
    ) -> None:
        self._service = service
        self._sampling = sampling
        self._reader = reader
        self._stream = stream
        self._result_path = result_path
        self._write = write or _print
        self._adapters = tuple(adapters)
        self._adapter = adapter
        self._system: str | None = None
        self._messages: list[Message] = []
        self._media: list[Media] = []
        self._multi_line = False
        self.num_answers = 0

    def run(self) -> None:
        """Until exit, the end of the input, or Ctrl-C at the prompt."""
        self._write("Ask something. help lists the commands, exit ends.\n")
        while True:
            try:
                text = self._read_question()
            except (EOFError, KeyboardInterrupt):
                self._write("\n")
                return
            if text in ("exit", "quit"):
                return
            if text.strip() and not self._obey(text):
                question, media = self._with_images(text)
                if question is not None:
                    self._answer(question, media)

    def _with_images(self, text: str) -> tuple[Message | None, tuple[Media, ...]]:
        """The question and its images, for a model that takes some; no question where none was to be asked after all."""
        question = Message("user", text)
        if not self._service.takes_images:
            return question, ()
        first, *others = text.split(TAG)
        pieces = [first]
        for other in others:
            try:
                path = self._reader.read(IMAGE).strip()
            except (EOFError, KeyboardInterrupt):
                path = ""
            if not path:
                self._write("\nNothing was asked.\n")
                return None, ()
            pieces += [f"<img>{path}</img>", other]
        (question,), media = with_media({}, [Message("user", "".join(pieces))])
        return question, tuple(located(one, (Path.cwd(),)) for one in media)

    def _read_question(self) -> str:
        text = self._reader.read(QUESTION)
        if not self._multi_line or text.strip() in COMMANDS:
            return text.strip()
        lines = [text]
        while not lines[-1].rstrip().endswith("#"):
            lines.append(self._reader.read(MORE))
        lines[-1] = lines[-1].rstrip()[:-1]
        return "\n".join(lines).strip("\n")

    def _obey(self, text: str) -> bool:
        """Do what a command says; False if the text is a question."""
        if text == "clear":
            self._forget()
            self._write("The conversation is forgotten.\n")
        elif text == "reset-system":
            try:
                self._system = self._reader.read(SYSTEM).strip() or None
            except (EOFError, KeyboardInterrupt):
                self._write("\nThe system prompt stays as it was.\n")
                return True
            self._forget()
            self._write("The system prompt is set; the conversation is forgotten.\n")
        elif text in ("multi-line", "single-line"):
            self._multi_line = text == "multi-line"
            self._write(
                "End a question with # at the end of a line.\n" if self._multi_line else "A question is one line.\n"
            )
        elif text == "help":
            self._write(HELP + "\n")
        elif text.split(maxsplit=1)[0] == ADAPTER:
            self._switch(text.removeprefix(ADAPTER).strip())
        else:
            return False
        return True

    def _switch(self, name: str) -> None:
        """Answer with another adapter; the conversation stays."""
        if not self._adapters:
            self._write("No adapters are loaded by name (--lora_modules name=path).\n")
        elif not name or name not in (*self._adapters, BASE):
            unknown = f"There is no adapter {name!r}. " if name else ""
            known = ", ".join((*self._adapters, BASE))
            self._write(f"{unknown}Now: {self._adapter or BASE}. There are: {known}.\n")
        else:
            self._adapter = None if name == BASE else name
            self._write(f"From now on: {name}.\n")

    def _forget(self) -> None:
        self._messages.clear()
        self._media.clear()

    def _answer(self, question: Message, media: Sequence[Media]) -> None:
        """Answer and remember; an answer that was stopped is remembered as far as it came."""
        row = self._service.template.row
        if row is not None and row.generation_only:
            self._forget()  # such a format continues one text; it has no turns
        self._messages.append(question)
        self._media += media
        conversation = self._conversation()
        sampling = self._sampling
        if sampling.seed is not None:
            sampling = replace(sampling, seed=sampling.seed + self.num_answers)
        pieces: list[str] = []
        try:
            asyncio.run(self._show(conversation, sampling, pieces))
        except KeyboardInterrupt:
            self._write("\n[stopped]\n")
        except (EngineError, DataError) as error:
            self._messages.pop()
            del self._media[len(self._media) - len(media) :]
            self._write(f"[no answer: {error} `clear` forgets the conversation.]\n")
            return
        text = "".join(pieces)
        self.num_answers += 1
        self._messages.append(self._service.template.parse(text))
        if self._result_path is not None:
            append_jsonl(self._result_path, result_row(conversation, text, None, self._service.template))

    async def _show(self, conversation: Conversation, sampling: Sampling, pieces: list[str]) -> None:
        async for delta in self._service.stream(conversation, sampling, adapter=self._adapter):
            pieces.append(delta.text)
            if self._stream:
                self._write(delta.text)
            if delta.finish is not None:
                self._write("\n" if self._stream else "".join(pieces) + "\n")
            if delta.finish == "length":
                self._write(f"[cut off after {delta.num_tokens:,} tokens: --max_new_tokens, or the model's context]\n")

    def _conversation(self) -> Conversation:
        if self._system is None:
            return Conversation(tuple(self._messages), media=tuple(self._media))
        messages = (Message("system", self._system), *self._messages)
        return Conversation(messages, media=tuple(self._media), system_given=True)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
