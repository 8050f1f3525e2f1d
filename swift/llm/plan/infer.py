"""What an inference run does: which weights, which template, which rows, which sampling. Pure decisions with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from swift.llm.arguments.answer import RowsArguments
from swift.llm.arguments.template import ImageArguments
from swift.llm.catalog.rows import EngineRow, ModelRow, TunerRow
from swift.llm.core import Sampling
from swift.llm.plan.checkpoint import InferFacts, recorded_run, resolve_weights, was_given
from swift.llm.plan.data import dataset_items
from swift.llm.plan.engine import Choice, resolve_engine
from swift.llm.plan.merge import merge_of
from swift.llm.plan.plans import DataPlan, GeneratePlan, InferPlan, MergePlan, ModelPlan, TemplatePlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons
from swift.llm.plan.quant import check_stored
from swift.llm.plan.tuner import refuse_merge

__all__ = ["resolve_infer", "sampling_of"]

DRAWING = ("temperature", "top_k", "top_p", "min_p")
NOT_GIVEN_DRAW: dict[str, float | int] = {
    "temperature": 1.0, "top_k": 50, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0,
}  # fmt: skip
"""transformers' own defaults, for what neither the command line nor generation_config.json says."""


def sampling_of(plan: GeneratePlan, generation_config: Mapping[str, Any]) -> Sampling:
    """The sampling of a plan, with a model's ``generation_config`` where the plan says nothing."""
    resolved = _resolve_generate(plan, generation_config)[0]
    do_sample = bool(resolved.do_sample)
    return Sampling(
        max_new_tokens=resolved.max_new_tokens,
        do_sample=do_sample,
        temperature=float(resolved.temperature or 0.0) if do_sample else 1.0,
        top_k=int(resolved.top_k or 0) if do_sample else 0,
        top_p=float(1.0 if resolved.top_p is None else resolved.top_p) if do_sample else 1.0,
        repetition_penalty=float(resolved.repetition_penalty or 1.0),
        num_beams=resolved.num_beams,
        stop=resolved.stop,
        seed=resolved.seed,
        min_p=float(resolved.min_p or 0.0) if do_sample else 0.0,
        presence_penalty=resolved.presence_penalty,
        frequency_penalty=resolved.frequency_penalty,
    )


def resolve_infer(
    args: Any,
    sources: Mapping[str, str],
    facts: InferFacts,
    row: ModelRow,
    row_reason: str,
    *,
    templates: Mapping[str, Any],
    tuners: Mapping[str, TunerRow],
    engines: Mapping[str, EngineRow],
) -> InferPlan:
    """The plan of ``swift infer``. Raises PlanError with every conflict at once."""
    problems, reasons = Problems(), Reasons(sources)
    reasons.note("model.model_type", row_reason)
    model, template, tuner = resolve_weights(args, facts, row, templates, tuners, reasons, problems)
    generate = _resolve_sampling(args, facts, reasons, problems)
    data = _resolve_data(args, facts, reasons, problems)
    choice = resolve_engine(args, facts, row, model, tuner, reasons, problems, engines)
    merge = _resolve_merge(args, facts, row, model, template, tuner, tuners, choice, reasons, problems)
    if merge is not None and not was_given("quantization_bit", reasons):
        model = replace(model, quantization=None)  # what was folded in lies in plain weights now
    _check_numbers(args, data, problems)
    rows = (
        args if isinstance(args, RowsArguments) else RowsArguments()
    )  # commands that answer no rows have none of these
    _check_rows(rows, args.save_result, data, generate, reasons, problems)
    default_adapter = _default_adapter(args, choice, reasons, problems)
    context = model.max_model_len
    if args.max_model_len is not None:
        if context is not None and args.max_model_len > context:
            problems.add(f"--max_model_len {args.max_model_len}: the model has {context} positions. Use that or less.")
        context = reasons.take("context", "max_model_len", args.max_model_len)
    config_path = _generation_config_path(args, facts, merge, problems)
    max_pixels = _max_pixels(args, model, choice, reasons, problems)
    problems.stop_if_any()
    return InferPlan(
        command="infer",
        model=model,
        template=template,
        generate=generate,
        backend=choice.backend,
        adapter=facts.checkpoint.path if (choice.applies or choice.merges) and facts.checkpoint is not None else None,
        tuner=tuner,
        merge=merge,
        engine=choice.engine,
        adapters=choice.adapters,
        default_adapter=default_adapter,
        data=data,
        stream=args.stream,
        verbose=args.verbose,
        show_dataset_sample=args.show_dataset_sample,
        result_path=_result_path(args, facts, row, reasons),
        max_batch_size=_max_batch(args, choice, reasons),
        context=context,
        generation_config_path=config_path,
        best_of=rows.best_of,
        best_by=rows.best_by,
        logprobs=rows.result_logprobs,
        resume=rows.resume,
        score_labels=rows.score_labels,
        max_pixels=max_pixels,
        verify_template=args.verify_template,
        use_hf=bool(args.use_hf),
        register_path=args.custom_register_path,
        reasons=dict(reasons.by_field),
    )


