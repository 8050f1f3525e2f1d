"""Which rows, split how, in which batches: pure decisions from the data arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swift.llm.plan.plans import DataPlan
from swift.llm.plan.problems import Problems, Reasons


def dataset_items(args: Any, problems: Problems) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The training and validation items, older arguments folded in: their replacement is the item syntax."""
    train = [*args.dataset, *args.custom_train_dataset_path]
    val = [*args.val_dataset, *args.custom_val_dataset_path]
    if args.train_dataset_sample is not None and args.train_dataset_sample >= 0:
        train = _sampled("--train_dataset_sample", args.train_dataset_sample, train, "--dataset", problems)
    if args.val_dataset_sample is not None and args.val_dataset_sample >= 0:
        val = _sampled("--val_dataset_sample", args.val_dataset_sample, val, "--val_dataset", problems)
    if args.self_cognition_sample > 0:
        train.append(f"self-cognition#{args.self_cognition_sample}")
    return tuple(absolute_item(item) for item in train), tuple(absolute_item(item) for item in val)


def _sampled(flag: str, count: int, items: list[str], option: str, problems: Problems) -> list[str]:
    if len(items) == 1 and "#" not in items[0]:
        return [f"{items[0]}#{count}"]
    problems.add(
        f"{flag} {count}: says nothing about which of {len(items)} sets is meant. Write {option} NAME#{count} instead."
    )
    return items


def absolute_item(item: str) -> str:
    """A local file's item with its path made absolute, so that the plan means the same in every folder."""
    path, mark, count = item.rpartition("#")
    source, tail = (path, mark + count) if mark and count.lstrip("-").isdigit() else (item, "")
    if "::" not in source and Path(source).expanduser().exists():
        return str(Path(source).expanduser().resolve()) + tail
    return item


def resolve_data(args: Any, *, command: str, max_length: int | None, reasons: Reasons, problems: Problems) -> DataPlan:
    """The data part of a training plan."""
    train, val = dataset_items(args, problems)
    if not train:
        problems.add(
            "--dataset: no training data was given. Name a set (`swift list datasets`), a file or a hub id: --dataset my.jsonl"
        )
    if args.streaming:
        problems.add(
            "--streaming true: training on a stream is not in this version. Leave it out: prepared data is memory-mapped and need not fit in memory."
        )
    if args.streaming_val_size:
        problems.add(
            "--streaming_val_size: only streams take it, and they are not in this version. Use --dataset_test_ratio or --val_dataset."
        )
    if args.train_dataset_mix_ratio:
        problems.add(
            "--train_dataset_mix_ratio: is retired. Name the sets to mix in under --dataset, each with its count: --dataset mine.jsonl ms-bench#2000"
        )
    if args.rescale_image != -1:
        problems.add("--rescale_image: only multimodal models take it, and they are not in this version. Leave it out.")
    ratio = args.dataset_test_ratio
    if val:
        ratio = 0.0
        reasons.note("data.test_ratio", "--val_dataset is given")
    else:
        reasons.take("data.test_ratio", "dataset_test_ratio", ratio)
    if not 0 <= ratio < 1:
        problems.add(
            f"--dataset_test_ratio {ratio}: is a share from 0 up to, not including, 1. For a count of rows use --val_dataset NAME#COUNT."
        )
    if args.packing:
        if max_length is None:
            problems.add("--packing true needs a block size; --max_length is -1. Give --max_length.")
        if args.group_by_length:
            problems.add("--group_by_length true with --packing true: packs are equally long already. Leave one out.")
    flat = True if args.padding_free is None else args.padding_free
    if args.packing and not flat:
        problems.add("--packing true with --padding_free false: a pack is a flat batch. Leave --padding_free out.")
    reasons.take("data.dataset", "dataset", train)
    reasons.decide("data.seed", "dataset_seed", args.dataset_seed, args.seed, "copies --seed")
    reasons.take("data.packing", "packing", args.packing)
    if "lazy_tokenize" in reasons.sources and args.lazy_tokenize:
        problems.add(
            "--lazy_tokenize true: text rows are always encoded ahead, in bulk, once, into a memory-mapped cache; encoding on access comes with media. Leave it out."
        )
    return DataPlan(
        dataset=train,
        val_dataset=val,
        test_ratio=ratio,
        seed=args.seed if args.dataset_seed is None else args.dataset_seed,
        shuffle=args.shuffle_dataset,
        max_length=max_length,
        split_long=command == "pt",
        packing=args.packing,
        padding_free=flat,
        group_by_length=args.group_by_length,
        longest_first=args.test_oom_error,
        strict=args.strict_data,
        check_strategy=args.check_dataset_strategy,
        max_lost_ratio=args.max_lost_ratio,
        cache_dir=args.dataset_cache_dir,
        num_proc=args.preprocess_num_proc,
        use_hf=bool(args.use_hf),
        names=_pair(args.model_name),
        authors=_pair(args.model_author),
    )


def _pair(values: Any) -> tuple[str | None, str | None]:
    """(Chinese, English); one given value stands for both."""
    given = [value for value in values if value is not None]
    if not given:
        return None, None
    return given[0], given[-1]
