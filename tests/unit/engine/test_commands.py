"""The command lines of the engines that are processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swift.llm.arguments.commands import InferArguments
from swift.llm.catalog.registries import ENGINE_MAPPING
from swift.llm.core import Grammar, Sampling
from swift.llm.engine.protocol import GenerateRequest, Step, TokenLogprob
from swift.llm.plan.plans import AdapterPlan, EnginePlan, ModelPlan
from swift.utils.errors import EngineError
from swift.utils.lazy import load

MODEL = ModelPlan(
    model_type=None, path="/models/m", architecture="Qwen2ForCausalLM", loader="x:y", dtype="bf16", attention="sdpa", device="cpu"
)  # fmt: skip
ASKED = GenerateRequest("r1", (1, 2, 3), Sampling(max_new_tokens=8), stop_ids=(9,))


def command(name: str, model: ModelPlan = MODEL, **changes: Any) -> list[str]:
    row = ENGINE_MAPPING[name]
    args = InferArguments()
    options = {one: getattr(args, one) for one in row.arguments if one not in ("lora_modules", "max_model_len")}
    plan = EnginePlan(name=name, environment=name, **{"options": {**options, **changes.pop("options", {})}, **changes})
    return load(f"{row.module}:command")("/env/bin/python", 4242, model, plan, Path("/tok"))  # type: ignore[no-any-return]


def options(argv: list[str]) -> dict[str, Any]:
    """Flags to values; True where none follows."""
    found: dict[str, Any] = {}
    for word, following in zip(argv, [*argv[1:], "--"], strict=True):
        if word.startswith("--"):
            found[word[2:]] = True if following.startswith("--") else following
    return found


@pytest.mark.parametrize("name", ["vllm", "lmdeploy", "sglang"])
def test_they_listen_on_this_machine_only_on_the_port_given(name: str) -> None:
    argv = command(name)
    said = options(argv)
    assert argv[0] == "/env/bin/python"
    assert said.get("host", said.get("server-name")) == "127.0.0.1"
    assert said.get("port", said.get("server-port")) == "4242"
    assert "/models/m" in argv
    assert not any("key" in word for word in argv)  # arguments can be listed by everybody


def test_every_argument_of_vllm_is_passed_on() -> None:
    given = {
        "gpu_memory_utilization": 0.5, "tensor_parallel_size": 2, "max_num_seqs": 7, "max_logprobs": 5, "enforce_eager": True,
        "disable_custom_all_reduce": True, "limit_mm_per_prompt": {"image": 2}, "vllm_max_lora_rank": 12, "vllm_enable_lora": True,
    }  # fmt: skip
    adapters = (AdapterPlan(name="a", path="/a"),)
    said = options(
        command("vllm", options=given, context=99, adapters=adapters, enable_lora=True, config_overrides={"x": 1})
    )
    assert said | {"seed": 0} == {
        "model": "/models/m", "tokenizer": "/tok", "served-model-name": "base", "host": "127.0.0.1", "port": "4242",
        "dtype": "bfloat16", "generation-config": "vllm", "max-model-len": "99", "max-num-seqs": "7", "max-logprobs": "5",
        "tensor-parallel-size": "2", "gpu-memory-utilization": "0.5", "limit-mm-per-prompt": '{"image":2}',
        "structured-outputs-config": '{"backend":"guidance","disable_any_whitespace":true}', "seed": 0, "hf-overrides": '{"x":1}', "max-lora-rank": "16",
        "max-loras": "1", "enable-scale-out": True, "enable-prompt-tokens-details": True, "disable-uvicorn-access-log": True,
        "disable-custom-all-reduce": True, "enforce-eager": True, "enable-lora": True,
        "lora-modules": json.dumps({"name": "a", "path": "/a"}),
    }  # fmt: skip


def test_vllm_is_started_for_vectors_where_the_plan_says_how_they_are_made() -> None:
    said = options(command("vllm", pooling="mean"))
    assert (said["runner"], said["pooler-config"]) == ("pooling", '{"seq_pooling_type":"MEAN","use_activation":true}')
    assert "runner" not in options(command("vllm"))


def test_vllm_keeps_no_memory_for_media_that_are_not_answered_and_reads_images_as_their_processor_does() -> None:
    said = options(command("vllm", pictures=999))
    assert said["limit-mm-per-prompt"] == '{"video":0,"audio":0}'
    assert said["no-mm-device-do-normalize"] is True
    said = options(command("vllm", options={"limit_mm_per_prompt": {"image": 2, "video": 1}}, pictures=2))
    assert json.loads(said["limit-mm-per-prompt"]) == {"image": 2, "video": 1, "audio": 0}


def test_on_a_cpu_the_cache_has_a_size_and_no_share() -> None:
    said = options(command("vllm", cache_gib=1.5))
    assert said["kv-cache-memory-bytes"] == str(3 * 2**29)
    assert "gpu-memory-utilization" not in said


def test_every_argument_of_lmdeploy_is_passed_on() -> None:
    given = {"tp": 2, "cache_max_entry_count": 0.4, "quant_policy": 8, "vision_batch_size": 3, "max_num_seqs": 7}
    argv = command("lmdeploy", options=given, context=99)
    assert argv[1:6] == ["-m", "lmdeploy", "serve", "api_server", "/models/m"]
    said = options(argv)
    assert (said["tp"], said["cache-max-entry-count"], said["quant-policy"]) == ("2", "0.4", "8")
    assert (said["vision-max-batch-size"], said["max-batch-size"], said["session-len"]) == ("3", "7", "99")


def test_every_argument_of_sglang_is_passed_on() -> None:
    given = {"gpu_memory_utilization": 0.5, "tensor_parallel_size": 2, "max_num_seqs": 7, "enforce_eager": True}
    said = options(command("sglang", options=given, adapters=(AdapterPlan(name="a", path="/a"),), enable_lora=True))
    assert (said["mem-fraction-static"], said["tp-size"], said["max-running-requests"]) == ("0.5", "2", "7")
    assert said["disable-cuda-graph"] is True
    assert said["lora-paths"] == "a=/a"
    assert said["incremental-streaming-output"] is True


def dialect(name: str) -> Any:
    return load(str(ENGINE_MAPPING[name].dialect))()


def test_sglang_takes_ids_and_gives_ids() -> None:
    spoken = dialect("sglang")
    body = spoken.generate(ASKED, 8).body
    assert body["input_ids"] == [1, 2, 3]
    assert body["sampling_params"]["stop_token_ids"] == [9]
    assert body["sampling_params"]["temperature"] == 0.0
    read = spoken.reader(ASKED)
    assert read({"output_ids": [5, 6], "meta_info": {"finish_reason": None, "cached_tokens": 2}}) == Step(
        (5, 6), num_reused=2
    )
    assert read({"output_ids": [9], "meta_info": {"finish_reason": {"type": "stop", "matched": 9}, "cached_tokens": 2}}) == Step((9,), "stop")  # fmt: skip
    answer = {
        "meta_info": {
            "input_token_logprobs": [[None, 1, None], [-0.5, 2, None]],
            "input_top_logprobs": [None, [[-0.1, 7, None]]],
        }
    }
    assert spoken.scores(answer, (1, 2), 1) == (TokenLogprob(2, -0.5, ((7, -0.1),)),)
    with pytest.raises(EngineError, match="no Lark grammar"):
        spoken.generate(GenerateRequest("r", (1,), Sampling(), grammar=Grammar("lark", "start: /a/")), 8)


def test_lmdeploy_takes_ids_gives_ids_and_refuses_what_it_cannot_say() -> None:
    spoken = dialect("lmdeploy")
    body = spoken.generate(ASKED, 8).body
    assert (body["input_ids"], body["stop_token_ids"], body["top_k"], body["max_tokens"]) == ([1, 2, 3], [9], 1, 8)
    read = spoken.reader(ASKED)
    assert read({"text": "", "output_ids": [5], "meta_info": {"finish_reason": None}}) == Step((5,))
    assert read({"text": "", "output_ids": [9], "meta_info": {"finish_reason": {"type": "stop"}}}) == Step((9,), "stop")
    for sampling, what in (
        (Sampling(presence_penalty=1.0), "presence_penalty"),
        (Sampling(logit_bias=((1, 2.0),)), "logit_bias"),
    ):
        with pytest.raises(EngineError, match=what):
            spoken.generate(GenerateRequest("r", (1,), sampling), 8)