def _resolve_merge(
    args: Any,
    facts: InferFacts,
    row: ModelRow,
    model: ModelPlan,
    template: TemplatePlan,
    tuner: TunerPlan | None,
    tuners: Mapping[str, TunerRow],
    choice: Choice,
    reasons: Reasons,
    problems: Problems,
) -> MergePlan | None:
    """The merge that comes first: as asked for, or because the engine cannot serve the adapter otherwise."""
    adapter = facts.checkpoint is not None and facts.checkpoint.kind == "adapter"
    if args.merge_lora and not adapter:
        problems.add(
            "--merge_lora true: there is no adapter to fold in. Leave it out, or give --ckpt_dir of an adapter's run."
        )
    if not (args.merge_lora or choice.merges) and (
        "merge_device_map" in reasons.sources or "save_safetensors" in reasons.sources
    ):
        problems.add(
            "--merge_device_map and --save_safetensors have an effect only with --merge_lora true. Leave them out."
        )
    if not (args.merge_lora or choice.merges) or not adapter:
        return None
    check_stored(model.quantization, row, model.path, problems)
    if tuner is None:
        return None  # said already: an adapter of a kind that is not in this version
    refuse_merge(tuner, tuners, problems)
    merge = merge_of(args, facts, model, template, tuner, device=args.merge_device_map or "cpu", replaces=False)
    why = reasons.sources.get("merge_lora", "default") if args.merge_lora else reasons.by_field.get("merge", "")
    reasons.note("merge", f"{why}; the answers come from {merge.target}")
    return merge


def _max_pixels(args: Any, model: ModelPlan, choice: Choice, reasons: Reasons, problems: Problems) -> int:
    """The size that images shrink to."""
    if not isinstance(args, ImageArguments) or args.rescale_image == -1 or not was_given("rescale_image", reasons):
        return -1  # commands that answer nothing have no such argument, and a checkpoint's is of its training
    if args.rescale_image < 1:
        problems.add(f"--rescale_image {args.rescale_image}: is a count of pixels from 1 up (480000, say), or -1.")
    elif not model.reads_images:
        problems.add(f"--rescale_image: {model.model_type} reads no images. Leave it out.")
    elif choice.engine is not None and not choice.engine.pictures:
        problems.add(f"--rescale_image: the engine {choice.backend} is given no images; --infer_backend pt is.")
    return int(reasons.take("max_pixels", "rescale_image", args.rescale_image))


def _max_batch(args: Any, choice: Choice, reasons: Reasons) -> int:
    """How many answers are under way at a time: as many as the engine takes."""
    if choice.engine is None:
        return reasons.take("max_batch_size", "max_batch_size", int(args.max_batch_size))
    reasons.note("max_batch_size", "--max_num_seqs: the engine batches them itself")
    return int(args.max_num_seqs)


def _resolve_sampling(args: Any, facts: InferFacts, reasons: Reasons, problems: Problems) -> GeneratePlan:
    """The sampling settings, each one said: given, or of generation_config.json, or transformers' default."""
    given = [name for name in (*DRAWING, "repetition_penalty") if getattr(args, name) is not None]
    drawn = [name for name in given if name in DRAWING and not (name == "temperature" and args.temperature == 0)]
    do_sample = args.do_sample
    if do_sample is False and drawn:
        problems.add(
            f"{', '.join('--' + name for name in drawn)}: has an effect only when tokens are drawn; --do_sample is false."
            " Leave one of them out."
        )
    if do_sample is None and drawn:
        do_sample = True
        reasons.note("generate.do_sample", f"--{drawn[0]} is given")
    elif do_sample is None and args.temperature == 0:
        do_sample = False
        reasons.note("generate.do_sample", "--temperature 0 takes the likeliest token")
    elif do_sample is not None:
        reasons.take("generate.do_sample", "do_sample", do_sample)
    said = GeneratePlan(
        max_new_tokens=reasons.take("generate.max_new_tokens", "max_new_tokens", args.max_new_tokens),
        do_sample=do_sample,
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        repetition_penalty=args.repetition_penalty,
        num_beams=reasons.take("generate.num_beams", "num_beams", args.num_beams),
        stop=tuple(args.stop_words),
        seed=reasons.take("generate.seed", "seed", args.seed),
        min_p=args.min_p,
        presence_penalty=args.presence_penalty,
        frequency_penalty=args.frequency_penalty,
    )
    config = {**facts.model.generation_config, **(facts.checkpoint_generation_config or {})}
    plan, why = _resolve_generate(said, config)
    for name, reason in why.items():
        reasons.note(f"generate.{name}", reason)
    for name in given:
        reasons.note(f"generate.{name}", reasons.sources.get(name, "default"))
    _check_sampling(plan, problems)
    return plan


