"""Which rows, split how, in which batches: pure decisions from the data arguments."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

from swift.llm.catalog.registries import DATASET_MAPPING
from swift.llm.plan.plans import DataPlan, TemplatePlan
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
    """A local item with its path made absolute, so that the plan means the same in every folder; patterns too."""
    if _exists(item):
        return _absolute(item)
    path, mark, count = item.rpartition("#")
    source, tail = (path, mark + count) if mark and count.removeprefix("-").isdecimal() else (item, "")
    if "://" in source or "::" in source:
        return item
    if _exists(source) or glob.has_magic(source):
        return _absolute(source) + tail
    return item


def _exists(text: str) -> bool:
    """Whether it is a path that is meant: a file, or a folder that no registered set goes before."""
    try:
        path = Path(text).expanduser()
        return path.is_file() or (path.is_dir() and text not in DATASET_MAPPING)
    except (OSError, RuntimeError, ValueError):  # a name that no file can have, or ~ of an unknown user
        return False


def _absolute(text: str) -> str:
    return os.path.abspath(Path(text).expanduser())


def resolve_data(args: Any, *, template: TemplatePlan, reasons: Reasons, problems: Problems) -> DataPlan:
    """The data part of a training plan."""
    train, val = dataset_items(args, problems)
    if not train:
        problems.add(
            "--dataset: no training data was given. Name a set (`swift list datasets`), a file or a hub id: --dataset my.jsonl"
        )
    if args.train_dataset_mix_ratio:
        problems.add(
            "--train_dataset_mix_ratio: is retired. Name the sets to mix in under --dataset, each with its count: --dataset mine.jsonl ms-bench#2000"
        )
    if args.rescale_image != -1:
        problems.add(
            "--rescale_image: training reads no images in this version; swift infer and swift deploy do. Leave it out."
        )
    _check_numbers(args, problems)
    ratio = args.dataset_test_ratio
    _check_stream(args, bool(val), reasons, problems)
    if args.streaming:
        ratio = 0.0
        reasons.note("data.test_ratio", "a stream has no length to take a share of")
    elif val:
        ratio = 0.0
        reasons.note("data.test_ratio", "--val_dataset is given")
    else:
        reasons.take("data.test_ratio", "dataset_test_ratio", ratio)
    if not 0 <= ratio < 1:
        problems.add(
            f"--dataset_test_ratio {ratio}: is a share from 0 up to, not including, 1. For a count of rows use --val_dataset NAME#COUNT."
        )
    if args.packing:
        if template.max_length is None:
            problems.add("--packing true needs a block size; --max_length is -1. Give --max_length.")
        if args.group_by_length:
            problems.add("--group_by_length true with --packing true: packs are equally long already. Leave one out.")
    flat = True if args.padding_free is None else args.padding_free
    if args.packing and not flat:
        problems.add("--packing true with --padding_free false: a pack is a flat batch. Leave --padding_free out.")
    reasons.take("data.dataset", "dataset", train)
    reasons.decide("data.seed", "dataset_seed", args.dataset_seed, args.seed, "copies --seed")
    reasons.take("data.packing", "packing", args.packing)
    return DataPlan(
        dataset=train,
        val_dataset=val,
        test_ratio=ratio,
        seed=args.seed if args.dataset_seed is None else args.dataset_seed,
        shuffle=args.shuffle_dataset,
        max_length=template.max_length,
        split_long=template.truncation == "split" and template.max_length is not None,
        lazy=_lazy(args, template, reasons, problems),
        packing=args.packing,
        padding_free=flat,
        group_by_length=args.group_by_length,
        strict=args.strict_data,
        check_strategy=args.check_dataset_strategy,
        max_lost_ratio=args.max_lost_ratio,
        cache_dir=args.dataset_cache_dir,
        num_proc=args.preprocess_num_proc,
        use_hf=bool(args.use_hf),
        names=_pair(args.model_name),
        authors=_pair(args.model_author),
        streaming=reasons.take("data.streaming", "streaming", args.streaming),
        stream_buffer=args.streaming_buffer_size,
        stream_val=args.streaming_val_size,
        mix_strategy=_mix_strategy(args, len(train), reasons, problems),
        weights=reasons.take("data.weights", "dataset_weights", tuple(args.dataset_weights)),
        shard=_shard(args.dataset_shard, problems),
    )


def _check_numbers(args: Any, problems: Problems) -> None:
    """Counts and shares that cannot be."""
    if args.max_length is not None and (args.max_length == 0 or args.max_length < -1):
        problems.add(f"--max_length {args.max_length}: is a count of tokens from 1 up, or -1 for no limit.")
    if args.preprocess_num_proc < 1:
        problems.add(f"--preprocess_num_proc {args.preprocess_num_proc}: is a count of processes from 1 up.")
    if not 0 <= args.max_lost_ratio <= 1:
        problems.add(f"--max_lost_ratio {args.max_lost_ratio}: is a share of the rows, from 0 to 1.")


def _mix_strategy(args: Any, num_items: int, reasons: Reasons, problems: Problems) -> str | None:
    """How several sets become one; weights only mean something side by side."""
    weights = args.dataset_weights
    decided, why = None, "one data set after the other"
    if weights:
        decided, why = "interleave_over", "--dataset_weights is given, and no row shall be lost"
    elif args.streaming:
        why = "the sources of a stream take turns, and one that ends waits for the others"
    strategy: str | None = reasons.decide("data.mix_strategy", "mix_strategy", args.mix_strategy, decided, why)
    if weights:
        shown = " ".join(f"{weight:g}" for weight in weights)
        if len(weights) != num_items:
            problems.add(
                f"--dataset_weights {shown}: {len(weights)} numbers for {num_items} data sets. Give one for each, in their order."
            )
        if not all(0 < weight < float("inf") for weight in weights):
            problems.add(
                f"--dataset_weights {shown}: a weight is a number above 0. Leave out a set that is not wanted."
            )
        if strategy == "concat":
            problems.add(
                "--dataset_weights with --mix_strategy concat: sets that follow one another have no shares. Leave one out."
            )
    if args.streaming and strategy == "interleave_under":
        problems.add(
            "--mix_strategy interleave_under with --streaming true: a stream begins again where a set ends. Take interleave_over, "
            "concat, or leave it out: the sets then take turns."
        )
    if args.streaming and args.dataset_shard is not None:
        problems.add(
            "--dataset_shard with --streaming true: shards are of data whose rows are counted. Give each machine its own files."
        )
    return strategy


def _shard(text: str | None, problems: Problems) -> tuple[int, int] | None:
    """``I/N`` as (I - 1, N)."""
    if text is None:
        return None
    part, mark, whole = text.partition("/")
    if not (mark and part.isdecimal() and whole.isdecimal() and 1 <= int(part) <= int(whole)):
        problems.add(f"--dataset_shard {text}: is I/N, part I of N, from 1/N to N/N (example: --dataset_shard 1/4).")
        return None
    return int(part) - 1, int(whole)


def _lazy(args: Any, template: TemplatePlan, reasons: Reasons, problems: Problems) -> bool:
    """Whether rows are encoded when they are used: only where that is asked for, since beforehand is faster for text."""
    if not (args.lazy_tokenize and "lazy_tokenize" in reasons.sources):
        return False
    reasons.take("data.lazy", "lazy_tokenize", True)
    for asked, flag, why in (
        (args.packing, "packing true", "packs are made from the lengths of all samples"),
        (args.group_by_length, "group_by_length true", "samples of like length cannot be looked for"),
        (getattr(args, "test_oom_error", False), "test_oom_error true", "the longest rows are not known"),
        (args.streaming, "streaming true", "a stream is encoded ahead of the training anyway"),
        (
            template.truncation == "split",
            "truncation_strategy split",
            "one row would be several samples, and their number is not known",
        ),
    ):
        if asked:
            problems.add(
                f"--lazy_tokenize true with --{flag}: a row's length is known only once it is used; {why}. Leave one of them out."
            )
    return True


def _check_stream(args: Any, has_val: bool, reasons: Reasons, problems: Problems) -> None:
    """What a stream cannot do, and what only a stream can."""
    given = reasons.sources
    if not args.streaming:
        for flag in ("streaming_val_size", "streaming_buffer_size"):
            if flag in given:
                problems.add(f"--{flag}: has an effect only with --streaming true. Leave it out, or add that.")
        return
    if args.max_steps <= 0:
        problems.add("--streaming true: a stream has no end. Say how long to train: --max_steps.")
    if args.streaming_buffer_size < 1:
        problems.add(f"--streaming_buffer_size {args.streaming_buffer_size}: is a count of rows from 1 up.")
    if args.streaming_val_size < 0:
        problems.add(f"--streaming_val_size {args.streaming_val_size}: is a count of rows from 0 up.")
    if "dataset_test_ratio" in given and args.dataset_test_ratio:
        problems.add(
            f"--dataset_test_ratio {args.dataset_test_ratio} with --streaming true: a stream has no length to take a share of."
            " Use --streaming_val_size COUNT, or --val_dataset."
        )
    if args.streaming_val_size and has_val:
        problems.add("--streaming_val_size and --val_dataset: both say what validates. Leave one of them out.")
    for flag, why in (
        ("group_by_length", "samples of like length cannot be looked for ahead"),
        ("test_oom_error", "the longest rows are not known ahead"),
    ):
        if getattr(args, flag):
            problems.add(f"--{flag} true with --streaming true: {why}. Leave one of them out.")
    if args.preprocess_num_proc > 1 and "preprocess_num_proc" in given:
        problems.add(
            f"--preprocess_num_proc {args.preprocess_num_proc} with --streaming true: one thread encodes ahead of the training. "
            "Leave it out."
        )
    if (args.dataloader_num_workers or 0) > 0:
        problems.add(
            f"--dataloader_num_workers {args.dataloader_num_workers} with --streaming true: the stream is read ahead by a thread"
            " of its own. Leave it out."
        )
    for flag in ("evaluation_strategy", "save_strategy"):
        if getattr(args, flag) == "epoch":
            problems.add(f"--{flag} epoch with --streaming true: a stream has no epochs. Use steps.")


def _pair(values: Any) -> tuple[str | None, str | None]:
    """(Chinese, English); one given value stands for both."""
    given = [value for value in values if value is not None]
    if not given:
        return None, None
    return given[0], given[-1]
