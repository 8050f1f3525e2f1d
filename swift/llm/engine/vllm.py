"""vLLM as a process: its command line, and its token interface (``/inference/v1/generate``: ids in, ids out).

That interface decodes no text and reads the log-probabilities as numbers by id, so our template and tokenizer are the only ones.
Images go to vLLM's own processor, with a prompt in which one token stands for each; what it makes of that prompt comes back with
the answer's first token, and must be our prompt, token for token.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from swift.llm.core import Grammar
from swift.llm.engine.protocol import EngineStats, Finish, GenerateRequest, Step, TokenLogprob
from swift.llm.engine.remote import Call, Reader, metric
from swift.llm.plan.plans import EnginePlan, ModelPlan
from swift.utils.errors import EngineError, EngineFailedError

__all__ = ["BASE", "VllmDialect", "command", "variables"]

BASE = "base"
"""The name under which the model without adapters is served, on this machine only."""

DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
FINISHES: Mapping[str, Finish] = {"stop": "stop", "length": "length", "abort": "abort", "repetition": "stop"}


def command(python: str, port: int, model: ModelPlan, plan: EnginePlan, tokenizer: Path) -> list[str]:
    """The argument list that serves the model on this machine's ``port``."""
    options = plan.options
    wanted: dict[str, Any] = {
        "model": model.path,
        "tokenizer": str(tokenizer),
        "served-model-name": BASE,
        "host": "127.0.0.1",
        "port": port,
        "dtype": DTYPES[model.dtype],
        # The sampling settings come with each request; those of the model's folder are read by the plan.
        "generation-config": "vllm",
        "max-model-len": plan.context,
        "max-num-seqs": options["max_num_seqs"],
        "max-logprobs": options["max_logprobs"],
        "tensor-parallel-size": options["tensor_parallel_size"],
        "gpu-memory-utilization": options["gpu_memory_utilization"] if plan.cache_gib is None else None,
        "kv-cache-memory-bytes": None if plan.cache_gib is None else int(plan.cache_gib * 2**30),
        "limit-mm-per-prompt": _json(_media_limits(options["limit_mm_per_prompt"], plan)),
        # JSON without blanks between its parts: a model in doubt would write them until its token limit.
        "structured-outputs-config": _json({"backend": "guidance", "disable_any_whitespace": True}),
        "seed": plan.seed,
        "hf-overrides": _json(plan.config_overrides),
        "max-lora-rank": _rank(options["vllm_max_lora_rank"]) if plan.enable_lora else None,
        "max-loras": max(1, min(8, len(plan.adapters))) if plan.enable_lora else None,
        "runner": "pooling" if plan.pooling else None,
        # Said, not left to the folder: vectors have length 1, as those of pt have.
        "pooler-config": _json({"seq_pooling_type": plan.pooling.upper(), "use_activation": True})
        if plan.pooling
        else None,
    }
    given = [text for name, value in wanted.items() if value is not None for text in (f"--{name}", str(value))]
    flags = {
        "enable-scale-out": True,  # the token interface
        "enable-prompt-tokens-details": True,
        "disable-uvicorn-access-log": True,
        "disable-custom-all-reduce": options["disable_custom_all_reduce"],
        "enforce-eager": options["enforce_eager"],
        "trust-remote-code": model.trust_remote_code,
        # vLLM 0.32 would normalise pixels in the model, by what the processor's file says of it: where that is left to the
        # processor's class, it does so not at all.
        "no-mm-device-do-normalize": plan.pictures > 0,
        "enable-lora": plan.enable_lora,
    }
    given += [f"--{name}" for name, value in flags.items() if value]
    if plan.adapters:
        given += ["--lora-modules", *(json.dumps({"name": one.name, "path": one.path}) for one in plan.adapters)]
    # The module runs for every build; the program `vllm` asks for metadata under a name that the CPU build does not have.
    return [python, "-m", "vllm.entrypoints.openai.api_server", *given]


