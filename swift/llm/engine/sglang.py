"""SGLang as a process: its command line, and ``/generate`` with token ids."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from swift.llm.core import Grammar
from swift.llm.engine.protocol import EngineStats, Finish, GenerateRequest, Step, TokenLogprob
from swift.llm.engine.remote import Call, Reader, metric
from swift.llm.plan.plans import EnginePlan, ModelPlan
from swift.utils.errors import EngineError

__all__ = ["SglangDialect", "command", "variables"]

DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
FINISHES: Mapping[str, Finish] = {"stop": "stop", "length": "length", "abort": "abort"}


def command(python: str, port: int, model: ModelPlan, plan: EnginePlan, tokenizer: Path) -> list[str]:
    """The argument list that serves the model on this machine's ``port``."""
    options = plan.options
    wanted: dict[str, Any] = {
        "model-path": model.path,
        "tokenizer-path": str(tokenizer),
        "host": "127.0.0.1",
        "port": port,
        "dtype": DTYPES[model.dtype],
        "context-length": plan.context,
        "max-running-requests": options["max_num_seqs"],
        "tp-size": options["tensor_parallel_size"],
        "mem-fraction-static": options["gpu_memory_utilization"],
        "sampling-defaults": "openai",  # not those of the model's folder: they come with each request
        "grammar-backend": "llguidance",
        "random-seed": plan.seed,
        "json-model-override-args": None if plan.config_overrides is None else json.dumps(dict(plan.config_overrides)),
        "max-lora-rank": options["vllm_max_lora_rank"] if plan.enable_lora else None,
    }
    given = [text for name, value in wanted.items() if value is not None for text in (f"--{name}", str(value))]
    flags = {
        "incremental-streaming-output": True,
        "enable-metrics": True,
        "enable-cache-report": True,
        "disable-custom-all-reduce": options["disable_custom_all_reduce"],
        "disable-cuda-graph": options["enforce_eager"],
        "trust-remote-code": model.trust_remote_code,
        "enable-lora": plan.enable_lora,
    }
    given += [f"--{name}" for name, value in flags.items() if value]
    if plan.adapters:
        given += ["--lora-paths", *(f"{one.name}={one.path}" for one in plan.adapters)]
    return [python, "-m", "sglang.launch_server", *given]


def variables(plan: EnginePlan, api_key: str) -> dict[str, str]:
    """What SGLang reads from the environment."""
    return {"SGLANG_API_KEY": api_key, "DO_NOT_TRACK": "1"}


