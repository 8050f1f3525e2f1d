"""What the world is: the machine, a model's folder, a checkpoint. The only reading of the world that plans rest on.

Reads small text files and the headers of weight files; no weight, no torch, no network. Decides nothing.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, TypeAlias

from swift.llm.plan.weights import read_weights
from swift.tuners.lora.older import find_older, older_config
from swift.utils import environ
from swift.utils.errors import CheckpointError, DataError, ModelError, PlanError
from swift.utils.files import read_json
from swift.utils.hub import is_hub_id, recorded_id
from swift.utils.manifest import MANIFEST, check_manifest
from swift.utils.memory import total_bytes

GIB = 2**30
PACKAGES = (
    "torch", "transformers", "peft", "trl", "accelerate", "datasets", "tokenizers", "safetensors", "numpy",
    "huggingface_hub", "modelscope-hub", "flash-attn", "flash-attn-3", "bitsandbytes", "deepspeed", "liger-kernel", "vllm", "lmdeploy",
    "tensorboard", "matplotlib", "wandb", "swanlab", "mlflow", "comet-ml",
    "clearml", "neptune", "dvclive", "codecarbon", "trackio", "torchao", "schedulefree", "torch-optimi", "grokadamw",
    "torchdistx", "torch_xla", "torch_npu", "hqq", "eetq", "kernels", "optimum", "gptqmodel", "aqlm",
    "compressed-tensors", "fbgemm-gpu", "unsloth",
)  # fmt: skip
"""Packages whose versions a plan may rest on; those not installed are absent from ``MachineFacts.versions``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    """One CUDA device that this process may use. ``bf16``: it multiplies bfloat16 natively."""

    name: str
    memory_gib: float
    bf16: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """The machine as this process may use it: cores and memory after container limits.

    ``cpu_bf16``: the CPU has instructions that multiply bfloat16 (AVX512-BF16, AMX, ARMv8.6 BF16). ``mps``: an Apple GPU.
    """

    num_cores: int
    memory_gib: float
    gpus: tuple[GpuFacts, ...] = ()
    cpu_bf16: bool = False
    mps: bool = False
    platform: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


