"""Values given in Python are held to the same rules as typed ones."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from swift.llm.arguments.coerce import checked
from swift.llm.arguments.commands import InferArguments, PtArguments, RlhfArguments, SftArguments
from swift.llm.arguments.fields import specs
from swift.utils.errors import ArgumentError


def test_arguments_are_frozen_and_named() -> None:
    args = SftArguments(dataset=["a"])
    with pytest.raises(FrozenInstanceError):
        args.seed = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        SftArguments("qwen")  # type: ignore[misc]


def test_python_values_are_coerced() -> None:
    args = checked(SftArguments(dataset="a,b", target_modules=["q"], output_dir=Path("o"), learning_rate=1, packing=1))  # type: ignore[arg-type]
    assert (args.dataset, args.target_modules, args.packing) == (("a", "b"), ("q",), True)
    assert args.output_dir == str(Path("o").absolute())
    assert type(args.learning_rate) is float


def test_wrong_python_values_are_all_named() -> None:
    with pytest.raises(ArgumentError, match=r"(?s)2 wrong values.*dtype: 'int3'.*lora_rank: 'x'"):
        checked(SftArguments(lora_rank="x", dtype="int3"))  # type: ignore[arg-type]


def test_commands_inherit_and_differ_where_they_should() -> None:
    assert issubclass(PtArguments, SftArguments)
    assert issubclass(RlhfArguments, SftArguments)
    assert (PtArguments().sft_type, PtArguments().eval_steps) == ("full", 500)
    assert specs(PtArguments)["sft_type"].choices == specs(SftArguments)["sft_type"].choices
    assert (SftArguments().max_length, InferArguments().max_length) == (2048, -1)


def test_a_checkpoint_hands_on_what_describes_the_model() -> None:
    inherited = {name for name, spec in specs(InferArguments).items() if spec.inherit}
    assert {"model_type", "template_type", "dtype", "quantization_bit", "sft_type", "system"} <= inherited
    assert not inherited & {"ckpt_dir", "hub_token", "max_new_tokens", "merge_lora", "dry_run"}