class SglangDialect:
    """The native interface of SGLang."""

    title = "SGLang"
    lost_status: int | None = None

    def generate(self, request: GenerateRequest, max_tokens: int) -> Call:
        """See `Dialect`."""
        sampling = request.sampling
        draws = sampling.do_sample
        settings: dict[str, Any] = {
            "max_new_tokens": max_tokens,
            "temperature": sampling.temperature if draws else 0.0,
            "top_k": sampling.top_k if draws and sampling.top_k else -1,
            "top_p": sampling.top_p if draws else 1.0,
            "min_p": sampling.min_p if draws else 0.0,
            "repetition_penalty": sampling.repetition_penalty,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
            "stop_token_ids": list(request.stop_ids),
            "ignore_eos": request.grammar is None,
            "no_stop_trim": True,
        }
        if sampling.seed is not None and draws:
            settings["sampling_seed"] = sampling.seed
        if sampling.logit_bias:
            settings["logit_bias"] = {str(token): value for token, value in sampling.logit_bias}
        if request.grammar is not None:
            settings.update(_structured(request.grammar))
        body: dict[str, Any] = {
            "rid": request.id, "input_ids": list(request.prompt), "sampling_params": settings, "stream": True,
            "return_logprob": request.logprobs is not None, "top_logprobs_num": request.logprobs or 0,
        }  # fmt: skip
        if request.adapter is not None:
            body["lora_path"] = request.adapter
        return Call("/generate", body)

    def reader(self, request: GenerateRequest) -> Reader:
        """See `Dialect`. Events hold what is new (``--incremental-streaming-output``)."""
        is_first = True

        def read(event: Mapping[str, Any]) -> Step | None:
            nonlocal is_first
            meta = event["meta_info"]
            ids = tuple(event.get("output_ids") or ())
            logprobs = _logprobs(meta, "output", request.logprobs or 0) if request.logprobs is not None else ()
            reason = meta.get("finish_reason")
            reused, is_first = (int(meta.get("cached_tokens") or 0) if is_first else 0), False
            if reason is None:
                return Step(ids, None, logprobs, num_reused=reused) if ids else None
            if reason["type"] == "stop" and ids and ids[-1] not in request.stop_ids:
                ids, logprobs = ids[:-1], logprobs[: len(ids) - 1]
            return Step(ids, FINISHES[reason["type"]], logprobs, num_reused=reused)

        return read

    def score(self, ids: Sequence[int], top: int, adapter: str | None) -> Call:
        """See `Dialect`."""
        body: dict[str, Any] = {
            "input_ids": list(ids), "sampling_params": {"max_new_tokens": 1, "temperature": 0.0}, "return_logprob": True,
            "logprob_start_len": 0, "top_logprobs_num": top,
        }  # fmt: skip
        return Call("/generate", body if adapter is None else {**body, "lora_path": adapter})

    def scores(self, answer: Any, ids: Sequence[int], top: int) -> tuple[TokenLogprob, ...]:
        """See `Dialect`. The first token has none."""
        return _logprobs(answer["meta_info"], "input", top)[1:]

    def embed(self, ids: Sequence[Sequence[int]]) -> Call:
        """See `Dialect`."""
        raise EngineError("SGLang is not started for embeddings. Use --infer_backend pt.")

    def vectors(self, answer: Any) -> list[list[float]]:
        """See `Dialect`."""
        raise EngineError("SGLang is not started for embeddings.")

    def load_adapter(self, name: str, folder: str) -> Call:
        """See `Dialect`."""
        return Call("/load_lora_adapter", {"lora_name": name, "lora_path": folder})

    def unload_adapter(self, name: str) -> Call:
        """See `Dialect`."""
        return Call("/unload_lora_adapter", {"lora_name": name})

    def stats(self, metrics: str) -> EngineStats:
        """See `Dialect`."""
        return EngineStats(
            num_waiting=int(metric(metrics, "sglang:num_queue_reqs")),
            num_running=int(metric(metrics, "sglang:num_running_reqs")),
            cache_used=metric(metrics, "sglang:token_usage"),
            prompt_tokens=int(metric(metrics, "sglang:prompt_tokens_total")),
            reused_tokens=int(metric(metrics, "sglang:cached_tokens_total")),
            answer_tokens=int(metric(metrics, "sglang:generation_tokens_total")),
        )


def _logprobs(meta: Mapping[str, Any], side: str, top: int) -> tuple[TokenLogprob, ...]:
    """The (log-probability, id, text) lists of one side; a missing value stands for the first token of a prompt."""
    tokens = meta.get(f"{side}_token_logprobs") or ()
    likeliest = meta.get(f"{side}_top_logprobs") or ()
    found = []
    for number, (value, token, *_) in enumerate(tokens):
        beside = likeliest[number] if top and number < len(likeliest) else None
        pairs = tuple((one[1], one[0]) for one in beside or ())
        found.append(TokenLogprob(token, float("-inf") if value is None else value, pairs))
    return tuple(found)


def _structured(grammar: Grammar) -> dict[str, Any]:
    if grammar.kind == "lark":
        raise EngineError(
            "SGLang takes no Lark grammar, which forced calls and a form beside tools or reasoning need. Use another engine."
        )
    if grammar.kind == "json_object":
        return {"json_schema": '{"type": "object"}'}
    return {grammar.kind: grammar.text}
