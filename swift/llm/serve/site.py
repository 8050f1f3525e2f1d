"""One model behind one address: the chat service, its names and adapters, the desk, the counts; what every route works with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request

from swift.llm.chat.service import ChatService, Delta, ImageError, Prompt
from swift.llm.core import Conversation, Message, Sampling
from swift.llm.media.fetch import SYSTEM, Network
from swift.llm.plan.deploy import HttpPlan
from swift.llm.serve.desk import Desk
from swift.llm.serve.errors import ApiError, invalid, refused
from swift.llm.serve.metrics import Metrics
from swift.llm.serve.pictures import Pictures, fetched, unreadable
from swift.utils.errors import DataError, EngineError, EngineFailedError

__all__ = ["Site"]

WEIGHTS = "adapter_model.safetensors"
WARM_LENGTHS, WARM_S = (64, 128, 256, 512), 1.0
TOKEN_CHARS = 256  # longer than any token of the vocabularies that we know
MAX_FETCHES = 16  # of all requests at the same time
T = TypeVar("T")


class Site:
    """``max_running``: answers that the engine writes at a time; ``http.max_queue`` more may wait.

    ``sampling`` is what a request gets that says nothing; ``adapters`` are those that the engine has loaded already, name to
    folder, and ``default_adapter`` the one that the model's own name stands for. ``is_ready`` becomes true when a prompt was
    answered; ``failure`` says why the engine answers no more.
    """

    def __init__(
        self,
        service: ChatService,
        sampling: Sampling,
        http: HttpPlan,
        max_running: int,
        *,
        adapters: Mapping[str, str] | None = None,
        default_adapter: str | None = None,
    ) -> None:
        self.service = service
        self.engine = service.engine
        bounds = [most for most in (sampling.max_new_tokens, http.max_tokens_limit) if most is not None]
        self.sampling = replace(sampling, max_new_tokens=min(bounds, default=None))
        self.http = http
        self.desk = Desk(max_running + http.max_queue, http.request_timeout_s)
        self.metrics = Metrics()
        self.is_ready = False
        self.failure: EngineFailedError | None = None
        self.created = int(time.time())
        self.adapters = dict(adapters or {})
        self._default_adapter = default_adapter
        self._loading = asyncio.Lock()
        self._reader = ThreadPoolExecutor(1, "swift-reader")
        self._fetches = asyncio.Semaphore(MAX_FETCHES)
        self.network: Network = SYSTEM

    # --- names

    def adapter_of(self, model: str) -> str | None:
        """The adapter that a model's name stands for, None for the model as it was opened. Raises ApiError 404."""
        if model in self.http.names:
            return self._default_adapter
        if model in self.adapters:
            return model
        known = ", ".join((*self.http.names, *self.adapters))
        raise ApiError(
            404,
            f"model {model[:200]!r} is not served here; served are: {known}.",
            param="model",
            code="model_not_found",
        )

    def models(self) -> list[dict[str, Any]]:
        """What /v1/models lists: the model under each of its names, then the adapters."""
        return [self.model(name) for name in (*self.http.names, *self.adapters)]

    def model(self, name: str) -> dict[str, Any]:
        """One of them. Raises ApiError 404."""
        self.adapter_of(name)
        is_own = name in self.http.names
        return {
            "id": name, "object": "model", "created": self.created, "owned_by": self.http.owned_by,
            "root": self.http.names[0] if is_own else name, "parent": None if is_own else self.http.names[0],
            "max_model_len": self.engine.limits.context, "is_multimodal": self.service.takes_images,
        }  # fmt: skip

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Serve an adapter as a model of its own. Raises ApiError for a name in use, EngineError."""
        async with self._loading:
            if name in self.adapters or name in self.http.names:
                raise invalid("lora_name", f"{name!r} is served already. Unload it first, or choose another name.")
            if not self.engine.limits.adapters:
                raise refused("lora_name", "this engine takes no adapters by name.")
            await self.engine.load_adapter(name, str(folder))
            self.adapters[name] = str(folder)

    async def unload_adapter(self, name: str) -> None:
        """Forget it; answers under way with it end first, and meanwhile others come and go. Raises ApiError 404, EngineError."""
        if name not in self.adapters:
            raise ApiError(404, f"adapter {name[:200]!r} is not loaded.", param="lora_name", code="model_not_found")
        folder = self.adapters.pop(name)  # no new request gets it from here on
        try:
            await self.engine.unload_adapter(name)
        except EngineError:
            self.adapters.setdefault(name, folder)
            raise

    def adapter_folder(self, path: str) -> Path:
        """The folder that a client names, if it lies below one of --adapter_roots and holds safetensors. Raises ApiError."""
        if "\0" in path:
            raise invalid("lora_path", "holds a null character.")
        try:
            folder = Path(path).resolve()
            is_inside = any(folder.is_relative_to(Path(root).resolve()) for root in self.http.adapter_roots)
            is_adapter = is_inside and all((folder / name).is_file() for name in ("adapter_config.json", WEIGHTS))
        except (OSError, RuntimeError):  # a name that is too long, links in a circle
            raise invalid("lora_path", "is no path that can be followed.") from None
        if not is_inside:
            raise ApiError(403, "lora_path: is not below a folder of --adapter_roots.", param="lora_path")
        if not is_adapter:
            raise invalid("lora_path", f"{path} holds no adapter (adapter_config.json and {WEIGHTS}).")
        return folder

    # --- what the template can do

    @cached_property
    def knows_effort(self) -> bool:
        """Whether ``reasoning_effort`` changes a prompt."""
        return self._differs({"reasoning_effort": "low"}, {"reasoning_effort": "high"})

    @cached_property
    def knows_thinking(self) -> bool:
        """Whether ``enable_thinking`` changes a prompt."""
        return self._differs({"enable_thinking": False}, {"enable_thinking": True})

    def _differs(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        asked = Conversation((Message("user", "Hello"),))
        try:
            first, second = (
                self.service.template.encode_prompt(replace(asked, template_kwargs=kwargs)) for kwargs in (one, other)
            )
        except DataError:
            return False
        return first != second

    # --- images

    def pictures(self, listed: Sequence[str] | None = None) -> Pictures | None:
        """What collects the images of a request; None where the model takes none."""
        return Pictures(self.http, listed) if self.service.takes_images else None

    async def seen(self, http: Request, conversation: Conversation, pictures: Pictures) -> Conversation:
        """The conversation with its images here, as data URLs. Raises ApiError, and what `Desk.attend` does."""
        http.state.is_long = True
        work = fetched(conversation, pictures, self.http, self._fetches, self.network)
        return await self.desk.attend(http.receive, work)

    def prepare(self, conversation: Conversation, pictures: Pictures | None) -> Prompt:
        """What the engine is to read. Raises DataError, and ApiError that names the field of an image that cannot be read."""
        try:
            return self.service.prepare(conversation)
        except ImageError as error:
            if pictures is None:
                raise
            tag = conversation.media[error.number].tag or ""
            raise unreadable(error, pictures.places[tag]) from None

    # --- long texts

    async def apart(self, http: Request, work: Callable[[], T]) -> T:
        """``work``, in a thread where the request is long, one after the other: nobody else waits for its tokens.

        Raises what it raises, and what `Desk.attend` does.
        """
        if not http.state.is_long:
            return work()
        result = asyncio.get_running_loop().run_in_executor(self._reader, work)
        return await self.desk.attend(http.receive, result)

    def check_length(self, num_chars: int, param: str) -> None:
        """Raises ApiError 400 for a text that no tokenizer could bring into the context: finding out takes seconds."""
        context = self.engine.limits.context
        if context is not None and num_chars > context * TOKEN_CHARS:
            raise ApiError(
                400, f"{param}: {num_chars:,} characters; the model's context holds {context:,} tokens. Shorten it.",
                param=param, code="context_length_exceeded",
            )  # fmt: skip

    # --- answers

    async def answer(self, streams: Sequence[AsyncIterator[Delta]]) -> AsyncIterator[tuple[int, Delta]]:
        """The deltas of all streams with the number of theirs, as they come. Raises ApiError where there is no place."""
        started = time.monotonic()
        latest: dict[int, float] = {}
        counted = dict.fromkeys(range(len(streams)), 0)
        with self.desk.places(len(streams)):
            async with aclosing(_merge(streams)) as merged:  # type: ignore[type-var]
                async for number, delta in merged:
                    now = time.monotonic()
                    if number not in latest:
                        self.metrics.first_token.observe(now - started)
                        self.metrics.prompt_tokens += delta.num_prompt_tokens
                    elif delta.num_tokens > counted[number]:
                        self.metrics.next_token.observe((now - latest[number]) / (delta.num_tokens - counted[number]))
                    self.metrics.reused_tokens += delta.num_reused
                    latest[number] = now
                    self.metrics.answer_tokens += delta.num_tokens - counted[number]
                    counted[number] = delta.num_tokens
                    if delta.finish == "abort":
                        raise ApiError(503, "the engine ended the answer: it is being closed.", code="draining")
                    yield number, delta

    async def warm_up(self) -> None:
        """Answer a prompt (or make a vector of it); then the server is ready. Raises SwiftError where it cannot.

        Longer ones follow where that is quick: the first of each size costs an engine several times what the next does.
        """
        hello = Conversation((Message("user", "Hello"),))
        if not self.engine.limits.answers:
            await self.engine.embed([self.service.encode(hello)])
            self.is_ready = True
            return
        sampling = replace(self.sampling, max_new_tokens=2, num_beams=1)
        prompt, context = self.service.encode(hello), self.engine.limits.context
        for number, length in enumerate((len(prompt), *WARM_LENGTHS)):
            if context is not None and length > context // 2:
                break
            ids = (prompt * (length // len(prompt) + 2))[number : number + length]  # none begins as another does
            started, ended = time.monotonic(), False
            answer = self.service.stream_prompt(ids, sampling, adapter=self._default_adapter)
            async with aclosing(answer) as deltas:  # type: ignore[type-var]
                async for delta in deltas:
                    ended = delta.finish is not None
            if not ended:
                raise EngineError("the engine gave no answer to a first prompt.")
            if time.monotonic() - started > WARM_S:
                break
        self.is_ready = True


async def _merge(streams: Sequence[AsyncIterator[Delta]]) -> AsyncIterator[tuple[int, Delta]]:
    if len(streams) == 1:
        async with aclosing(streams[0]) as only:  # type: ignore[type-var]
            async for delta in only:
                yield 0, delta
        return
    queue: asyncio.Queue[tuple[int, Delta | Exception | None]] = asyncio.Queue()

    async def run(number: int, stream: AsyncIterator[Delta]) -> None:
        last: Exception | None = None
        try:
            async with aclosing(stream) as deltas:  # type: ignore[type-var]
                async for delta in deltas:
                    queue.put_nowait((number, delta))
        except Exception as error:
            last = error
        queue.put_nowait((number, last))

    tasks = [asyncio.create_task(run(number, stream)) for number, stream in enumerate(streams)]
    try:
        running = len(tasks)
        while running:
            number, item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                running -= 1
            else:
                yield number, item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
