"""One request through transformers' ``generate``: beams, and models that cannot take flat batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from swift.llm.core import Sampling
from swift.llm.engine.protocol import Finish
from swift.llm.engine.sampling import Sampler
from swift.llm.engine.schedule import Running

__all__ = ["generate_alone"]

GoOn = Callable[[tuple[int, ...]], bool]


def generate_alone(model: Any, item: Running, go_on: GoOn) -> tuple[Finish, tuple[int, ...]]:
    """Answer one request; ``go_on(new tokens)`` is called at every token and ends it by saying no.

    Returns why it ended and the tokens that ``go_on`` has not had. With beams that is the whole answer: no token is
    certain before the end. Sampling is ours, with the request's own random numbers; beams are transformers'.
    """
    request, sampling = item.request, item.request.sampling
    prompt = torch.tensor([request.prompt], device=model.device)
    watch = _Watch(len(request.prompt), go_on, silent=sampling.num_beams > 1)
    processors = LogitsProcessorList()
    if sampling.num_beams == 1:
        processors.append(_Chooser(Sampler(sampling, item.tokens)))
    # Drawing among beams takes torch's global numbers: they are set for this request, and put back after it.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        if sampling.seed is not None:
            torch.manual_seed(sampling.seed)
        output = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            generation_config=_config(sampling, request.stop_ids, item.limit - len(request.prompt)),
            logits_processor=processors,
            stopping_criteria=StoppingCriteriaList([watch]),
        )
    answer: list[int] = output[0, len(request.prompt) :].tolist()
    ends = [place for place, token in enumerate(answer) if token in request.stop_ids]
    answer = answer[: ends[0] + 1] if ends else answer  # beams are padded behind the stop id
    return ("stop" if ends else "length"), tuple(answer[watch.sent :])


def _config(sampling: Sampling, stop_ids: tuple[int, ...], max_new_tokens: int) -> GenerationConfig:
    """Every setting said, since ``generate`` fills what is None from the model's own generation_config."""
    beams = sampling.num_beams
    values: dict[str, Any] = {"do_sample": False, "repetition_penalty": 1.0}
    if beams > 1:
        values = {"do_sample": sampling.do_sample, "repetition_penalty": sampling.repetition_penalty}
        if sampling.do_sample:
            values |= {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=max_new_tokens,
        num_beams=beams,
        eos_token_id=list(stop_ids) or None,
        pad_token_id=stop_ids[0] if stop_ids else 0,
        **values,
    )


class _Chooser(LogitsProcessor):
    """Our own choice of the next token, told to ``generate`` as the only possible one."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        token = self._sampler.choose(scores[0].float())
        chosen = torch.full_like(scores, float("-inf"))
        chosen[0, token] = 0.0
        return chosen  # type: ignore[return-value]


class _Watch(StoppingCriteria):
    """Passes new tokens on while ``generate`` runs, and ends it when the request left."""

    def __init__(self, start: int, go_on: GoOn, silent: bool) -> None:
        self._start, self._go_on, self._silent = start, go_on, silent
        self.sent = 0

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.BoolTensor:
        tokens: list[int] = [] if self._silent else input_ids[0, self._start + self.sent : -1].tolist()
        self.sent += len(tokens)  # all but the newest: it goes out with the finish, should it be the last
        keep = self._go_on(tuple(tokens))
        return torch.full((input_ids.shape[0],), not keep, device=input_ids.device)  # type: ignore[return-value]
