"""The routes of plain text: ``/v1/completions``, ``/v1/embeddings``, ``/tokenize``, ``/detokenize``."""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from swift.llm.chat.service import Delta
from swift.llm.serve.chat import check_logprobs, check_max_tokens, nth, told_to_template
from swift.llm.serve.convert import conversation_of, refuse_unsupported, sampling_for
from swift.llm.serve.errors import invalid, refused
from swift.llm.serve.replies import DONE, Head, TextAnswer, Usage, dumps, event
from swift.llm.serve.schema import CompletionRequest, DetokenizeRequest, EmbeddingRequest, TokenizeRequest
from swift.llm.serve.site import Site
from swift.llm.serve.stream import EventStream

__all__ = ["answer_completion", "detokenize", "embed", "tokenize"]

DEFAULT_TOKENS = 16  # OpenAI's, for a completion that says nothing
MAX_PROMPTS = 256
Prompt: TypeAlias = tuple[str | None, tuple[int, ...]]


async def answer_completion(site: Site, request: CompletionRequest, http: Request) -> Response:
    """The response. Raises ApiError and SwiftError."""
    bos = request.add_special_tokens is not False
    prompts = await site.apart(http, partial(_prompts, site, request.prompt, "prompt", bos=bos))
    plan = _Plan(site, request, prompts)
    if request.stream:
        return EventStream(plan.events(), site.desk)
    return await site.desk.attend(http.receive, plan.whole())


