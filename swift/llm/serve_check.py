"""`swift serve-check`: does an engine answer as the training code computes? Tokens, log-probabilities, and the adapter."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from swift.llm.answering.planning import make_infer_plan
from swift.llm.answering.service import fetch, open_engine, open_text
from swift.llm.arguments.environments import ServeCheckArguments
from swift.llm.arguments.given import given_in_python
from swift.llm.catalog.registries import TUNER_MAPPING
from swift.llm.core import Conversation, Encoded, Message, Sampling
from swift.llm.engine.protocol import Engine, GenerateRequest
from swift.llm.plan.explain import explain
from swift.llm.plan.plans import InferPlan, TunerPlan
from swift.llm.template import Template
from swift.utils.errors import PlanError
from swift.utils.files import write_json_atomic

__all__ = ["Report", "main", "serve_check_main"]

QUESTIONS = (
    (Message("user", "What is the capital of France?"),),
    (Message("system", "Answer with one word."), Message("user", "Is water wet?")),
    (Message("user", "Count from 1 to 5."), Message("assistant", "1 2 3 4 5"), Message("user", "And on to 10?")),
    (Message("user", "中国的首都是哪里？ 🙂"),),
    (Message("user", "Write `<|im_end|>` as plain text, and\n\n\tthis: a  b"),),
)
"""Turns, a system text, other scripts, and text that looks like a control token."""

NOT_HERE = (
    "val_dataset", "dataset", "load_dataset_config", "eval_human", "show_dataset_sample", "stream", "verbose", "do_sample",
    "temperature", "top_k", "top_p", "repetition_penalty", "num_beams", "stop_words", "max_new_tokens",
    "overwrite_generation_config", "dataset_test_ratio",
)  # fmt: skip
"""Arguments of infer without a meaning here: the questions are built in, the answers are the likeliest tokens."""

LOOSER = 4.0
"""How much wider the tolerance is where the weights are rounded to 8 bits of mantissa or fewer."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One answer of one engine. Differences of log-probabilities are in nats; ``first_difference`` is a token's number."""

    engine: str
    question: str
    num_prompt: int
    num_tokens: int
    same_tokens: bool
    first_difference: int | None
    gap: float
    max_logprob_difference: float
    max_score_difference: float
    is_well: bool


@dataclass(frozen=True, slots=True)
class Report:
    """``adapter``, None without one: the largest differences of the adapted model's log-probabilities ``from_base`` and
    ``from_merged``, all three as training computes them. Where the engine has the adapter by name also ``served_from_base``,
    between what it says with and without it, and ``served_base``, what it says without it from the training code's base.
    """

    model: str
    backend: str
    tolerance: float
    prompts_are_prefixes: bool
    answers: tuple[Compared, ...]
    adapter: Mapping[str, float] | None = None
    problems: tuple[str, ...] = field(default=())

    @property
    def is_well(self) -> bool:
        """Whether nothing differs that should not."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Answer:
    """What an engine made of a prompt: new tokens, their log-probabilities, and those of prompt and answer read again;
    ``base``: read once more without the adapter, where that is asked for by name."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    scores: tuple[float, ...]
    base: tuple[float, ...] = ()


def main(parsed: Any) -> int:
    """Run the command: 0 where all is equal, 1 where something differs."""
    return _serve_check(parsed.args, parsed.sources)


def serve_check_main(args: ServeCheckArguments) -> int:
    """The same from a ``ServeCheckArguments``. Raises SwiftError where the command line would show a message."""
    return _serve_check(args, given_in_python(args))


def _serve_check(args: ServeCheckArguments, sources: Mapping[str, str]) -> int:
    wrong = [
        f"--{name}: the questions are built in and answered with the likeliest tokens. Leave it out."
        for name in NOT_HERE
        if not sources.get(name, "checkpoint").startswith("checkpoint")
    ]
    if args.tolerance <= 0:
        wrong.append(f"--tolerance {args.tolerance}: is a number above 0.")
    if args.check_tokens < 1:
        wrong.append(f"--check_tokens {args.check_tokens}: is a count from 1 up.")
    if wrong:
        raise PlanError(wrong)
    plan = fetch(make_infer_plan(args, sources))
    if args.dry_run:
        print(explain(plan), flush=True)
        return 0
    report = check(plan, args.tolerance * (1.0 if plan.model.dtype == "fp32" else LOOSER), args.check_tokens)
    if plan.result_path is not None:
        write_json_atomic(Path(plan.result_path).with_suffix(".json"), {**asdict(report), "is_well": report.is_well})
    if args.json:
        print(json.dumps({**asdict(report), "is_well": report.is_well}, ensure_ascii=False, indent=2))
    else:
        print("\n".join(lines(report)), flush=True)
    return 0 if report.is_well else 1


