"""Weights in few bits: which, by what library, what an adapter over them can become, and what they weigh. Pure decisions.

``ModelPlan.quantization`` is a mapping by the names of the arguments (``quant_method``, ``quantization_bit``, …). For files that
are quantised already it has ``stored`` true, and ``expanded`` says that they become plain weights while they are loaded.
``result`` says what training leaves: ``mergeable``, or ``adapter only``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from swift.llm.catalog.quantizers import QUANTIZERS
from swift.llm.catalog.registries import MODEL_MAPPING
from swift.llm.catalog.rows import ModelRow, QuantRow
from swift.llm.plan.facts import MachineFacts, ModelFacts
from swift.llm.plan.memory import BYTES
from swift.llm.plan.problems import Problems, Reasons
from swift.llm.plan.select import size_of
from swift.utils.errors import DataError, PlanError
from swift.utils.files import read_json

__all__ = ["GROUP", "QUANT_ARGUMENTS", "check_stored", "describe", "held_bytes", "plain", "read_hqq_layers", "resolve_quantization",
           "stored_bits", "stored_method", "stored_parameters", "twin_of"]  # fmt: skip

GROUP = 64
"""Weights that share a scale: bitsandbytes' default for 4 bits, and what we ask of HQQ."""

OF_BNB_4BIT = ("bnb_4bit_comp_dtype", "bnb_4bit_quant_type", "bnb_4bit_use_double_quant", "bnb_4bit_quant_storage")
OF_HQQ = ("hqq_axis", "hqq_dynamic_config_path")
QUANT_ARGUMENTS = ("quantization_bit", "quant_method", *OF_HQQ, *OF_BNB_4BIT)
STORAGE = {"uint8": "uint8", "fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}
HQQ_KEYS = {"nbits", "group_size", "axis"}
READS_WEIGHTS = ("pissa", "olora", "loftq", "corda", "lora_ga")
"""Starts of LoRA that change the base weights, which packed ones do not allow."""

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")

EXTRA = {"bitsandbytes", "hqq", "compressed-tensors"}
"""What the extra ``quant`` of this package installs."""


def resolve_quantization(
    args: Any,
    model: ModelFacts,
    machine: MachineFacts,
    row: ModelRow,
    *,
    compute: str,
    sft_type: str | None,
    trains: bool = True,
    layers: Mapping[str, Any] | None = None,
    reasons: Reasons,
    problems: Problems,
) -> Mapping[str, Any] | None:
    """How the weights are held in few bits; None: they are plain.

    ``compute`` is the dtype of the arithmetic; ``sft_type`` the method whose adapter lies over them (None: there is none), and
    ``trains`` whether it is being trained, so that it is said what comes of it.
    ``layers`` are the settings of single layers for HQQ (`read_hqq_layers`).
    """
    if model.quantization_config:
        return _of_files(args, model, machine, row, sft_type, trains, reasons, problems)
    method = _method_of(args, problems)
    _refuse_idle(args, method, reasons, problems)
    if method is None:
        return None
    if args.quantization_bit not in method.bits:
        widths = " or ".join(str(one) for one in method.bits)
        problems.add(f"--quantization_bit {args.quantization_bit}: {method.title} takes {widths}.")
    _check_installed(method, f"--quant_method {method.name}", machine, sft_type=sft_type, problems=problems)
    _check_tuner(args, method, f"--quantization_bit {args.quantization_bit}", sft_type, problems)
    reasons.decide(
        "model.quant_method", "quant_method", args.quant_method, method.name, f"for {args.quantization_bit} bits"
    )
    experts = _in_experts(model.model_config.get("text_config", model.model_config)) > 0
    where = reasons.sources.get("quantization_bit", "default")
    why = f"{where}; its experts lie in one tensor a layer, which stays as it is: only the linear layers get smaller"
    reasons.note("model.quantization_bit", why if experts else where)
    decided: dict[str, Any] = {"quant_method": method.name, "quantization_bit": args.quantization_bit}
    if method.name == "hqq":
        decided |= _of_hqq(args, layers, reasons, problems)
    if method.name == "bnb" and args.quantization_bit == 4:
        decided |= _of_bnb(args, compute, reasons, problems)
    if sft_type is not None and trains:
        decided["result"] = "mergeable"
        reasons.note("model.result", "the adapter is saved; merge-lora folds it into this model's plain weights, which the rounded"
                     " ones stand for here, so it answers nearly as in training")  # fmt: skip
    return decided


def plain(quantization: Mapping[str, Any] | None) -> bool:
    """Whether the files hold, or become while they are loaded, plain weights: an adapter can then be folded into them."""
    return quantization is None or not quantization.get("stored") or bool(quantization.get("expanded"))


def stored_method(config: Mapping[str, Any]) -> QuantRow | None:
    """The row of a ``quantization_config``; None for a method that no row knows."""
    name = str(
        config.get("quant_method") or ("bnb" if config.get("load_in_4bit") or config.get("load_in_8bit") else "")
    )
    return next((row for row in QUANTIZERS if name.lower() in (row.name, *row.spellings)), None)


def stored_bits(config: Mapping[str, Any]) -> int | None:
    """The bits of a weight by a ``quantization_config``, None where it does not say."""
    if config.get("load_in_4bit") or config.get("load_in_8bit"):
        return 4 if config.get("load_in_4bit") else 8
    groups = config.get("config_groups")
    if isinstance(groups, Mapping):
        told = [(group.get("weights") or {}).get("num_bits") for group in groups.values() if isinstance(group, Mapping)]
        return max((bits for bits in told if isinstance(bits, int)), default=None)
    for key in ("bits", "w_bit", "nbits", "nbits_per_codebook"):
        if isinstance(config.get(key), int):
            return int(config[key])
    name = str(config.get("quant_method"))
    return 8 if "fp8" in name else 4 if "fp4" in name else None


def twin_of(row: ModelRow, rows: Iterable[ModelRow] | None = None) -> ModelRow | None:
    """The plain checkpoint that a quantised one was made from: same family, size, task and tags.

    Of several the one whose name begins most alike; where no plain one exists, one in FP8 or the like, which becomes plain while
    it is loaded. None where the catalog has none.
    """
    if row.quant is None:
        return None
    known = [
        one for one in (MODEL_MAPPING.values() if rows is None else rows)
        if (one.family, one.task, one.modality, size_of(one)) == (row.family, row.task, row.modality, size_of(row))
    ]  # fmt: skip
    for alike in (
        [one for one in known if one.quant is None],
        [one for one in known if one is not row and _expands(one)],
    ):
        stems = [one for one in alike if _begins(row.model_type, one.model_type)]
        if stems:
            return max(stems, key=lambda one: len(one.model_type))
        if len(alike) == 1 and alike[0].quant is None:
            return alike[0]
    return None


def describe(quantization: Mapping[str, Any] | None) -> str | None:
    """``bitsandbytes 4-bit``, None for plain weights."""
    if quantization is None or quantization.get("expanded"):
        return None
    bits = quantization.get("quantization_bit")
    return f"{_title(quantization)} {bits}-bit" if bits else _title(quantization)


def check_stored(quantization: Mapping[str, Any] | None, row: ModelRow, path: str, problems: Problems) -> None:
    """Refuse to fold an adapter into packed weights."""
    if not plain(quantization):
        problems.add(f"{path}: {_title(quantization)} weights are packed, and an adapter cannot be folded into them."
                     f" {_with_twin(row, 'Fold it into the plain model that they were made from')}")  # fmt: skip


def read_hqq_layers(path: str | Path) -> dict[str, Any]:
    """The settings of single layers: ``{"self_attn.q_proj": {"nbits": 8, "group_size": 64}}``. Raises PlanError."""
    try:
        layers = read_json(Path(path))
    except DataError as error:
        raise PlanError([f"--hqq_dynamic_config_path: {error}"]) from None
    wrong: list[str] = []
    if not isinstance(layers, dict) or not layers:
        wrong.append(f"--hqq_dynamic_config_path {path}: an object of layers is expected, such as"
                     ' {"self_attn.q_proj": {"nbits": 8, "group_size": 64}}.')  # fmt: skip
        layers = {}
    hqq = next(row for row in QUANTIZERS if row.name == "hqq")
    for name, settings in layers.items():
        if not isinstance(settings, dict) or set(settings) - HQQ_KEYS or settings.get("nbits", 4) not in hqq.bits:
            wrong.append(f"--hqq_dynamic_config_path {path}: {name} is {json.dumps(settings)}; nbits ({', '.join(map(str, hqq.bits))}),"
                         " group_size and axis are expected.")  # fmt: skip
    if wrong:
        raise PlanError(wrong)
    return layers


def held_bytes(config: Mapping[str, Any], num_parameters: int, dtype: str, quantization: Mapping[str, Any]) -> int:
    """Bytes of the weights as they are held: packed layers with their scales; embeddings, head and experts in ``dtype``."""
    if quantization.get("expanded"):
        return num_parameters * BYTES[dtype]
    if quantization.get("stored") and quantization.get("weight_bytes"):
        return int(quantization["weight_bytes"])
    text = config.get("text_config", config)
    table = int(text.get("vocab_size") or 0) * int(text.get("hidden_size") or 0)
    tables = table * (1 if config.get("tie_word_embeddings", True) else 2)
    whole = min(num_parameters, tables + _in_experts(text))
    bits = quantization["quantization_bit"] or 16
    if quantization["quant_method"] == "bnb" and bits == 4:
        scale = (1 + 4 / 256) / GROUP if quantization.get("bnb_4bit_use_double_quant") else 4 / GROUP
    elif quantization["quant_method"] == "hqq":
        scale = 2 * BYTES[dtype] / GROUP  # a scale and a zero for each group
        bits = 3.2 if bits == 3 else bits  # ten weights in 32 bits
    else:
        scale = 0.0  # one for each row of a matrix
    return int(whole * BYTES[dtype] + (num_parameters - whole) * (bits / 8 + scale))


def stored_parameters(model: ModelFacts) -> int | None:
    """About how many parameters quantised files stand for: their packed integers are not counted one by one."""
    bits = stored_bits(model.quantization_config or {})
    return model.weight_bytes * 8 // bits if model.weight_bytes and bits else None


def _in_experts(text: Mapping[str, Any]) -> int:
    """Parameters of experts. All experts of a layer are one tensor, which no method packs while loading: only linear layers."""
    num = next((int(text[key]) for key in EXPERTS if isinstance(text.get(key), int)), 0)
    width, inner = (
        int(text.get("hidden_size") or 0),
        text.get("moe_intermediate_size") or text.get("intermediate_size") or 0,
    )
    return num * 3 * width * int(inner) * int(text.get("num_hidden_layers") or 0)


def _method_of(args: Any, problems: Problems) -> QuantRow | None:
    """The method that quantises while loading, None where nothing asks for one."""
    rows = {row.name: row for row in QUANTIZERS}
    named = rows.get(args.quant_method) if args.quant_method else None
    if named is not None and not named.bits:
        problems.add(f"--quant_method {named.name}: says that the files are quantised already, and config.json of this model states no"
                     " quantization_config. Leave it out; bnb, hqq and eetq quantise while loading.")  # fmt: skip
        return None
    if not args.quantization_bit:
        if named is not None:
            widths = " or ".join(str(bits) for bits in named.bits)
            problems.add(
                f"--quant_method {named.name}: has an effect only with --quantization_bit {widths}. Add it, or leave this out."
            )
        return None
    return named or rows["bnb" if args.quantization_bit in rows["bnb"].bits else "hqq"]


def _refuse_idle(args: Any, method: QuantRow | None, reasons: Reasons, problems: Problems) -> None:
    """Settings of another method than the one in use would be ignored."""
    four = method is not None and method.name == "bnb" and args.quantization_bit == 4
    for names, active, needed in (
        (OF_BNB_4BIT, four, "--quantization_bit 4 of bnb"),
        (OF_HQQ, method is not None and method.name == "hqq", "--quant_method hqq with --quantization_bit"),
    ):
        idle = [name for name in names if _given(name, reasons)] if not active else []
        if idle:
            problems.add(
                f"{', '.join('--' + name for name in idle)}: has an effect only with {needed}. Leave it out, or add that."
            )


def _given(name: str, reasons: Reasons) -> bool:
    return not reasons.sources.get(name, "checkpoint").startswith("checkpoint")


def _of_bnb(args: Any, compute: str, reasons: Reasons, problems: Problems) -> dict[str, Any]:
    storage = args.bnb_4bit_quant_storage
    if storage is not None and storage not in (*STORAGE, *STORAGE.values()):
        problems.add(f"--bnb_4bit_quant_storage {storage}: choose one of {', '.join(STORAGE)}.")
    asked = None if args.bnb_4bit_comp_dtype == "AUTO" else args.bnb_4bit_comp_dtype
    return {
        "bnb_4bit_comp_dtype": reasons.decide(
            "model.bnb_4bit_comp_dtype", "bnb_4bit_comp_dtype", asked, compute, "the dtype of the arithmetic"
        ),
        "bnb_4bit_quant_type": reasons.take("model.bnb_4bit_quant_type", "bnb_4bit_quant_type", args.bnb_4bit_quant_type),
        "bnb_4bit_use_double_quant": args.bnb_4bit_use_double_quant,
        "bnb_4bit_quant_storage": STORAGE.get(storage, storage),
    }  # fmt: skip


def _of_hqq(args: Any, layers: Mapping[str, Any] | None, reasons: Reasons, problems: Problems) -> dict[str, Any]:
    axis = reasons.take("model.hqq_axis", "hqq_axis", args.hqq_axis)
    if args.device_map_config is not None:
        problems.add(
            "--device_map_config with --quant_method hqq: its layers are made on one device. Leave one of them out."
        )
    return {"hqq_axis": axis} if layers is None else {"hqq_axis": axis, "hqq_layers": dict(layers)}


def _check_installed(
    method: QuantRow, what: str, machine: MachineFacts, *, sft_type: str | None, problems: Problems
) -> None:
    if method.gpu and not machine.gpus:
        other = " Use --quant_method bnb, which runs on a CPU." if method.bits else ""
        problems.add(f"{what}: {method.title} needs a CUDA GPU, and this machine has none.{other}")
    for text in (*method.requires, *(method.adapter_requires if sft_type is not None else ())):
        wanted = Requirement(text)
        found = machine.versions.get(wanted.name)
        install = "pip install 'swift[quant]'" if wanted.name in EXTRA else f"pip install '{text}'"
        if found is None:
            problems.add(f"{what}: {method.title} needs {wanted.name}, which is not installed: {install}")
        elif not wanted.specifier.contains(found, prereleases=True):
            problems.add(f"{what}: {method.title} needs {text}, and {found} is installed: {install}")


def _check_tuner(args: Any, method: QuantRow, what: str, sft_type: str | None, problems: Problems) -> None:
    """Only methods that leave the packed weights alone can train over them."""
    if sft_type is None or sft_type in method.adapters:
        start = str(getattr(args, "init_lora_weights", "true")).lower()
        if sft_type in ("lora", "longlora") and start.startswith(READS_WEIGHTS):
            problems.add(
                f"--init_lora_weights {start} with {what}: it changes the base weights, and these are packed. Use true or gaussian."
            )
        return
    title = f"packed {method.title} weights" if sft_type == "full" else f"{method.title} weights"
    why = f"{title} cannot be trained themselves" if sft_type == "full" else f"it does not work over {title}"
    ready = f"Use --sft_type {' or '.join(method.adapters)}" if method.adapters else "Use plain weights"
    problems.add(f"--sft_type {sft_type} with {what}: {why}. {ready}.")


def _of_files(
    args: Any, model: ModelFacts, machine: MachineFacts, row: ModelRow, sft_type: str | None, trains: bool, reasons: Reasons,
    problems: Problems,
) -> Mapping[str, Any] | None:  # fmt: skip
    """What the files hold, and whether this machine can work with it."""
    config = model.quantization_config or {}
    method, bits = stored_method(config), stored_bits(config)
    if method is None or (method.name in ("hqq", "eetq")):
        name = method.title if method is not None else str(config.get("quant_method"))
        problems.add(f"{model.path}: its weights are quantised by {name}, and this version cannot load such files."
                     f" {_with_twin(row, 'Use the plain model')}")  # fmt: skip
        return None
    what = f"{model.path}: its weights are {method.title}{f' {bits}-bit' if bits else ''}"
    given = [name for name in QUANT_ARGUMENTS if name != "quant_method" and _given(name, reasons)]
    if args.quantization_bit or given:
        told = given or ["quantization_bit"]
        problems.add(f"{', '.join('--' + name for name in told)}: {what[len(model.path) + 2 :]} already, and are not quantised again."
                     " Leave it out.")  # fmt: skip
    if args.quant_method not in (None, method.name):
        problems.add(
            f"--quant_method {args.quant_method}: {what[len(model.path) + 2 :]}, says config.json. Leave it out."
        )
    expanded = method.expands and (sft_type is not None or not machine.gpus or method.name == "compressed-tensors")
    _check_installed(method, what, machine, sft_type=sft_type, problems=problems)
    if not expanded:
        _check_tuner(args, method, what[len(model.path) + 2 :], sft_type, problems)
    reasons.note("model.quant_method", "config.json: quantization_config")
    decided = {"quant_method": method.name, "quantization_bit": bits, "stored": True, "expanded": expanded,
               "weight_bytes": model.weight_bytes}  # fmt: skip
    if expanded:
        reasons.note(
            "model.expanded", "the weights become plain ones while they are loaded, and take the memory of plain ones"
        )
    if sft_type is not None and trains:
        decided["result"] = "mergeable" if expanded else "adapter only"
        reasons.note("model.result", "what is trained and merged are the plain weights that the files expand to" if expanded else
                     "an adapter over packed weights cannot be merged or exported with them. "
                     + _with_twin(row, "To get whole weights in the end, train over the plain model"))  # fmt: skip
    return decided


def _with_twin(row: ModelRow, what: str) -> str:
    """``what`` to do with the plain twin, by its name where the catalog has it."""
    twin = twin_of(row)
    if twin is None:
        return f"{what}: --model_id_or_path ID_OR_FOLDER."
    place = twin.hf or twin.ms or twin.path
    return f"{what}: --model_type {twin.model_type} ({place})." if place else f"{what}: --model_type {twin.model_type}."


def _title(quantization: Mapping[str, Any] | None) -> str:
    name = (quantization or {}).get("quant_method")
    return next((row.title for row in QUANTIZERS if row.name == name), str(name))


def _expands(row: ModelRow) -> bool:
    return row.quant is not None and any(one.expands and one.name == row.quant[0] for one in QUANTIZERS)


def _begins(name: str, stem: str) -> bool:
    """Whether ``name`` is ``stem`` and more words: qwen2_5-7b-instruct-awq begins with qwen2_5-7b-instruct."""
    return name.casefold().startswith(stem.casefold()) and name[len(stem) : len(stem) + 1] in ("-", "_")
