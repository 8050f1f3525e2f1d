"""Which engine answers, and how it is started: by model, machine and what is installed. Pure decisions with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from swift.llm.arguments.answer import EngineArguments
from swift.llm.arguments.commands import DeployArguments
from swift.llm.catalog.rows import EngineRow, ModelRow
from swift.llm.plan.checkpoint import InferFacts, was_given
from swift.llm.plan.facts import CheckpointFacts
from swift.llm.plan.pictures import most_pictures, why_no_pictures
from swift.llm.plan.plans import AdapterPlan, EnginePlan, ModelPlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons

__all__ = ["Choice", "resolve_engine", "why_not_by_name"]

CKPT_NAME = "default-lora"
"""The name under which the checkpoint's adapter is served beside others."""

OWN_TO_PT = {
    "attn_impl": "the engine chooses its attention itself",
    "device_map_config": "the engine places the model itself (--tensor_parallel_size)",
    "device_max_memory": "the engine places the model itself (--gpu_memory_utilization)",
}
"""Arguments of the model that only the engine in this process reads."""

CPU_CACHE_GIB = 4.0
OF_ENGINES = tuple(field.name for field in fields(EngineArguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was decided. ``merges``: the checkpoint's adapter is folded in first; ``applies``: it is laid over the model by the
    engine pt. Otherwise it is among ``adapters``, and answers as ``default_adapter``.
    """

    backend: str
    engine: EnginePlan | None = None
    adapters: tuple[AdapterPlan, ...] = ()
    default_adapter: str | None = None
    merges: bool = False
    applies: bool = False


def resolve_engine(
    args: Any,
    facts: InferFacts,
    row: ModelRow,
    model: ModelPlan,
    tuner: TunerPlan | None,
    reasons: Reasons,
    problems: Problems,
    engines: Mapping[str, EngineRow],
) -> Choice:
    """Choose the engine and settle what it is started with; what cannot be goes to ``problems``."""
    chosen = _choose(args, facts, row, model, reasons, problems, engines)
    _check_arguments(args, chosen, engines, reasons, problems)
    adapter = facts.checkpoint if facts.checkpoint is not None and facts.checkpoint.kind == "adapter" else None
    modules = tuple(AdapterPlan(name=name, path=one.path) for name, one in facts.modules)
    if modules and args.merge_lora and adapter is not None:
        problems.add(
            "--merge_lora true with --lora_modules: those adapters belong to the model without the merged one. Leave one out."
        )
    if chosen.environment is None:
        return _in_process(adapter, modules, args, reasons)
    for name, checkpoint in facts.modules:
        why = why_not_by_name(checkpoint)
        if why is not None:
            problems.add(f"--lora_modules {name}={checkpoint.path}: {chosen.title} cannot serve it by name: {why}.")
    by_name = (
        adapter is not None and not args.merge_lora and chosen.adapters and (args.vllm_enable_lora or bool(modules))
    )
    merges = False
    if by_name:
        assert adapter is not None
        why = why_not_by_name(adapter)
        if why is None:
            modules = (*modules, AdapterPlan(name=CKPT_NAME, path=adapter.path))
            reasons.note("adapters", f"the checkpoint's is served by name, as {CKPT_NAME}")
        else:
            by_name, merges = False, True
            reasons.note("merge", f"{chosen.title} cannot serve the adapter by name: {why}")
    elif adapter is not None:
        merges = True
        if not args.merge_lora:
            reasons.note(
                "merge", f"{chosen.title} is given the merged model; --vllm_enable_lora true serves the adapter by name"
            )
    plan = _engine_plan(args, facts, chosen, model, modules, reasons, problems)
    default = CKPT_NAME if by_name else _only(modules, reasons)
    return Choice(backend=chosen.name, engine=plan, adapters=modules, default_adapter=default, merges=merges)


def _choose(
    args: Any,
    facts: InferFacts,
    row: ModelRow,
    model: ModelPlan,
    reasons: Reasons,
    problems: Problems,
    engines: Mapping[str, EngineRow],
) -> EngineRow:
    """The engine: as given, else vLLM where everything speaks for it, else pt. An asked one that cannot be is a problem."""
    if args.infer_backend != "AUTO":
        chosen = engines[args.infer_backend]
        reasons.take("backend", "infer_backend", args.infer_backend)
        why = _why_not(args, facts, row, model, chosen)
        if why is not None:
            problems.add(f"--infer_backend {chosen.name}: {why}")
        return chosen
    vllm, pt = engines["vllm"], engines["pt"]
    asked = [name for name in OF_ENGINES if was_given(name, reasons) and name not in pt.arguments]
    if asked:
        fitting = [one for one in engines.values() if all(name in one.arguments for name in asked)]
        chosen = vllm if vllm in fitting or not fitting else fitting[0]
        reasons.note("backend", f"--{asked[0]} is a setting of {chosen.title}")
        why = _why_not(args, facts, row, model, chosen)
        if why is not None:
            problems.add(
                f"--{asked[0]}: is a setting of {chosen.title}, and that cannot be used: {why} Or leave it out."
            )
        return chosen
    why = _why_not(args, facts, row, model, vllm)
    if why is None and facts.environments["vllm"].build == "cpu":
        why = (
            "there is no GPU, where vLLM takes a minute and more to start; --infer_backend vllm takes it all the same."
        )
    if why is None and facts.model.pooling is not None:
        why = "for embeddings it answers no prompt, where pt does both; --infer_backend vllm takes it all the same."
    if why is None and model.reads_images and model.architecture not in vllm.pictures:
        why = "whether it reads this model's images as pt does was not tried; --infer_backend vllm checks each prompt."
    if why is None and was_given("max_batch_size", reasons):
        why = "--max_batch_size is a setting of the engine pt."
    if why is None:
        reasons.note("backend", "there is a GPU, and vLLM is installed and runs this model")
        return vllm
    reasons.note("backend", f"not vllm: {why}")
    return pt


def _why_not(args: Any, facts: InferFacts, row: ModelRow, model: ModelPlan, engine: EngineRow) -> str | None:
    """What keeps an engine from answering with this model on this machine, as a sentence with the next step."""
    if engine.environment is None:
        return None
    located = facts.environments.get(engine.environment)
    if engine.gpu and (located is None or located.build is None):
        return f"{engine.title} needs an NVIDIA GPU, and this machine shows none. Use --infer_backend pt or vllm."
    if located is None or not located.usable:
        where = f" --env_dir {args.env_dir}" if args.env_dir else ""
        state = "is not installed" if located is None or located.state == "absent" else f"cannot be used: {located.why}"
        return f"{engine.title} {state}. Make its environment with: swift env add {engine.environment}{where}"
    known = (located.record.get("probe") or {}).get("architectures")
    if known and facts.model.architecture not in known:
        return f"{engine.title} has no class {facts.model.architecture}. Use --infer_backend pt."
    blind = why_no_pictures(model, engine, located.record)
    if blind is not None:
        return blind
    held = model.quantization
    if held and not held.get("stored"):
        return f"quantising while the weights are loaded is done by the engine pt only. Use --infer_backend pt, or leave out --quantization_bit with {engine.title}."
    if args.num_beams > 1:
        return f"--num_beams {args.num_beams}: {engine.title} has no beams. Use --infer_backend pt."
    if row.task != "causal_lm":
        return f"{row.model_type} is made for {row.task}, not for answers. Use --infer_backend pt."
    if facts.model.pooling is not None:
        return _why_no_vectors(args, facts, facts.model.pooling, engine)
    return None


def _why_no_vectors(args: Any, facts: InferFacts, pooling: str, engine: EngineRow) -> str | None:
    """The same of a model for embeddings: other engines than pt give vectors or answers, not both."""
    what = f"{facts.model.path} is a model for embeddings (1_Pooling)"
    if not engine.embeddings:
        return f"{what}, and {engine.title} is not started for them. Use --infer_backend pt."
    if not isinstance(args, DeployArguments):
        return f"{what}, and {engine.title} started for them answers no prompt: `swift deploy` serves them. Use --infer_backend pt."
    if pooling == "other":
        return f"{what} whose vectors are neither a mean nor the last state. Use --infer_backend pt, for answers alone."
    if facts.modules or args.vllm_enable_lora:
        return f"{what}, and adapters by name give none. Leave out --lora_modules and --vllm_enable_lora, or use --infer_backend pt."
    return None


def _check_arguments(
    args: Any, chosen: EngineRow, engines: Mapping[str, EngineRow], reasons: Reasons, problems: Problems
) -> None:
    """Settings of another engine are refused, not ignored."""
    for name in (*OF_ENGINES, "max_batch_size"):
        if name not in chosen.arguments and was_given(name, reasons):
            owners = [row for row in engines.values() if name in row.arguments]
            titles = " or ".join(row.title for row in owners)
            problems.add(
                f"--{name}: a setting of {titles}; the engine {chosen.name} does not have it."
                f" Leave it out, or use --infer_backend {owners[0].name}."
            )
    if chosen.environment is not None:
        for name, why in OWN_TO_PT.items():
            if was_given(name, reasons):
                problems.add(f"--{name}: {why} with --infer_backend {chosen.name}. Leave it out.")
    for wrong, message in (
        (not 0 < args.gpu_memory_utilization <= 1, f"--gpu_memory_utilization {args.gpu_memory_utilization}: is a share above 0 and up to 1."),
        (not 0 < args.cache_max_entry_count <= 1, f"--cache_max_entry_count {args.cache_max_entry_count}: is a share above 0 and up to 1."),
        (args.tensor_parallel_size < 1, f"--tensor_parallel_size {args.tensor_parallel_size}: is a count from 1 up."),
        (args.tp < 1, f"--tp {args.tp}: is a count from 1 up."),
        (args.max_num_seqs < 1, f"--max_num_seqs {args.max_num_seqs}: is a count from 1 up."),
        (args.max_logprobs < 0, f"--max_logprobs {args.max_logprobs}: is a count from 0 up."),
        (args.vllm_max_lora_rank < 1, f"--vllm_max_lora_rank {args.vllm_max_lora_rank}: is a count from 1 up."),
    ):  # fmt: skip
        if wrong:
            problems.add(message)


def _in_process(
    adapter: CheckpointFacts | None, modules: tuple[AdapterPlan, ...], args: Any, reasons: Reasons
) -> Choice:
    """pt: the checkpoint's adapter is laid over the model, unless others are asked for by name beside it."""
    if adapter is None or args.merge_lora:
        return Choice(
            backend="pt", adapters=modules, default_adapter=_only(modules, reasons), merges=adapter is not None
        )
    if not modules:
        reasons.note("adapter", "the checkpoint holds an adapter")
        return Choice(backend="pt", applies=True)
    reasons.note("adapters", f"the checkpoint's is one of several, {CKPT_NAME}")
    every = (*modules, AdapterPlan(name=CKPT_NAME, path=adapter.path))
    return Choice(backend="pt", adapters=every, default_adapter=CKPT_NAME)


def _only(modules: tuple[AdapterPlan, ...], reasons: Reasons) -> str | None:
    if len(modules) == 1:
        reasons.note("default_adapter", "the only adapter of --lora_modules")
        return modules[0].name
    if modules:
        reasons.note(
            "default_adapter", "several adapters and no --ckpt_dir: the model itself answers unless one is named"
        )
    return None


def why_not_by_name(checkpoint: CheckpointFacts) -> str | None:
    """What of an adapter other engines cannot serve beside a model; None where they can."""
    config = checkpoint.adapter_config or {}
    kind = str(config.get("peft_type", "")).upper()
    if kind != "LORA":
        return f"it is an adapter of kind {kind.lower() or 'unknown'}, not LoRA"
    if config.get("use_dora"):
        return "it is a DoRA adapter"
    if config.get("modules_to_save"):
        return f"it replaces whole modules ({', '.join(config['modules_to_save'])})"
    if config.get("bias", "none") != "none":
        return "it has trained biases"
    return None


def _engine_plan(
    args: Any,
    facts: InferFacts,
    chosen: EngineRow,
    model: ModelPlan,
    modules: tuple[AdapterPlan, ...],
    reasons: Reasons,
    problems: Problems,
) -> EnginePlan:
    assert chosen.environment is not None
    options = {name: getattr(args, name) for name in chosen.arguments if name not in ("lora_modules", "max_model_len")}
    for name in options:
        if was_given(name, reasons):
            reasons.take(f"engine.options.{name}", name, options[name])
    enable_lora = chosen.adapters and (bool(modules) or args.vllm_enable_lora)
    if enable_lora:
        needed = max((_rank(one.adapter_config or {}) for one in _served(facts, modules)), default=0)
        if needed > args.vllm_max_lora_rank:
            if was_given("vllm_max_lora_rank", reasons):
                problems.add(
                    f"--vllm_max_lora_rank {args.vllm_max_lora_rank}: an adapter has rank {needed}. Use that, or leave it out."
                )
            options["vllm_max_lora_rank"] = needed
            reasons.note("engine.options.vllm_max_lora_rank", "the highest rank of the served adapters")
    cache = None
    located = facts.environments.get(chosen.environment)
    if located is not None and located.build == "cpu" and not was_given("gpu_memory_utilization", reasons):
        cache = round(min(CPU_CACHE_GIB, facts.machine.memory_gib / 4), 2)
        reasons.note(
            "engine.cache_gib", "a quarter of the memory, and at most 4 GiB; --gpu_memory_utilization takes a share"
        )
    if located is not None:
        reasons.note(
            "engine.environment", located.why if located.folder is None else f"{located.folder} ({located.why})"
        )
    return EnginePlan(
        name=chosen.name,
        environment=chosen.environment,
        python=None if located is None else located.python,
        context=args.max_model_len if args.max_model_len is not None else model.max_model_len,
        options=options,
        cache_gib=cache,
        adapters=modules if chosen.adapters else (),
        enable_lora=enable_lora,
        config_overrides=_overrides(facts.model.model_config, model.rope_scaling),
        pooling=None if facts.model.pooling == "other" else facts.model.pooling,
        pictures=most_pictures(options.get("limit_mm_per_prompt"), model, chosen, reasons, problems),
        seed=args.seed,
    )


def _served(facts: InferFacts, modules: tuple[AdapterPlan, ...]) -> list[CheckpointFacts]:
    known = dict(facts.modules)
    if facts.checkpoint is not None:
        known[CKPT_NAME] = facts.checkpoint
    return [known[one.name] for one in modules]


def _rank(config: Mapping[str, Any]) -> int:
    ranks = [config.get("r"), *(config.get("rank_pattern") or {}).values()]
    return max((rank for rank in ranks if isinstance(rank, int)), default=0)


def _overrides(config: Mapping[str, Any], scaling: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Stretched positions as a change to config.json: the whole entry, since engines replace it."""
    if scaling is None:
        return None
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if "rope_theta" in config:
        rope = {"rope_theta": config["rope_theta"], **rope}
    return {"rope_parameters": {**rope, **scaling}}