Pooling: TypeAlias = Literal["mean", "last", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model's folder. ``num_parameters``, ``weight_bytes``, ``weight_dtype`` are None where the weights are not there yet.

    ``hub_id`` is what the folder was asked for by (``use_hf``: of Hugging Face, else ModelScope); ``recorded_id`` what the folder itself says it is a copy of.
    ``max_position_embeddings`` is in tokens. ``is_adapter``: an adapter lies in the same folder.
    ``pooling``: how it makes one vector of a text (`read_pooling`), None for a model that only answers.
    """

    path: str
    hub_id: str | None = None
    use_hf: bool = False
    recorded_id: str | None = None
    architecture: str
    model_config: Mapping[str, Any] = field(default_factory=dict)
    generation_config: Mapping[str, Any] = field(default_factory=dict)
    chat_template: str | None = None
    num_parameters: int | None = None
    weight_bytes: int | None = None
    weight_dtype: str | None = None
    quantization_config: Mapping[str, Any] | None = None
    max_position_embeddings: int | None = None
    has_tokenizer: bool = True
    is_adapter: bool = False
    pooling: Pooling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFacts:
    """A checkpoint that training wrote. ``problems``: one sentence for each file that is missing, cut short or changed.

    ``older``: an adapter in the layout of the 2.x line's own backend; ``adapter_config`` then has peft's names all the same.
    """

    path: str
    kind: Literal["adapter", "full"]
    older: bool = False
    sft_args: Mapping[str, Any] | None = None
    plan: Mapping[str, Any] | None = None
    adapter_config: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()


def gather_machine() -> MachineFacts:
    """Look at this machine, without importing torch where a driver's own files or tools can say it."""
    versions = installed_versions(PACKAGES)
    return MachineFacts(
        num_cores=_num_cores(),
        memory_gib=(total_bytes() or 0) / GIB,
        gpus=_gpus() if "torch" in versions and _torch_has_cuda(versions["torch"]) else (),
        cpu_bf16=_cpu_has_bf16(_read_text(Path("/proc/cpuinfo"))),
        mps=platform.system() == "Darwin" and platform.machine() == "arm64",
        platform=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        versions=versions,
    )


def gather_model(folder: str | os.PathLike[str], hub_id: str | None = None, *, need_weights: bool = True) -> ModelFacts:
    """Read a local model folder; weights may be absent where it came from a hub (``hub_id``), or where nobody needs them.

    Raises ModelError where the folder is not a model, or its configuration or its weights cannot be used.
    """
    root = Path(folder)
    _must_be_model(root)
    config = _read_config(root / "config.json")
    architectures = config.get("architectures")
    if not (isinstance(architectures, list) and architectures and isinstance(architectures[0], str)):
        raise ModelError(
            f"{root / 'config.json'}: names no model class ('architectures' is {architectures!r}, a list with one name is"
            " expected). Copy the file from the original model."
        )
    weights = read_weights(root, required=need_weights and (hub_id is None or not is_hub_id(hub_id)))
    # Models that read media state it of their language model; older files of compressed-tensors by another name.
    text = _mapping(config.get("text_config")) or {}
    quantization = next(
        (
            found
            for part in (config, text)
            for key in ("quantization_config", "compression_config")
            if (found := _mapping(part.get(key)))
        ),
        None,
    )
    return ModelFacts(
        path=str(root.absolute()),
        hub_id=hub_id,
        recorded_id=recorded_id(root),
        architecture=architectures[0],
        model_config=config,
        generation_config=_read_config(root / "generation_config.json", optional=True),
        chat_template=read_chat_template(root),
        # Packed integers are not parameters one by one.
        num_parameters=weights.num_parameters if weights and not quantization else None,
        weight_bytes=weights.num_bytes if weights else None,
        weight_dtype=weights.dtype if weights else None,
        quantization_config=quantization,
        max_position_embeddings=_max_positions(config),
        has_tokenizer=_has_tokenizer(root),
        is_adapter=(root / "adapter_config.json").is_file(),
        pooling=read_pooling(root),
    )


def gather_checkpoint(folder: str | os.PathLike[str]) -> CheckpointFacts:
    """Read a checkpoint folder; damage is told in ``problems``. Raises CheckpointError where it is not a checkpoint."""
    root = Path(folder)
    if not root.is_dir():
        raise CheckpointError(
            f"{root}: there is no such folder. Give the checkpoint-<step> folder that training wrote."
        )
    older = find_older(root)
    adapter = older is not None or (root / "adapter_config.json").is_file()
    if not adapter and not (root / "config.json").is_file():
        inside = sorted(
            child.name for child in root.iterdir() if child.is_dir() and child.name.startswith("checkpoint-")
        )
        hint = f" It holds {', '.join(inside[-3:])}: give one of them." if inside else ""
        raise CheckpointError(f"{root}: not a checkpoint: neither adapter_config.json nor config.json is there.{hint}")
    problems = list(check_manifest(root)) if (root / MANIFEST).is_file() else []
    read: dict[str, Mapping[str, Any] | None] = {}
    for name in ("sft_args.json", "plan.json", "adapter_config.json"):
        try:
            read[name] = _read_config(root / name, optional=True) or None
        except ModelError as error:
            read[name] = None
            problems.append(str(error))
    if older is not None:
        read["adapter_config.json"] = older_config(older)
    return CheckpointFacts(
        path=str(root.absolute()),
        kind="adapter" if adapter else "full",
        older=older is not None,
        sft_args=read["sft_args.json"],
        plan=read["plan.json"],
        adapter_config=read["adapter_config.json"],
        problems=tuple(problems),
    )


def holds_adapter(folder: Path) -> bool:
    """Whether a folder is the checkpoint of an adapter, in peft's layout or in the older own one. Raises CheckpointError."""
    return (folder / "adapter_config.json").is_file() or find_older(folder) is not None


def installed_versions(packages: tuple[str, ...]) -> dict[str, str]:
    """The versions of those packages that are installed, from their metadata; nothing is imported."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def free_gib(path: str | os.PathLike[str]) -> float:
    """Free space (GiB) where ``path`` is, or will be made."""
    place = Path(path).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free / GIB


def read_keys(flag: str, path: str) -> list[str]:
    """The keys in the file that ``--flag`` names, one a line; empty lines and those that begin with # are none.

    Raises PlanError for a file that cannot be read, and for a line that cannot be a key.
    """
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError([f"--{flag} {path}: cannot be read ({error})."]) from None
    for number, line in enumerate(lines, 1):
        if not line.startswith("#") and len(line.split()) > 1:
            raise PlanError([f"--{flag} {path}:{number}: a key holds no blanks. A comment has a line of its own."])
    return [line for line in lines if line and not line.startswith("#")]


def read_pooling(root: Path) -> Pooling | None:
    """How a model for embeddings makes one vector of many, as sentence-transformers writes it down; None: it is not one."""
    modes = _read_config(root / "1_Pooling" / "config.json", optional=True)
    if not modes:
        return None
    return (
        "mean" if modes.get("pooling_mode_mean_tokens") else "last" if modes.get("pooling_mode_lasttoken") else "other"
    )


def read_chat_template(root: Path) -> str | None:
    """The folder's chat template: its own file first (as transformers writes it), then the tokenizer's configuration."""
    jinja = root / "chat_template.jinja"
    if jinja.is_file():
        return _required_text(jinja)
    for name in ("chat_template.json", "tokenizer_config.json"):
        found = _read_config(root / name, optional=True).get("chat_template")
        if isinstance(found, str):
            return found
        if isinstance(found, list):  # several by name; "default" is the one for chats
            named = {entry["name"]: entry["template"] for entry in found if isinstance(entry, dict) and "name" in entry}
            return named.get("default")
    return None


def _must_be_model(root: Path) -> None:
    if not root.exists():
        raise ModelError(
            f"{root}: there is no such folder. Give a folder with config.json and *.safetensors, or a hub id."
        )
    if not root.is_dir():
        raise ModelError(f"{root}: a file, not a folder. Give the folder that holds config.json and the weights.")
    try:
        names = sorted(child.name for child in root.iterdir())
    except PermissionError:
        raise ModelError(f"{root}: no permission to read this folder. Change its permissions, or copy it.") from None
    if "config.json" in names:
        return
    if "adapter_config.json" in names:
        base = _read_config(root / "adapter_config.json").get("base_model_name_or_path")
        raise ModelError(
            f"{root}: an adapter, not a whole model (its base is {base!r}). Give the base as --model_id_or_path; to try the"
            f" adapter: swift infer --ckpt_dir {root}"
        )
    told = f"it holds {', '.join(names[:6])}{', …' if len(names) > 6 else ''}" if names else "it is empty"
    raise ModelError(
        f"{root}: not a model: config.json is missing ({told}). Give the folder that holds config.json and the weights."
    )


def _read_config(path: Path, *, optional: bool = False) -> dict[str, Any]:
    """A JSON object from a model's folder; {} where an optional file is absent."""
    if optional and not path.is_file():
        return {}
    try:
        value = read_json(path)
    except DataError as error:
        raise ModelError(f"{error}. Copy this file again from where the model came from.") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path}: a JSON object is expected, found {type(value).__name__}. Copy this file again.")
    return value