class _Plan:
    """What one request comes to: ``n`` answers to each prompt, numbered prompt by prompt."""

    def __init__(self, site: Site, request: CompletionRequest, prompts: Sequence[Prompt]) -> None:
        self.site = site
        self.request = request
        adapter = site.adapter_of(request.model)
        refuse_unsupported(request)
        self.n = request.n or 1
        if request.best_of is not None and request.best_of != self.n:
            raise refused("best_of", "choosing among more answers than are returned is not offered. Leave it out.")
        self.logprobs = None if request.logprobs is None else check_logprobs(site, request.logprobs, "logprobs")
        self.only_prompt = request.max_tokens == 0
        if self.only_prompt and not request.echo:
            raise invalid("max_tokens", "0 leaves nothing to answer unless echo is true.")
        default = min(DEFAULT_TOKENS, site.http.max_tokens_limit or DEFAULT_TOKENS)
        wanted = default if request.max_tokens is None else max(request.max_tokens, 1)
        sampling = sampling_for(
            request, site.sampling, check_max_tokens(site, wanted), site.service.tokenizer.vocab_size
        )
        self.streams: list[AsyncIterator[Delta]] = []
        self.answers: list[TextAnswer] = []
        for text, ids in prompts:
            for number in range(self.n):
                echoed = (text if text is not None else site.service.tokenizer.decode(ids)) if request.echo else None
                first = (ids[0], site.service.tokenizer.decode([ids[0]])) if echoed is not None else None
                index = len(self.streams)
                self.answers.append(TextAnswer(index, prompt=echoed, first=first, logprobs=self.logprobs))
                self.streams.append(
                    site.service.stream_prompt(
                        ids, nth(sampling, number), adapter=adapter, logprobs=self.logprobs,
                        prompt_logprobs=self.logprobs if request.echo else None,
                    )
                )  # fmt: skip

    async def whole(self) -> Response:
        """All answers in one response."""
        parts: list[list[Delta]] = [[] for _ in self.streams]
        usage = Usage()
        async with aclosing(self.site.answer(self.streams)) as deltas:  # type: ignore[type-var]
            async for number, delta in deltas:
                parts[number].append(delta)
                usage.add(number, number // self.n, delta)
        choices = [
            answer.choice(deltas, finish=self._finish(deltas[-1]), drop_answer=self.only_prompt)
            for answer, deltas in zip(self.answers, parts, strict=True)
        ]
        head = Head.of("cmpl", "text_completion", self.request.model)
        return Response(dumps(head.body(choices, usage=usage.body())), media_type="application/json")

    async def events(self) -> AsyncIterator[bytes]:
        """The same as chunks."""
        head = Head.of("cmpl", "text_completion", self.request.model)
        options = self.request.stream_options
        with_usage = bool(options and options.include_usage)
        always = bool(options and options.continuous_usage_stats)
        usage = Usage()
        async with aclosing(self.site.answer(self.streams)) as deltas:  # type: ignore[type-var]
            async for number, delta in deltas:
                usage.add(number, number // self.n, delta)
                choice = self.answers[number].choice([delta], finish=self._finish(delta), drop_answer=self.only_prompt)
                more = {"usage": usage.body() if always else None} if with_usage else {}
                yield event(head.body([choice], **more))
        if with_usage:
            yield event(head.body([], usage=usage.body()))
        yield DONE

    def _finish(self, delta: Delta) -> str | None:
        return "length" if self.only_prompt and delta.finish else delta.finish


def _encode(site: Site, text: str, *, bos: bool = True) -> tuple[int, ...]:
    """A text's ids: the text of a control token stays text, unless --permissive_special_tokens says otherwise."""
    tokenizer = site.service.template.tokenizer
    if site.service.template.plan.permissive_special_tokens:
        tokenizer = tokenizer.permissive
    ids = tokenizer.encode(text)
    starts = bos and tokenizer.starts_with_bos and tokenizer.bos_token_id is not None
    return (tokenizer.bos_token_id, *ids) if starts and tokenizer.bos_token_id is not None else tuple(ids)


def _prompts(
    site: Site, given: str | list[str] | list[int] | list[list[int]], field: str, *, bos: bool = True
) -> list[Prompt]:
    """Each prompt as its text (None: it came as ids) and its ids. Raises ApiError for an empty, long or strange one."""
    many: list[Any] = [given] if isinstance(given, str) or isinstance(given[0], int) else list(given)
    if len(many) > MAX_PROMPTS:
        raise invalid(field, f"{len(many)} of them; at most {MAX_PROMPTS} at once.")
    out = []
    for one in many:
        text = one if isinstance(one, str) else None
        site.check_length(len(one), field)
        ids = _encode(site, one, bos=bos) if isinstance(one, str) else tuple(one)
        _check_ids(site, ids, field)
        if not ids:
            raise invalid(field, "an empty text: there is no token to begin with.")
        out.append((text, ids))
    return out


def _check_ids(site: Site, ids: tuple[int, ...], field: str) -> None:
    most = site.service.tokenizer.vocab_size
    for token in ids:
        if token >= most:
            raise invalid(field, f"token {token}: the vocabulary has {most:,} tokens.")


async def embed(site: Site, request: EmbeddingRequest, http: Request) -> Response:
    """A vector for each text. Raises ApiError where the model has none."""
    if site.adapter_of(request.model) is not None:
        raise refused("model", "adapters give no embeddings.")
    refuse_unsupported(request)
    if not site.engine.limits.embeddings:
        raise refused("input", "this model gives no embeddings on this engine.")
    inputs = await site.apart(http, partial(_prompts, site, request.input, "input"))
    limit = site.engine.limits.context
    for _, ids in inputs:
        if limit is not None and len(ids) > limit:
            raise invalid("input", f"{len(ids):,} tokens; the model takes {limit:,}.")

    async def work() -> list[list[float]]:
        with site.desk.places(1):
            return await site.engine.embed([ids for _, ids in inputs])

    vectors = await site.desk.attend(http.receive, work())
    num_tokens = sum(len(ids) for _, ids in inputs)
    site.metrics.prompt_tokens += num_tokens
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(vector, request.encoding_format)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": num_tokens, "total_tokens": num_tokens}
    body = {"object": "list", "data": data, "model": request.model, "usage": usage}
    return Response(dumps(body), media_type="application/json")


def _vector(vector: list[float], form: str | None) -> list[float] | str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if form == "base64" else vector


async def tokenize(site: Site, request: TokenizeRequest, http: Request) -> dict[str, Any]:
    """The ids of a text, or of a conversation with what opens its answer; images in it are looked at."""
    if request.model is not None:
        site.adapter_of(request.model)
    if (request.prompt is None) == (request.messages is None):
        raise invalid("prompt", "give either prompt or messages.")
    if request.messages is not None:
        kwargs, pictures = told_to_template(site, request), site.pictures()
        read = partial(conversation_of, request.messages, request.tools, kwargs, pictures)
        conversation = await site.apart(http, read)
        if pictures is not None and pictures.places:
            conversation = await site.seen(http, conversation, pictures)
            ids = (await site.apart(http, partial(site.prepare, conversation, pictures))).ids
        else:
            ids = tuple(await site.apart(http, partial(site.service.template.encode_prompt, conversation)))
    else:
        for name in ("tools", "chat_template_kwargs"):
            if getattr(request, name) is not None:
                raise invalid(name, "has a meaning only with messages.")
        ids = await site.apart(http, partial(_encode, site, request.prompt or "", bos=request.add_special_tokens))
    return {"tokens": list(ids), "count": len(ids), "max_model_len": site.engine.limits.context}


def detokenize(site: Site, request: DetokenizeRequest) -> dict[str, Any]:
    """The text of ids, control tokens written out."""
    if request.model is not None:
        site.adapter_of(request.model)
    _check_ids(site, tuple(request.tokens), "tokens")
    return {"prompt": site.service.tokenizer.decode(request.tokens)}