def check(plan: InferPlan, tolerance: float, num_tokens: int) -> Report:
    """Answer the questions by the training code's model, by pt and by the plan's engine, and compare. Raises SwiftError."""
    tokenizer, template = open_text(plan)
    conversations = [Conversation(messages) for messages in QUESTIONS]
    prompts = [tuple(template.encode_prompt(conversation)) for conversation in conversations]
    adapter = _adapter(plan)
    # Adapters by name are LoRA, with whatever they were trained.
    tuner = plan.tuner or TunerPlan(sft_type="lora", code=TUNER_MAPPING.find("lora").tuner or "")
    own = replace(
        plan, backend="pt", engine=None, merge=None, adapters=(), default_adapter=None, adapter=adapter, tuner=tuner
    )
    served = plan.backend if plan.engine is not None else "pt by name"
    backends = {"pt": own} | ({served: plan} if plan.engine is not None or plan.default_adapter is not None else {})
    answers = {name: _answers(one, template, prompts, num_tokens) for name, one in backends.items()}
    trained = _Trained(own)
    compared, problems = [], []
    prefixes = all(
        _is_prefix(template, conversation, prompt, tokenizer.decode(answer.tokens))
        for conversation, prompt, answer in zip(conversations, prompts, answers["pt"], strict=True)
    )
    if not prefixes:
        problems.append("a prompt is not the beginning of what training encodes")
    for name, found in answers.items():
        for number, (prompt, answer) in enumerate(zip(prompts, found, strict=True)):
            one = _compare(name, number, prompt, answer, answers["pt"][number], trained, tolerance)
            compared.append(one)
            if not one.is_well:
                problems.append(f"{name} differs from the training code for {one.question!r}")
    told = None
    if adapter is not None:
        told = trained.adapter_differences(prompts, answers["pt"], answers.get(served, ()))
        if told["from_base"] <= tolerance:
            problems.append(
                "the adapter changes no log-probability by more than the tolerance: it cannot be seen to be applied"
            )
        if told["from_merged"] > tolerance:
            problems.append("the merged model differs from the adapted one")
        if told.get("served_from_base", math.inf) <= tolerance:
            problems.append(f"{served} says the same with the adapter as without it")
        if told.get("served_base", 0.0) > tolerance:
            problems.append(f"{served} without the adapter differs from the base")
    return Report(
        plan.model.model_type or plan.model.path,
        plan.backend,
        tolerance,
        prefixes,
        tuple(compared),
        told,
        tuple(problems),
    )


class _Trained:
    """The model as training computes it: one forward over a whole sequence, no cache."""

    def __init__(self, plan: InferPlan) -> None:
        from swift.llm.model.load import load_model
        from swift.tuners import load

        self._plan = plan
        self._model = load_model(plan.model)
        if plan.adapter is not None:
            assert plan.tuner is not None
            self._model = load(plan.tuner, self._model, Path(plan.adapter), trainable=False)

    def logprobs(self, ids: Sequence[int], model: Any = None) -> Any:
        """The log-probabilities of all tokens after each position, (T, V) in fp32."""
        import torch

        model = self._model if model is None else model
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([list(ids)], device=model.device), use_cache=False).logits[
                0
            ]  # (T, V)
        return logits.float().log_softmax(-1)

    def adapter_differences(
        self, prompts: Sequence[tuple[int, ...]], own: Sequence[_Answer], served: Sequence[_Answer]
    ) -> dict[str, float]:
        """See `Report`: of the answers of pt, and of what the engine says of its own with the adapter and without it."""
        from swift.llm.model.load import load_model
        from swift.tuners import open_tuner

        assert self._plan.tuner is not None
        sequences = [(*prompt, *answer.tokens) for prompt, answer in zip(prompts, own, strict=True)]
        adapted = [self._of_tokens(ids, self._model) for ids in sequences]
        base_model = load_model(self._plan.model)
        base = [self._of_tokens(ids, base_model) for ids in sequences]
        differences = {}
        if any(answer.base for answer in served):
            without = [answer.base for answer in served]
            differences["served_from_base"] = _largest([answer.scores for answer in served], without)
            differences["served_base"] = _largest(
                without,
                [
                    self._of_tokens((*prompt, *answer.tokens), base_model)
                    for prompt, answer in zip(prompts, served, strict=True)
                ],
            )
        merged_model = open_tuner(self._plan.tuner).merge(self._model)
        merged = [self._of_tokens(ids, merged_model) for ids in sequences]
        return {"from_base": _largest(adapted, base), "from_merged": _largest(adapted, merged), **differences}

    def _of_tokens(self, ids: Sequence[int], model: Any) -> list[float]:
        table = self.logprobs(ids, model)
        return [float(table[position, token]) for position, token in enumerate(ids[1:])]


def _adapter(plan: InferPlan) -> str | None:
    """The folder of the adapter that answers, however the plan's engine is given it."""
    if plan.merge is not None:
        return plan.merge.checkpoint
    if plan.adapter is not None:
        return plan.adapter
    return next((one.path for one in plan.adapters if one.name == plan.default_adapter), None)