def _resolve_generate(plan: GeneratePlan, config: Mapping[str, Any]) -> tuple[GeneratePlan, dict[str, str]]:
    """Fill what the plan leaves open; the second value says where each filled setting came from."""
    why: dict[str, str] = {}
    values: dict[str, Any] = {}
    if plan.do_sample is None:
        values["do_sample"] = bool(config.get("do_sample", False))
        why["do_sample"] = (
            "generation_config.json of the model" if "do_sample" in config else "greedy: nothing asks for more"
        )
    do_sample = values.get("do_sample", plan.do_sample)
    for name, default in NOT_GIVEN_DRAW.items():
        if getattr(plan, name) is not None or (name in DRAWING and not do_sample):
            continue
        found = config.get(name)
        values[name] = default if found is None else type(default)(found)
        why[name] = "transformers' default" if found is None else "generation_config.json of the model"
    return replace(plan, **values), why


def _check_sampling(plan: GeneratePlan, problems: Problems) -> None:
    temperature, top_k, top_p = plan.temperature, plan.top_k, plan.top_p
    penalty = plan.repetition_penalty
    for wrong, message in (
        (plan.max_new_tokens < 1, f"--max_new_tokens {plan.max_new_tokens}: is a count from 1 up."),
        (
            temperature is not None and temperature < 0,
            f"--temperature {temperature}: is 0 (the likeliest token) or above.",
        ),
        (top_k is not None and top_k < 0, f"--top_k {top_k}: is a count from 1 up, or 0 for all tokens."),
        (top_p is not None and not 0 < top_p <= 1, f"--top_p {top_p}: is a probability above 0 and up to 1."),
        (
            penalty is not None and penalty <= 0,
            f"--repetition_penalty {penalty}: is a number above 0; 1 changes nothing.",
        ),
        (
            plan.min_p is not None and not 0 <= plan.min_p <= 1,
            f"--min_p {plan.min_p}: is a share from 0 (off) to 1.",
        ),
        (
            abs(plan.presence_penalty) > 2 or abs(plan.frequency_penalty) > 2,
            f"--presence_penalty {plan.presence_penalty}, --frequency_penalty {plan.frequency_penalty}: lie between -2 and 2.",
        ),
        (plan.num_beams < 1, f"--num_beams {plan.num_beams}: is a count from 1 up."),
        (
            any(not word for word in plan.stop),
            "--stop_words: an empty text would end every answer at once. Leave it out.",
        ),
    ):
        if wrong:
            problems.add(message)


def _check_numbers(args: Any, data: DataPlan | None, problems: Problems) -> None:
    if args.max_batch_size < 1:
        problems.add(f"--max_batch_size {args.max_batch_size}: is a count from 1 up.")
    if args.show_dataset_sample != -1 and args.show_dataset_sample < 1:
        problems.add(f"--show_dataset_sample {args.show_dataset_sample}: is a count from 1 up, or -1 for all rows.")
    if args.result_dir is not None and not args.save_result:
        problems.add("--result_dir with --save_result false: nothing is written then. Leave one of them out.")
    if data is None and args.show_dataset_sample != -1:
        problems.add("--show_dataset_sample: there are no rows to answer. Give --val_dataset, or leave it out.")


def _check_rows(
    rows: RowsArguments,
    saves: bool,
    data: DataPlan | None,
    generate: GeneratePlan,
    reasons: Reasons,
    problems: Problems,
) -> None:
    """What concerns the rows of a data set only."""
    if rows.best_of < 1:
        problems.add(f"--best_of {rows.best_of}: is a count from 1 up.")
    if rows.best_of > 1 and not (generate.do_sample and generate.temperature != 0):
        problems.add(
            f"--best_of {rows.best_of}: without sampling all answers would be the same. Add --do_sample true, say with"
            " --temperature 0.8."
        )
    if rows.best_of > 1 and generate.num_beams > 1:
        problems.add(f"--best_of {rows.best_of} with --num_beams: beams give one answer. Leave one of them out.")
    if rows.best_of == 1 and was_given("best_by", reasons):
        problems.add("--best_by: chooses among several answers. Give --best_of 2 or more, or leave it out.")
    if rows.result_logprobs is not None and not 0 <= rows.result_logprobs <= 20:
        problems.add(f"--result_logprobs {rows.result_logprobs}: is a count from 0 to 20.")
    if rows.result_logprobs is not None and not saves:
        problems.add("--result_logprobs with --save_result false: nothing is written then. Leave one of them out.")
    for name in ("best_of", "result_logprobs", "resume", "score_labels"):
        if data is None and was_given(name, reasons):
            problems.add(f"--{name}: there are no rows to answer. Give --val_dataset, or leave it out.")


