"""Weights in few bits: what transformers is told while it loads them, and what is done to the loaded model."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from swift.llm.plan.plans import ModelPlan
from swift.llm.plan.quant import GROUP
from swift.utils.errors import ModelError

__all__ = ["count_parameters", "finish", "loading_options", "prepare_config"]

TORCH_KERNEL = {"gptq": "torch", "awq": "torch_awq"}
"""transformers' names of gptqmodel's kernels in plain torch."""

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def prepare_config(config: Any, plan: ModelPlan) -> None:
    """Ask for plain weights where the plan expands what the files hold, and for kernels that pass gradients on to train.

    On a CPU gptqmodel's automatic choice is a kernel that decides once, at its first forward, whether it will ever pass a
    gradient on: an evaluation before the first step is enough, and everything below a layer silently stops learning (seen with
    7.6); and it takes files that it then cannot multiply (groups of 16). Its plain torch kernel does neither.
    """
    stored, decided = getattr(config, "quantization_config", None), plan.quantization or {}
    if not isinstance(stored, dict):
        return
    if decided.get("expanded"):
        stored["dequantize"] = True
    elif decided.get("quant_method") in TORCH_KERNEL and plan.device == "cpu":
        stored["backend"] = TORCH_KERNEL[decided["quant_method"]]
    elif decided.get("quant_method") in TORCH_KERNEL and "result" in decided:
        stored["backend"] = "auto_trainable"


def loading_options(plan: ModelPlan) -> dict[str, Any]:
    """Further arguments of ``from_pretrained``. Raises ModelError where the library is missing."""
    decided = plan.quantization
    if decided is None:
        return {}
    method = decided["quant_method"]
    if method == "hqq":
        return {"device_map": None}  # read into memory; `finish` moves it, layer by layer
    if decided.get("expanded"):
        return {}
    # Left out, transformers would put packed weights on the first GPU, whatever the plan says.
    placing = {"device_map": {"": plan.device}} if plan.device_map is None else {}
    if decided.get("stored"):
        return placing
    from transformers import BitsAndBytesConfig, EetqConfig

    if method == "eetq":
        return {"quantization_config": EetqConfig("int8"), **placing}
    _must_have("bitsandbytes")
    told: dict[str, Any] = {"load_in_8bit": True}
    if decided["quantization_bit"] == 4:
        told = {
            "load_in_4bit": True,
            "bnb_4bit_compute_dtype": _DTYPES[decided["bnb_4bit_comp_dtype"]],
            "bnb_4bit_quant_type": decided["bnb_4bit_quant_type"],
            "bnb_4bit_use_double_quant": decided["bnb_4bit_use_double_quant"],
            "bnb_4bit_quant_storage": decided["bnb_4bit_quant_storage"],
        }
    return {"quantization_config": BitsAndBytesConfig(**told), **placing}  # type: ignore[no-untyped-call]


def finish(model: Any, plan: ModelPlan) -> Any:
    """The model with what loading left to do: HQQ's layers are made here, bitsandbytes' ones keep their packing."""
    decided = plan.quantization or {}
    if decided.get("expanded"):
        # transformers keeps what it did while loading, to undo it when the model is saved: it would round the weights again
        # and write scales that nothing says how to read. Without it, saving goes by what the architecture asks for.
        vars(model).pop("_weight_conversions", None)
        _leave_scales(model)
    if decided.get("quant_method") == "hqq":
        _pack_hqq(model, decided, plan)
    elif decided.get("quant_method") == "bnb":
        for module in model.modules():
            # On CPUs with AVX512-BF16 an evaluating layer would repack its weights with scales in bf16, and going on
            # training would pack them back rounded once more: evaluating would change the model.
            if hasattr(module, "support_avx512bf16_for_cpu"):
                module.support_avx512bf16_for_cpu = False
    return model


def count_parameters(model: Any, *, trained: bool = False) -> int:
    """Parameters as the model has them: a packed weight counts with the shape that it stands for."""
    count, seen = 0, set()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen or (trained and not parameter.requires_grad):
                continue
            seen.add(id(parameter))  # tied embeddings and head are one
            packed = (name in ("weight", "W_q") and not parameter.is_floating_point()) or hasattr(
                parameter, "quant_state"
            )
            inputs, outputs = getattr(module, "in_features", None), getattr(module, "out_features", None)
            shaped = packed and isinstance(inputs, int) and isinstance(outputs, int)
            count += inputs * outputs if shaped else parameter.numel()  # type: ignore[operator]
        if (
            not trained
            and isinstance(getattr(module, "qweight", None), torch.Tensor)
            and id(module.qweight) not in seen
        ):
            seen.add(
                id(module.qweight)
            )  # gptqmodel's layers hold buffers; peft lends the tensor to its own layer around one
            count += getattr(module, "in_features", 0) * getattr(module, "out_features", 0)
    return count


def _leave_scales(model: Any) -> None:
    """Take away what compressed-tensors leaves beside weights that are plain now: it would be saved, and read as theirs."""
    for module in model.modules():
        if hasattr(module, "quantization_scheme"):
            for name in [name for name, _ in module.named_parameters(recurse=False) if name not in ("weight", "bias")]:
                delattr(module, name)
            for name in [name for name in vars(module) if name.startswith("quantization_")]:
                delattr(module, name)
            module.weight.requires_grad_(True)


def _pack_hqq(model: Any, decided: Mapping[str, Any], plan: ModelPlan) -> None:
    """Put an HQQ layer in the place of each linear one but the head, then move the rest to the plan's device.

    transformers 5 loads no model with HQQ, so this is done with hqq's own layers, one after the other.
    """
    _must_have("hqq")
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    layers = decided.get("hqq_layers")
    base = {"nbits": decided["quantization_bit"], "group_size": GROUP, "axis": decided["hqq_axis"]}
    head = model.get_output_embeddings()
    chosen = [(name, one) for name, one in model.named_modules() if type(one) is nn.Linear and one is not head]
    used: set[str] = set()
    for name, linear in chosen:
        tag = next((tag for tag in layers if name == tag or name.endswith("." + tag)), None) if layers else None
        if layers and tag is None:
            continue
        used.add(tag or "")
        settings = {**base, **(layers[tag] if layers and tag else {})}
        _must_divide(name, linear, settings)
        parent = model.get_submodule(name.rpartition(".")[0])
        packed = HQQLinear(
            linear, BaseQuantizeConfig(**settings), compute_dtype=linear.weight.dtype, device=plan.device
        )
        if packed.bias is not None:
            packed.bias = nn.Parameter(packed.bias, requires_grad=False)
        packed.requires_grad_(False)
        setattr(parent, name.rpartition(".")[2], packed)
    if layers and (unused := sorted(set(layers) - used)):
        raise ModelError(
            f"--hqq_dynamic_config_path: {', '.join(unused[:3])} {'names' if len(unused) == 1 else 'name'} no linear layer."
            f" Layers look like {', '.join(name for name, _ in chosen[:4])}."
        )
    model.to(plan.device)


def _must_divide(name: str, linear: nn.Linear, settings: Mapping[str, Any]) -> None:
    """Groups that do not divide a layer's weights fail inside hqq with a shape error that says nothing."""
    if linear.weight.numel() % settings["group_size"]:
        raise ModelError(
            f"--quant_method hqq: {name} has {linear.weight.numel():,} weights, which groups of {settings['group_size']} do not divide."
            " Give that layer another group_size with --hqq_dynamic_config_path."
        )


def _must_have(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ModelError(f"these weights need {package}, which is not installed: pip install 'swift[quant]'")