def _required_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}. Copy this file again.") from None


def _read_text(path: Path) -> str:
    """The text of a file that this system may not have."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _mapping(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) and value else None


def _max_positions(config: Mapping[str, Any]) -> int | None:
    """Families name the length of their context differently."""
    for holder in (config, config.get("text_config")):
        for key in (
            "max_position_embeddings",
            "n_positions",
            "seq_length",
            "max_seq_len",
            "max_sequence_length",
        ):
            value = holder.get(key) if isinstance(holder, dict) else None
            if isinstance(value, int) and value > 0:
                return value
    return None


def _has_tokenizer(root: Path) -> bool:
    return any(
        (root / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json")
    )


def _num_cores() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read_text(Path("/sys/fs/cgroup/cpu.max")).partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        allowed = min(allowed, max(1, round(int(quota) / int(period))))
    return allowed


def _cpu_has_bf16(cpuinfo: str) -> bool:
    match = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    return bool(match and {"avx512_bf16", "amx_bf16", "bf16"} & set(match.group(1).split()))


def _torch_has_cuda(version: str) -> bool:
    """Whether the installed torch was built for CUDA, from its generated ``torch/version.py``; torch is not imported."""
    if version.endswith("+cpu"):
        return False
    text = _read_text(Path(str(metadata.distribution("torch").locate_file("torch/version.py"))))
    found = re.search(r"^cuda\b[^=]*=\s*(\S+)", text, re.MULTILINE)
    return bool(found and found.group(1) != "None")


def _gpus() -> tuple[GpuFacts, ...]:
    """The CUDA devices this process may see, asked of the driver's tool, or of torch where only the devices are there."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return _gpus_by_torch() if Path("/dev/nvidia0").exists() or Path("/dev/dxg").exists() else ()
    query = "--query-gpu=index,uuid,name,memory.total,compute_cap"
    try:
        answer = subprocess.run(
            [tool, query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):  # a driver that does not answer gives no GPU to train on
        return ()
    return parse_gpus(answer, environ.CUDA_VISIBLE_DEVICES.read())


def parse_gpus(answer: str, visible: str | None) -> tuple[GpuFacts, ...]:
    """Read ``index, uuid, name, MiB, compute capability`` lines; ``visible`` filters and orders as CUDA does."""
    rows = [[cell.strip() for cell in line.split(",")] for line in answer.splitlines() if line.count(",") >= 4]
    facts = {
        (index, uuid): GpuFacts(name=name, memory_gib=float(mib) / 1024, bf16=float(capability) >= 8.0)
        for index, uuid, name, mib, capability in (row[:5] for row in rows)
        if re.fullmatch(r"[\d.]+", mib) and re.fullmatch(r"[\d.]+", capability)
    }
    if visible is None:
        return tuple(facts.values())
    chosen = []
    for entry in (part.strip() for part in visible.split(",")):
        matching = [gpu for (index, uuid), gpu in facts.items() if entry and (entry == index or uuid.startswith(entry))]
        if not matching:
            break  # CUDA stops at the first entry that it does not know
        chosen.append(matching[0])
    return tuple(chosen)


def _gpus_by_torch() -> tuple[GpuFacts, ...]:
    import torch  # only where a device file exists and no tool describes it

    properties = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return tuple(GpuFacts(name=one.name, memory_gib=one.total_memory / GIB, bf16=one.major >= 8) for one in properties)


__all__ = [
    "CheckpointFacts",
    "GpuFacts",
    "MachineFacts",
    "ModelFacts",
    "free_gib",
    "gather_checkpoint",
    "gather_machine",
    "gather_model",
    "holds_adapter",
    "installed_versions",
    "parse_gpus",
    "read_chat_template",
    "read_keys",
]