def _default_adapter(args: Any, choice: Choice, reasons: Reasons, problems: Problems) -> str | None:
    """The adapter that answers where nobody asks for another: as given, or as the engine's choice has it."""
    if args.use_adapter is None:
        return choice.default_adapter
    names = [adapter.name for adapter in choice.adapters]
    if args.use_adapter == "base" and names:
        reasons.note("default_adapter", "--use_adapter base")
        return None
    if args.use_adapter not in names:
        known = f"the adapters by name are {', '.join(names)}, and base" if names else "--lora_modules names no adapter"
        problems.add(f"--use_adapter {args.use_adapter}: {known}.")
    return reasons.take("default_adapter", "use_adapter", str(args.use_adapter))


def _resolve_data(args: Any, facts: InferFacts, reasons: Reasons, problems: Problems) -> DataPlan | None:
    """The rows to answer, or None for a chat."""
    dataset, val_dataset = dataset_items(args, problems)
    has_rows = bool(dataset or val_dataset or args.load_dataset_config)
    if was_given("max_lost_ratio", reasons):
        problems.add(
            "--max_lost_ratio: has an effect in training only; every row that cannot be answered is listed. Leave it out."
        )
    if args.eval_human is False and not has_rows:
        problems.add(
            "--eval_human false: there are no rows to answer. Give --val_dataset, or --load_dataset_config true."
        )
    if args.load_dataset_config and (dataset or val_dataset):
        problems.add(
            "--load_dataset_config true with --dataset or --val_dataset: two answers to which rows. Leave one out."
        )
    chat = args.eval_human if args.eval_human is not None else not has_rows
    reasons.note(
        "data",
        reasons.sources.get("eval_human", "default") if args.eval_human is not None
        else ("no data is given: a chat" if chat else "rows are given"),
    )  # fmt: skip
    if chat:
        return None
    strict = args.strict_data or args.check_dataset_strategy == "error"
    if args.load_dataset_config:
        recorded = recorded_run(facts.checkpoint)
        if recorded is None:
            problems.add(
                "--load_dataset_config true: needs a --ckpt_dir that swift sft wrote, with its plan.json."
                " Name the rows with --val_dataset instead."
            )
            return None
        reasons.note("data.dataset", "the rows that training validated on")
        reasons.note("data.seed", "as in training")
        return replace(recorded.data, strict=strict, check_strategy=args.check_dataset_strategy)
    if not val_dataset and not 0 < args.dataset_test_ratio < 1:
        problems.add(
            f"--dataset_test_ratio {args.dataset_test_ratio}: of --dataset, the share that validates is answered; it lies"
            " between 0 and 1. To answer all rows use --val_dataset."
        )
    reasons.take("data.dataset", "dataset", dataset)
    if not val_dataset:
        reasons.note(
            "data.test_ratio", "of --dataset the rows that training would validate on; --val_dataset answers all"
        )
    reasons.decide("data.seed", "dataset_seed", args.dataset_seed, args.seed, "copies --seed")
    names, authors = ([value for value in pair if value is not None] for pair in (args.model_name, args.model_author))
    return DataPlan(
        dataset=dataset,
        val_dataset=val_dataset,
        test_ratio=0.0 if val_dataset else args.dataset_test_ratio,
        seed=args.seed if args.dataset_seed is None else args.dataset_seed,
        strict=strict,
        check_strategy=args.check_dataset_strategy,
        use_hf=bool(args.use_hf),
        names=(names[0], names[-1]) if names else (None, None),
        authors=(authors[0], authors[-1]) if authors else (None, None),
    )


def _result_path(args: Any, facts: InferFacts, row: ModelRow, reasons: Reasons) -> str | None:
    if not args.save_result:
        return None
    if args.result_dir is not None:
        folder = Path(args.result_dir)
        reasons.note("result_path", reasons.sources.get("result_dir", "default"))
    elif facts.checkpoint is not None:
        folder = Path(facts.checkpoint.path) / "infer_result"
    else:
        folder = Path("result") / row.model_type / "infer_result"
    return str(folder.absolute() / f"{facts.stamp}.jsonl")


def _generation_config_path(args: Any, facts: InferFacts, merge: MergePlan | None, problems: Problems) -> str | None:
    if not args.overwrite_generation_config:
        return None
    if facts.checkpoint is None:
        problems.add(
            "--overwrite_generation_config true: writes into the checkpoint; give --ckpt_dir, or leave it out."
        )
        return None
    folder = merge.target if merge is not None else facts.checkpoint.path
    return str(Path(folder) / "generation_config.json")
