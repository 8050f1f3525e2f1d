"""Which engine is taken, why, and what it is started with, in an invented world."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swift.environments.locate import Located
from swift.llm.arguments.commands import DeployArguments, InferArguments
from swift.llm.arguments.commands.answering import AnsweringArguments
from swift.llm.catalog.registries import ENGINE_MAPPING
from swift.llm.plan.checkpoint import InferFacts
from swift.llm.plan.deploy import resolve_deploy, resolve_http
from swift.llm.plan.facts import CheckpointFacts
from swift.llm.plan.infer import resolve_infer
from swift.llm.plan.plans import AdapterPlan, InferPlan
from swift.llm.plan.store import from_json, to_json
from swift.utils.errors import PlanError

spec = importlib.util.spec_from_file_location("world", Path(__file__).with_name("world.py"))
assert spec is not None
assert spec.loader is not None
world = importlib.util.module_from_spec(spec)
spec.loader.exec_module(world)

LORA = {"peft_type": "LORA", "r": 8}
ADAPTER = CheckpointFacts(path="/runs/v0/checkpoint-9", kind="adapter", adapter_config=LORA)
OTHER = CheckpointFacts(path="/runs/v1/checkpoint-3", kind="adapter", adapter_config={**LORA, "r": 32})


def made(build: str = "cuda", state: Any = "ready", architectures: tuple[str, ...] = ()) -> Located:
    return Located(
        name="vllm", state=state, why="made today", python="/envs/vllm/bin/python", folder="/envs/vllm", build=build,
        record={"probe": {"architectures": list(architectures)}},
    )  # fmt: skip


def resolve(
    vllm: Located | None = None,
    checkpoint: CheckpointFacts | None = None,
    modules: tuple[Any, ...] = (),
    kind: type[AnsweringArguments] = InferArguments,
    **given: Any,
) -> InferPlan:
    absent = Located(name="x", state="absent", why="there is none in /envs", build="cuda")
    facts = InferFacts(
        machine=world.CPU, model=world.MODEL, checkpoint=checkpoint, modules=modules, stamp="20250101-000000",
        environments={"vllm": vllm or absent, "lmdeploy": absent, "sglang": replace(absent, build=None)},
    )  # fmt: skip
    return resolve_infer(
        kind(**given), {name: f"flag --{name}" for name in given}, facts, world.ROW, "named",
        templates=world.TEMPLATES, tuners=world.TUNERS, engines=ENGINE_MAPPING,
    )  # fmt: skip


def test_auto_takes_vllm_where_it_is_installed_for_a_gpu() -> None:
    plan = resolve(made())
    assert plan.backend == "vllm"
    assert plan.engine is not None
    assert plan.engine.python == "/envs/vllm/bin/python"
    assert "there is a GPU" in plan.reasons["backend"]
    assert from_json(to_json(plan), InferPlan, "plan.json") == plan


@pytest.mark.parametrize(
    ("vllm", "given", "why"),
    [
        (None, {}, "swift env add vllm"),
        (made("cpu"), {}, "--infer_backend vllm takes it all the same"),
        (made(state="broken"), {}, "cannot be used: made today"),
        (made(architectures=("OtherForCausalLM",)), {}, "has no class Qwen2ForCausalLM"),
        (made(), {"num_beams": 2}, "has no beams"),
        (made(), {"max_batch_size": 2}, "a setting of the engine pt"),
    ],
)
def test_auto_takes_pt_otherwise_and_says_why(vllm: Located | None, given: dict[str, Any], why: str) -> None:
    plan = resolve(vllm, **given)
    assert (plan.backend, plan.engine) == ("pt", None)
    assert why in plan.reasons["backend"]


def test_a_model_for_embeddings_stays_with_pt_unless_vllm_is_asked_for_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "MODEL", replace(world.MODEL, pooling="last"))
    assert "a model for embeddings (1_Pooling)" in resolve(made()).reasons["backend"]
    assert "pt does both" in resolve(made(), kind=DeployArguments).reasons["backend"]
    served = resolve(made(), kind=DeployArguments, infer_backend="vllm").engine
    assert served is not None
    assert served.pooling == "last"


@pytest.mark.parametrize(
    ("kind", "pooling", "given", "text"),
    [
        (InferArguments, "mean", {}, r"answers no prompt: `swift deploy` serves them\. Use --infer_backend pt"),
        (DeployArguments, "other", {}, "neither a mean nor the last state"),
        (DeployArguments, "mean", {"vllm_enable_lora": True}, "adapters by name give none"),
    ],
)
def test_what_vllm_gives_no_vectors_of(
    monkeypatch: pytest.MonkeyPatch, kind: Any, pooling: Any, given: dict[str, Any], text: str
) -> None:
    monkeypatch.setattr(world, "MODEL", replace(world.MODEL, pooling=pooling))
    with pytest.raises(PlanError, match=rf"--infer_backend vllm: .*is a model for embeddings.*{text}"):
        resolve(made(), kind=kind, infer_backend="vllm", **given)


def test_a_setting_of_vllm_asks_for_vllm() -> None:
    plan = resolve(made("cpu"), max_num_seqs=3)
    assert plan.engine is not None
    assert plan.engine.options["max_num_seqs"] == 3
    assert plan.max_batch_size == 3
    assert "--max_num_seqs is a setting of vLLM" in plan.reasons["backend"]


@pytest.mark.parametrize(
    ("vllm", "given", "text"),
    [
        (None, {"infer_backend": "vllm"}, "vLLM is not installed. Make its environment with: swift env add vllm"),
        (None, {"infer_backend": "vllm", "env_dir": "/e"}, "swift env add vllm --env_dir /e"),
        (None, {"infer_backend": "sglang"}, "SGLang needs an NVIDIA GPU"),
        (made(), {"infer_backend": "vllm", "num_beams": 2}, "--num_beams 2: vLLM has no beams"),
        (made(), {"infer_backend": "vllm", "tp": 2}, "--tp: a setting of LMDeploy; the engine vllm does not have it"),
        (
            made(),
            {"infer_backend": "vllm", "attn_impl": "sdpa"},
            "--attn_impl: the engine chooses its attention itself",
        ),
        (made(), {"infer_backend": "vllm", "gpu_memory_utilization": 2.0}, "share above 0 and up to 1"),
        (made(), {"infer_backend": "pt", "enforce_eager": True}, "--enforce_eager: a setting of vLLM or SGLang"),
    ],
)
def test_refusals(vllm: Located | None, given: dict[str, Any], text: str) -> None:
    with pytest.raises(PlanError) as error:
        resolve(vllm, **given)
    assert text in str(error.value)


def test_on_a_cpu_the_cache_takes_a_part_of_the_memory_not_nearly_all() -> None:
    plan = resolve(made("cpu"), infer_backend="vllm").engine
    assert plan is not None
    assert plan.cache_gib is not None
    assert 0 < plan.cache_gib <= 4
    share = resolve(made("cpu"), infer_backend="vllm", gpu_memory_utilization=0.3).engine
    assert share is not None
    assert share.cache_gib is None


def test_the_checkpoints_adapter_is_merged_unless_it_is_to_be_served() -> None:
    merged = resolve(made(), ADAPTER, infer_backend="vllm")
    assert merged.merge is not None
    assert merged.adapters == ()
    assert "--vllm_enable_lora true serves the adapter by name" in merged.reasons["merge"]
    served = resolve(made(), ADAPTER, infer_backend="vllm", vllm_enable_lora=True)
    assert (served.merge, served.default_adapter) == (None, "default-lora")
    assert served.engine is not None
    assert served.engine.enable_lora
    assert served.engine.adapters == served.adapters == (AdapterPlan(name="default-lora", path=ADAPTER.path),)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"peft_type": "LORA", "use_dora": True}, "DoRA"),
        ({"peft_type": "LORA", "modules_to_save": ["lm_head"]}, "replaces whole modules"),
        ({"peft_type": "LORA", "bias": "all"}, "trained biases"),
    ],
)
def test_an_adapter_that_cannot_be_served_by_name_is_merged(config: dict[str, Any], why: str) -> None:
    plan = resolve(made(), replace(ADAPTER, adapter_config=config), infer_backend="vllm", vllm_enable_lora=True)
    assert plan.merge is not None
    assert why in plan.reasons["merge"]


def test_several_adapters_join_the_checkpoints() -> None:
    plan = resolve(made(), ADAPTER, (("other", OTHER),), infer_backend="vllm")
    assert [one.name for one in plan.adapters] == ["other", "default-lora"]
    assert plan.default_adapter == "default-lora"
    assert plan.engine is not None
    assert plan.engine.options["vllm_max_lora_rank"] == 32  # the highest of them
    in_process = resolve(None, ADAPTER, (("other", OTHER),))
    assert (in_process.backend, in_process.adapter) == ("pt", None)
    assert in_process.adapters == plan.adapters


def test_the_only_adapter_answers() -> None:
    assert resolve(None, None, (("other", OTHER),)).default_adapter == "other"
    assert resolve(None, None, (("a", OTHER), ("b", ADAPTER))).default_adapter is None


@pytest.mark.parametrize(
    ("checkpoint", "given", "answers"),
    [(None, {}, None), (ADAPTER, {}, "default-lora"), (None, {"use_adapter": "other"}, "other")],
)
def test_behind_a_server_the_models_name_is_the_model(checkpoint: Any, given: dict[str, Any], answers: Any) -> None:
    infer = resolve(None, checkpoint, (("other", OTHER),), kind=DeployArguments, **given)
    args, told = DeployArguments(**given), {name: f"flag --{name}" for name in given}
    http, _, reasons = resolve_http(args, told, {})
    assert resolve_deploy(infer, args, http, reasons).default_adapter == answers


def test_a_rank_that_is_too_low_is_refused() -> None:
    with pytest.raises(PlanError, match="an adapter has rank 32"):
        resolve(made(), None, (("other", OTHER),), infer_backend="vllm", vllm_max_lora_rank=16)
