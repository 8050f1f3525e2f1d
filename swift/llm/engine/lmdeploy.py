"""LMDeploy as a process: its command line, and ``/generate`` with token ids."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from swift.llm.engine.protocol import EngineStats, Finish, GenerateRequest, Step, TokenLogprob
from swift.llm.engine.remote import Call, Reader, metric
from swift.llm.plan.plans import EnginePlan, ModelPlan
from swift.utils.errors import EngineError, EngineFailedError
from swift.utils.log import logger

__all__ = ["LmdeployDialect", "command", "variables"]

DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "auto"}
FINISHES: Mapping[str, Finish] = {"stop": "stop", "length": "length", "abort": "abort"}


def command(python: str, port: int, model: ModelPlan, plan: EnginePlan, tokenizer: Path) -> list[str]:
    """The argument list that serves the model on this machine's ``port``. LMDeploy reads the tokenizer of the model's folder."""
    options = plan.options
    wanted: dict[str, Any] = {
        "model-name": "base",
        "server-name": "127.0.0.1",
        "server-port": port,
        "dtype": DTYPES[model.dtype],
        "session-len": plan.context,
        "tp": options["tp"],
        "cache-max-entry-count": options["cache_max_entry_count"],
        "quant-policy": options["quant_policy"],
        "vision-max-batch-size": options["vision_batch_size"],
        "max-batch-size": options["max_num_seqs"],
        "hf-overrides": None if plan.config_overrides is None else json.dumps(dict(plan.config_overrides)),
        "generation-config": "lmdeploy",
    }
    given = [text for name, value in wanted.items() if value is not None for text in (f"--{name}", str(value))]
    given.append("--enable-prefix-caching")
    if model.trust_remote_code:
        given.append("--trust-remote-code")
    return [python, "-m", "lmdeploy", "serve", "api_server", model.path, *given]


def variables(plan: EnginePlan, api_key: str) -> dict[str, str]:
    """LMDeploy reads no key from the environment, and arguments can be listed by everybody: it is served without one."""
    return {"DO_NOT_TRACK": "1"}


class LmdeployDialect:
    """The native interface of LMDeploy, which takes ids; its OpenAI interface does not."""

    title = "LMDeploy"
    lost_status: int | None = None

    def __init__(self) -> None:
        self._told_of_seed = False

    def generate(self, request: GenerateRequest, max_tokens: int) -> Call:
        """See `Dialect`."""
        sampling = request.sampling
        for wrong, what in (
            (sampling.presence_penalty != 0, "presence_penalty"),
            (sampling.frequency_penalty != 0, "frequency_penalty"),
            (bool(sampling.logit_bias), "logit_bias"),
            (request.adapter is not None, "an adapter by name"),
        ):
            if wrong:
                raise EngineError(
                    f"LMDeploy's token interface has no {what}. Leave it out, or use --infer_backend vllm or pt."
                )
        if sampling.seed is not None and sampling.do_sample and not self._told_of_seed:
            self._told_of_seed = True
            logger.warning("LMDeploy's token interface takes no seed: drawn answers differ from run to run")
        draws = sampling.do_sample
        return Call(
            "/generate",
            {
                "input_ids": list(request.prompt),
                "max_tokens": max_tokens,
                "stop_token_ids": list(request.stop_ids),
                "stream": True,
                # The likeliest token: one candidate is left. A temperature of 0 is read as "not given" there.
                "temperature": sampling.temperature if draws else 1.0,
                "top_k": sampling.top_k if draws else 1,
                "top_p": sampling.top_p if draws else 1.0,
                "min_p": sampling.min_p if draws else 0.0,
                "repetition_penalty": sampling.repetition_penalty,
                "ignore_eos": True,
                "return_logprob": request.logprobs is not None,
                "top_logprobs_num": request.logprobs or None,
            },
        )

    def reader(self, request: GenerateRequest) -> Reader:
        """See `Dialect`. Events hold what is new."""

        def read(event: Mapping[str, Any]) -> Step | None:
            meta = event["meta_info"]
            ids = tuple(event.get("output_ids") or ())
            logprobs = _logprobs(meta, "output") if request.logprobs is not None else ()
            reason = meta.get("finish_reason")
            if reason is None:
                return Step(ids, None, logprobs) if ids else None
            if reason["type"] not in FINISHES:
                raise EngineFailedError(f"LMDeploy ended the answer with {reason['type']!r}; its log says why.")
            return Step(ids, FINISHES[reason["type"]], logprobs)

        return read

    def score(self, ids: Sequence[int], top: int, adapter: str | None) -> Call:
        """See `Dialect`."""
        return Call(
            "/generate",
            {"input_ids": list(ids), "max_tokens": 1, "return_logprob": True, "logprob_start_len": 0, "top_logprobs_num": top or None},
        )  # fmt: skip

    def scores(self, answer: Any, ids: Sequence[int], top: int) -> tuple[TokenLogprob, ...]:
        """See `Dialect`."""
        found = _logprobs(answer["meta_info"], "input")
        return found[len(found) - (len(ids) - 1) :]

    def embed(self, ids: Sequence[Sequence[int]]) -> Call:
        """See `Dialect`."""
        raise EngineError("LMDeploy gives no embeddings. Use --infer_backend pt.")

    def vectors(self, answer: Any) -> list[list[float]]:
        """See `Dialect`."""
        raise EngineError("LMDeploy gives no embeddings.")

    def load_adapter(self, name: str, folder: str) -> Call:
        """See `Dialect`."""
        raise EngineError("LMDeploy loads no adapter while it runs. Merge it first: --merge_lora true.")

    def unload_adapter(self, name: str) -> Call:
        """See `Dialect`."""
        raise EngineError(f"adapter {name!r}: none are loaded by name.")

    def stats(self, metrics: str) -> EngineStats:
        """See `Dialect`."""
        return EngineStats(
            num_waiting=int(metric(metrics, "lmdeploy:num_requests_waiting")),
            num_running=int(metric(metrics, "lmdeploy:num_requests_running")),
            cache_used=metric(metrics, "lmdeploy:gpu_cache_usage_perc"),
            prompt_tokens=int(metric(metrics, "lmdeploy:prompt_tokens_total")),
            answer_tokens=int(metric(metrics, "lmdeploy:generation_tokens_total")),
        )


def _logprobs(meta: Mapping[str, Any], side: str) -> tuple[TokenLogprob, ...]:
    """The (log-probability, id) lists of one side."""
    tokens = meta.get(f"{side}_token_logprobs") or ()
    likeliest = meta.get(f"{side}_top_logprobs") or [()] * len(tokens)
    return tuple(
        TokenLogprob(token, value, tuple((one, score) for score, one in beside or ()))
        for (value, token), beside in zip(tokens, likeliest, strict=True)
    )