def _answers(plan: InferPlan, template: Template, prompts: Sequence[tuple[int, ...]], num_tokens: int) -> list[_Answer]:
    with open_engine(plan) as engine:
        return asyncio.run(_ask(engine, plan.default_adapter, template.stop_ids, prompts, num_tokens))


async def _ask(
    engine: Engine, adapter: str | None, stop_ids: tuple[int, ...], prompts: Sequence[tuple[int, ...]], num_tokens: int
) -> list[_Answer]:
    """All prompts at once, as clients would ask."""

    async def one(number: int, prompt: tuple[int, ...]) -> _Answer:
        request = GenerateRequest(
            f"check-{number}", prompt, Sampling(max_new_tokens=num_tokens), stop_ids, adapter=adapter, logprobs=0
        )
        tokens: list[int] = []
        logprobs: list[float] = []
        async for step in engine.generate(request):
            tokens += step.token_ids
            logprobs += [entry.logprob for entry in step.logprobs]
        whole = (*prompt, *tokens)
        scores = tuple((await engine.score([whole]))[0])  # of the model as it was opened
        if adapter is None:
            return _Answer(tuple(tokens), tuple(logprobs), scores)
        again = GenerateRequest(
            f"again-{number}", whole, Sampling(max_new_tokens=1), adapter=adapter, prompt_logprobs=0
        )
        told = [entry.logprob async for step in engine.generate(again) for entry in step.prompt_logprobs]
        return _Answer(tuple(tokens), tuple(logprobs), tuple(told), base=scores)

    return list(await asyncio.gather(*(one(number, prompt) for number, prompt in enumerate(prompts))))


def _compare(
    engine: str,
    number: int,
    prompt: tuple[int, ...],
    answer: _Answer,
    reference: _Answer,
    trained: _Trained,
    tolerance: float,
) -> Compared:
    """An engine's answer against the training code's model; against pt's, token for token."""
    ids = (*prompt, *answer.tokens)
    table = trained.logprobs(ids)  # (T, V)
    start = len(prompt) - 1
    own = [float(table[start + place, token]) for place, token in enumerate(answer.tokens)]
    # Greedy: each token is the likeliest one, or one that the tolerance cannot tell from it.
    gap = max((float(table[start + place].max()) - value for place, value in enumerate(own)), default=0.0)
    difference = _largest([answer.logprobs], [own])
    score = 0.0
    if answer.scores:
        score = _largest([answer.scores], [[float(table[place, token]) for place, token in enumerate(ids[1:])]])
    first = next(
        (place for place, pair in enumerate(zip(answer.tokens, reference.tokens, strict=False)) if pair[0] != pair[1]),
        None,
    )
    if first is None and len(answer.tokens) != len(reference.tokens):
        first = min(len(answer.tokens), len(reference.tokens))
    return Compared(
        engine, QUESTIONS[number][-1].content[:40], len(prompt), len(answer.tokens), first is None, first, gap, difference, score,
        is_well=max(gap, difference, score) <= tolerance,
    )  # fmt: skip


def _largest(some: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> float:
    """The largest difference; infinite where there is not one value for each."""
    if [len(one) for one in some] != [len(one) for one in others]:
        return math.inf
    return max(
        (abs(a - b) for one, other in zip(some, others, strict=True) for a, b in zip(one, other, strict=True)),
        default=0.0,
    )


def _is_prefix(template: Template, conversation: Conversation, prompt: tuple[int, ...], text: str) -> bool:
    sample = template.encode(
        replace(conversation, messages=(*conversation.messages, Message("assistant", text or ".")))
    )
    return isinstance(sample, Encoded) and tuple(sample.input_ids[: len(prompt)].tolist()) == prompt


def lines(report: Report) -> list[str]:
    """The report as a table."""
    told = [f"{report.model} on {report.backend}, tolerance {report.tolerance:g} nats"]
    told.append(f"{'engine':<10} {'tokens':>6}  {'as pt':<12} {'gap':>8} {'logprobs':>9} {'scores':>8}  question")
    for one in report.answers:
        same = "equal" if one.same_tokens else f"to token {one.first_difference}"
        mark = "" if one.is_well else "  DIFFERENT"
        told.append(
            f"{one.engine:<10} {one.num_tokens:>6}  {same:<12} {one.gap:>8.4f} {one.max_logprob_difference:>9.4f}"
            f" {one.max_score_difference:>8.4f}  {one.question!r}{mark}"
        )
    if report.adapter is not None:
        far = report.adapter
        told.append(
            f"adapter: up to {far['from_base']:.4f} from the base, {far['from_merged']:.6f} from the merged model"
        )
        if "served_base" in far:
            told.append(
                f"as served by name: up to {far['served_from_base']:.4f} from its base, which is"
                f" {far['served_base']:.4f} from the training code's"
            )
    told += [f"problem: {problem}" for problem in dict.fromkeys(report.problems)]
    told.append("all equal" if report.is_well else f"DIFFERENT: {len(report.problems)} problem(s)")
    return told
