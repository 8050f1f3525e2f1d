"""One request through transformers' ``generate``, one sequence through a whole forward: beams, models without flat batches."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from swift.llm.core import Sampling
from swift.llm.engine.protocol import Finish, Step, TokenLogprob
from swift.llm.engine.sampling import Sampler, check_chosen, choose, logprobs_of
from swift.llm.engine.schedule import Running
from swift.utils.errors import EngineError

__all__ = ["embed_alone", "first_logits", "generate_alone", "on_device", "score_alone", "takes_images"]

GoOn = Callable[[Step], bool]

_NEVER = 2**31 - 1  # the end of an answer that no token ends: for None, `generate` takes the model's own


def generate_alone(model: Any, item: Running, go_on: GoOn) -> Step:
    """Answer one request; ``go_on(step)`` is called at every token and ends it by saying no.

    Returns the last step, with what ``go_on`` has not had. With beams that is the whole answer: no token is certain before
    the end. Sampling is ours, with the request's own random numbers; beams are transformers'. A request with media is read
    with them.
    """
    request, sampling = item.request, item.request.sampling
    prompt = torch.tensor([request.prompt], device=model.device)
    chooser = _Chooser(item.sampler, request.stop_ids, request.logprobs) if sampling.num_beams == 1 else None
    watch = _Watch(len(request.prompt), go_on, chooser)
    # Drawing among beams takes torch's global numbers: they are set for this request, and put back after it.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        if sampling.seed is not None:
            torch.manual_seed(sampling.seed)
        with warnings.catch_warnings():
            # peft, at every token behind virtual ones: generate's position ids give way to the model's own, which is right
            warnings.filterwarnings("ignore", message="Position ids are not supported")
            output = model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                generation_config=_config(sampling, request.stop_ids, item.limit - len(request.prompt)),
                logits_processor=LogitsProcessorList([chooser] if chooser is not None else []),
                stopping_criteria=StoppingCriteriaList([watch]),
                **on_device(model, request.media),
            )
    answer: list[int] = output[0, len(request.prompt) :].tolist()
    ends = [place for place, token in enumerate(answer) if token in request.stop_ids]
    answer = answer[: ends[0] + 1] if ends else answer  # beams are padded behind the stop id
    finish: Finish = "stop" if ends or (chooser is not None and chooser.is_done) else "length"
    found = chooser.logprobs[watch.sent : len(answer)] if chooser is not None else []
    return Step(tuple(answer[watch.sent :]), finish, tuple(found))


def first_logits(model: Any, prompt: Sequence[int], media: Mapping[str, Any]) -> tuple[int, torch.Tensor]:
    """The likeliest next token as ``generate`` has it, and the logits (V) of the one after it."""
    ids = torch.tensor([prompt], device=model.device)
    config = _config(Sampling(), (), 2)
    config.output_logits = config.return_dict_in_generate = True
    output = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config, **on_device(model, media)
    )
    return int(output.sequences[0, len(prompt)]), output.logits[1][0]


def takes_images(model: Any) -> bool:
    """Whether the model's forward reads pixels."""
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "pixel_values" in inspect.signature(causal.forward).parameters


def on_device(model: Any, media: Mapping[str, Any] | None) -> dict[str, Any]:
    """A request's media where the model is; pixels in its dtype."""
    found = {}
    for name, value in (media or {}).items():
        is_pixels = isinstance(value, torch.Tensor) and value.is_floating_point()
        found[name] = value.to(model.device, model.dtype if is_pixels else None)
    return found


def score_alone(
    model: Any, sequence: Sequence[int], num_top: int, media: Mapping[str, Any] | None = None
) -> list[TokenLogprob]:
    """Log-probabilities of all tokens but the first, read in one forward."""
    ids = torch.tensor([sequence], device=model.device)
    read = model(input_ids=ids, use_cache=False, **on_device(model, media))
    logits = read.logits[0, -len(sequence) : -1].float()  # (T-1, V), without virtual tokens
    return logprobs_of(logits, sequence[1:], [num_top] * (len(sequence) - 1)) if len(sequence) > 1 else []


def embed_alone(model: Any, sequence: Sequence[int], pooling: str) -> list[float]:
    """The mean of the last hidden states, or the one at the last token, of length 1. Raises EngineError for virtual tokens."""
    adapter = getattr(model, "active_peft_config", None)
    if adapter is not None and adapter.is_prompt_learning:
        raise EngineError(
            "this adapter writes virtual tokens before a prompt: there are no embeddings of a text alone."
        )
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    ids = torch.tensor([sequence], device=model.device)
    hidden = causal.base_model(input_ids=ids).last_hidden_state[0].float()  # (T, C)
    vector = hidden.mean(0) if pooling == "mean" else hidden[-1]
    found: list[float] = (vector / vector.norm().clamp(min=1e-12)).tolist()
    return found


def _config(sampling: Sampling, stop_ids: tuple[int, ...], max_new_tokens: int) -> GenerationConfig:
    """Every setting said, since ``generate`` fills what is None from the model's own generation_config."""
    beams = sampling.num_beams
    values: dict[str, Any] = {"do_sample": False, "repetition_penalty": 1.0}
    if beams > 1:
        values = {"do_sample": sampling.do_sample, "repetition_penalty": sampling.repetition_penalty}
        if sampling.do_sample:
            values |= {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
            values |= {"min_p": sampling.min_p} if sampling.min_p else {}
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=max_new_tokens,
        num_beams=beams,
        eos_token_id=list(stop_ids) or [_NEVER],
        pad_token_id=stop_ids[0] if stop_ids else 0,
        **values,
    )


class _Chooser(LogitsProcessor):
    """Our own choice of the next token, told to ``generate`` as the only possible one."""

    def __init__(self, sampler: Sampler, stop_ids: tuple[int, ...], num_top: int | None) -> None:
        self._sampler, self._stop_ids, self._num_top = sampler, stop_ids, num_top
        self.logprobs: list[TokenLogprob] = []

    @property
    def is_done(self) -> bool:
        """Whether the grammar allows nothing more."""
        constraint = self._sampler.constraint
        return constraint is not None and constraint.is_done

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        raw = scores[0].float()
        (token,) = choose(self._sampler.adjust(raw)[None], [self._sampler])
        check_chosen(token)
        if self._num_top is not None:
            self.logprobs += logprobs_of(raw[None], [token], [self._num_top])
        if self._sampler.constraint is not None and token not in self._stop_ids:
            self._sampler.constraint.accept(token)
        chosen = torch.full_like(scores, float("-inf"))
        chosen[0, token] = 0.0
        return chosen  # type: ignore[return-value]


class _Watch(StoppingCriteria):
    """Passes new tokens on while ``generate`` runs, and ends it when the request left."""

    def __init__(self, start: int, go_on: GoOn, chooser: _Chooser | None) -> None:
        self._start, self._go_on, self._chooser = start, go_on, chooser
        self.sent = 0

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.BoolTensor:
        chooser, before = self._chooser, self.sent
        # all but the newest: it goes out with the finish, should it be the last
        tokens: list[int] = [] if chooser is None else input_ids[0, self._start + before : -1].tolist()
        self.sent += len(tokens)
        found = tuple(chooser.logprobs[before : self.sent]) if chooser is not None else ()
        keep = self._go_on(Step(tuple(tokens), None, found)) and not (chooser is not None and chooser.is_done)
        return torch.full((input_ids.shape[0],), not keep, device=input_ids.device)  # type: ignore[return-value]
