"""Which rows, checked and split how."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.fields import Json, arg

_ITEM = "ITEM"


@dataclass(frozen=True, kw_only=True)
class DataArguments:
    """The rows of every command that reads some."""

    dataset: Sequence[str] = arg(
        (), "Data to train on: names of the catalog, hub ids or files, each as "
        "[HF::|MS::]source[:subset/...][#rows]. Separate them by blanks, or by commas within one item.",
        "dataset", registry="datasets", starred=True, commas=True, metavar=_ITEM,
    )  # fmt: skip
    val_dataset: Sequence[str] = arg(
        (), "Data to validate on, written like dataset; then nothing is split off the training data.",
        "dataset", registry="datasets", starred=True, commas=True, metavar=_ITEM,
    )  # fmt: skip
    dataset_test_ratio: float = arg(
        0.01, "Share of each data set that is split off for validation, where val_dataset is not given.",
        "dataset",
    )  # fmt: skip
    dataset_seed: int | None = arg(
        None, "Seed for sampling, splitting and shuffling rows; left out, it is seed.", "dataset",
    )  # fmt: skip
    check_dataset_strategy: str = arg(
        "none", "What to do with rows of the wrong type: no extra check, drop them, fail, or warn and drop. "
        "Dropped rows are always listed in the row ledger.", "dataset", choices=("none", "discard", "error",
        "warning"),
    )  # fmt: skip
    max_lost_ratio: float = arg(
        0.5, "Stop before training when more than this share of the rows is lost.", "dataset",
    )  # fmt: skip
    strict_data: bool = arg(
        False, "Fail at the first row that cannot be used, in place of dropping and listing it.", "dataset",
    )  # fmt: skip
    model_name: Sequence[str | None] = arg(
        (None, None), "What the model calls itself, in Chinese and in English, in the self-cognition data. "
        "One name stands for both.", "dataset", starred=True, metavar="NAME",
    )  # fmt: skip
    model_author: Sequence[str | None] = arg(
        (None, None), "Who made the model, in Chinese and in English, in the self-cognition data. One name "
        "stands for both.", "dataset", starred=True, metavar="NAME",
    )  # fmt: skip
    custom_dataset_info: Json = arg(
        None, "Data sets of your own: a dataset_info.json, or its content as JSON.", "dataset", path="keep",
        inherit=True,
    )  # fmt: skip
    train_dataset_sample: int = arg(
        -1, "Number of training rows; -1 keeps all.", "dataset", deprecated="--dataset NAME#COUNT",
    )  # fmt: skip
    val_dataset_sample: int | None = arg(
        None, "Number of validation rows; -1 keeps all.", "dataset",
        deprecated="--dataset_test_ratio, or --val_dataset NAME#COUNT",
    )  # fmt: skip
    custom_train_dataset_path: Sequence[str] = arg(
        (), "Local files to add to dataset.", "dataset", deprecated="--dataset PATH", path="always",
        metavar="PATH",
    )  # fmt: skip
    custom_val_dataset_path: Sequence[str] = arg(
        (), "Local files to add to val_dataset.", "dataset", deprecated="--val_dataset PATH", path="always",
        metavar="PATH",
    )  # fmt: skip
    self_cognition_sample: int = arg(
        0, "Number of self-cognition rows to add; needs model_name and model_author.", "dataset",
        deprecated="--dataset self-cognition#COUNT",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainDataArguments(DataArguments):
    """How rows become batches."""

    packing: bool = arg(
        False, "Fill blocks of max_length tokens with several samples each. Samples do not see one another.",
        "dataset",
    )  # fmt: skip
    padding_free: bool | None = arg(
        None, "Join the samples of a batch without padding. Left out, this is done wherever the model "
        "allows.", "dataset",
    )  # fmt: skip
    train_on_inputs: bool = arg(
        False, "Train on the user's and the system's text too, not on answers only.", "dataset",
    )  # fmt: skip
    shuffle_dataset: bool = arg(True, "Shuffle the training rows, anew in each epoch.", "dataset")
    group_by_length: bool = arg(False, "Put samples of like length into one batch.", "dataset")
    lazy_tokenize: bool | None = arg(
        None, "Encode a row when it is used (true) or all of them beforehand (false). Left out, beforehand "
        "for text and on use for images, video and audio.", "dataset", starred=True,
    )  # fmt: skip
    preprocess_num_proc: int = arg(
        1, "Processes that read and prepare rows. The tokenizer uses all cores by itself.", "dataset",
        starred=True,
    )  # fmt: skip
    dataset_cache_dir: str | None = arg(
        None, "Folder of the tokenized data, where a later run finds it again; left out, a folder in the "
        "user's cache.", "dataset", path="always",
    )  # fmt: skip
    streaming: bool = arg(
        False, "Read the data as a stream, without an end or a length; needs max_steps.", "dataset",
    )  # fmt: skip
    streaming_val_size: int = arg(0, "Rows taken from the start of a stream for validation.", "dataset")
    streaming_buffer_size: int = arg(16384, "Rows held in memory to shuffle a stream.", "dataset")
    mix_strategy: str | None = arg(
        None, "How several data sets become one: concat, one after the other; interleave_under, side by side "
        "until one has no row left; interleave_over, side by side until each row came once, repeating what ends early. "
        "Left out, concat; with dataset_weights, interleave_over.", "dataset",
        choices=("concat", "interleave_under", "interleave_over"),
    )  # fmt: skip
    dataset_weights: Sequence[float] = arg(
        (), "Shares of the data sets in an interleaved mixture, one number for each item of dataset; they need not "
        "add up to 1. Left out, equal shares.", "dataset", metavar="WEIGHT",
    )  # fmt: skip
    dataset_shard: str | None = arg(
        None, "Take one part of the rows of each data set, the same on every machine: I/N is part I of N, from 1/N to "
        "N/N. Together the parts hold every row once.", "dataset", metavar="I/N",
    )  # fmt: skip
    train_dataset_mix_ratio: float = arg(
        0.0, "General data to mix in, as a multiple of the training rows.", "dataset",
        deprecated="--dataset with all the sets",
    )  # fmt: skip
    train_dataset_mix_ds: Sequence[str] = arg(
        ("ms-bench",), "The general data to mix in.", "dataset", deprecated="--dataset with all the sets",
        metavar=_ITEM,
    )  # fmt: skip