def variables(plan: EnginePlan, api_key: str) -> dict[str, str]:
    """What vLLM reads from the environment. The key is there, not in the arguments, which every user can list."""
    return {
        "VLLM_API_KEY": api_key,
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        **({"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"} if plan.enable_lora else {}),
    }


class VllmDialect:
    """The token interface of vLLM."""

    title = "vLLM"
    lost_status: int | None = 503  # EngineDeadError

    def generate(self, request: GenerateRequest, max_tokens: int) -> Call:
        """See `Dialect`."""
        sampling = request.sampling
        settings: dict[str, Any] = {
            "max_tokens": max_tokens,
            "temperature": sampling.temperature if sampling.do_sample else 0.0,
            "top_k": sampling.top_k if sampling.do_sample else 0,
            "top_p": sampling.top_p if sampling.do_sample else 1.0,
            "min_p": sampling.min_p if sampling.do_sample else 0.0,
            "repetition_penalty": sampling.repetition_penalty,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
            "stop_token_ids": list(request.stop_ids),
            # A grammar that is at its end allows nothing but the tokenizer's own end of text.
            "ignore_eos": request.grammar is None,
            "detokenize": False,
        }
        if sampling.seed is not None and sampling.do_sample:
            settings["seed"] = sampling.seed
        if sampling.logit_bias:
            settings["logit_bias"] = {str(token): value for token, value in sampling.logit_bias}
        if request.logprobs is not None:
            settings["logprobs"] = request.logprobs
        if request.grammar is not None:
            settings["structured_outputs"] = _structured(request.grammar)
        body = {
            "model": request.adapter or BASE,
            "request_id": request.id,
            "token_ids": list(request.prompt),
            "sampling_params": settings,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.pictures is not None:
            # Not the features that /render gives: they lose which of an image's tokens its states go to (vLLM 0.32).
            body["token_ids"] = list(request.pictures.folded)
            body["content_parts"] = [{"type": "image_url", "url": _data_url(file)} for file in request.pictures.files]
            body["return_token_ids"] = True
        return Call("/inference/v1/generate", body)

    def reader(self, request: GenerateRequest) -> Reader:
        """See `Dialect`. How much of the prompt was found in the cache comes after the last token, so the end waits for it."""
        last: Step | None = None
        is_checked = request.pictures is None
        request = replace(request, pictures=None)  # not to be held until the answer's end

        def read(event: Mapping[str, Any]) -> Step | None:
            nonlocal last, is_checked
            choices = event.get("choices")
            if choices and not is_checked:
                _check_images(request, event.get("prompt_token_ids") or ())
                is_checked = True
            if not choices:
                if last is None:
                    return None
                details = (event.get("usage") or {}).get("prompt_tokens_details") or {}
                return Step(last.token_ids, last.finish, last.logprobs, num_reused=details.get("cached_tokens") or 0)
            choice = choices[0]
            ids = tuple(choice["token_ids"] or ())
            content = (choice.get("logprobs") or {}).get("content") or ()
            logprobs = tuple(_token_logprob(one, request.logprobs or 0) for one in content)
            finish = choice["finish_reason"]
            if finish is None:
                return Step(ids, None, logprobs)
            if finish == "error":
                raise EngineFailedError("vLLM: the engine failed while it answered; its log says why.")
            if finish == "stop" and ids and ids[-1] not in request.stop_ids:
                ids, logprobs = ids[:-1], logprobs[:-1]  # the tokenizer's end of text, which closed a grammar
            last = Step(ids, FINISHES[finish], logprobs)
            return None

        return read

    def score(self, ids: Sequence[int], top: int, adapter: str | None) -> Call:
        """See `Dialect`."""
        settings = {"max_tokens": 1, "temperature": 0.0, "prompt_logprobs": top, "detokenize": False}
        return Call(
            "/inference/v1/generate",
            {"model": adapter or BASE, "token_ids": list(ids), "sampling_params": settings, "stream": False},
        )

    def scores(self, answer: Any, ids: Sequence[int], top: int) -> tuple[TokenLogprob, ...]:
        """See `Dialect`."""
        found = []
        for token, entries in zip(ids[1:], answer["prompt_logprobs"][1:], strict=True):
            ranked = sorted(((int(key), one) for key, one in entries.items()), key=lambda pair: pair[1]["rank"])
            likeliest = tuple((key, float(one["logprob"])) for key, one in ranked if one["rank"] <= top)
            found.append(TokenLogprob(token, float(entries[str(token)]["logprob"]), likeliest))
        return tuple(found)

    def embed(self, ids: Sequence[Sequence[int]]) -> Call:
        """See `Dialect`."""
        body = {"model": BASE, "input": [list(sequence) for sequence in ids]}
        return Call("/v1/embeddings", {**body, "encoding_format": "base64", "endianness": "little"})

    def vectors(self, answer: Any) -> list[list[float]]:
        """See `Dialect`; vLLM's order is that of the request, and said with each vector."""
        found = sorted(answer["data"], key=lambda one: one["index"])
        contents = [base64.b64decode(one["embedding"]) for one in found]
        return [list(struct.unpack(f"<{len(content) // 4}f", content)) for content in contents]

    def load_adapter(self, name: str, folder: str) -> Call:
        """See `Dialect`."""
        return Call("/v1/load_lora_adapter", {"lora_name": name, "lora_path": folder})

    def unload_adapter(self, name: str) -> Call:
        """See `Dialect`."""
        return Call("/v1/unload_lora_adapter", {"lora_name": name})

    def stats(self, metrics: str) -> EngineStats:
        """See `Dialect`."""
        return EngineStats(
            num_waiting=int(metric(metrics, "vllm:num_requests_waiting")),
            num_running=int(metric(metrics, "vllm:num_requests_running")),
            cache_used=metric(metrics, "vllm:kv_cache_usage_perc"),
            prompt_tokens=int(metric(metrics, "vllm:prompt_tokens_total")),
            reused_tokens=int(metric(metrics, "vllm:prompt_tokens_cached_total")),
            answer_tokens=int(metric(metrics, "vllm:generation_tokens_total")),
        )


def _token_logprob(entry: Mapping[str, Any], top: int) -> TokenLogprob:
    # The sampled token stands first among the likeliest, whatever its rank.
    ranked = sorted(entry["top_logprobs"], key=lambda one: one["rank"])
    likeliest = tuple((one["token_id"], one["logprob"]) for one in ranked if one["rank"] <= top)
    return TokenLogprob(entry["token_id"], entry["logprob"], likeliest)


def _media_limits(given: Any, plan: EnginePlan) -> Any:
    """Videos and sound are not answered: without a word vLLM would keep memory for the longest ones."""
    return {"video": 0, "audio": 0, **(given or {})} if plan.pictures else given


def _check_images(request: GenerateRequest, found: Sequence[int]) -> None:
    """Raise EngineError where vLLM's processor made another prompt of the images than the model's own."""
    if tuple(found) == request.prompt:
        return
    raise EngineError(
        f"vLLM reads the images otherwise than the model's own processor does: with them the prompt has {len(found):,} tokens"
        f" there, and {len(request.prompt):,} here. Use --infer_backend pt for this model."
    )


def _data_url(file: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(file).decode()


def _structured(grammar: Grammar) -> dict[str, Any]:
    """A grammar as vLLM takes it."""
    if grammar.kind == "json_object":
        return {"json_object": True}
    return {{"json_schema": "json", "regex": "regex", "lark": "grammar"}[grammar.kind]: grammar.text}


def _rank(rank: int) -> int:
    """The least rank that vLLM has kernels for."""
    return next((one for one in (1, 8, 16, 32, 64, 128, 256, 320, 512) if one >= rank), rank)


def _json(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))
