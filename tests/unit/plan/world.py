"""A small invented world for the resolvers: a machine, a model, a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from swift.llm.arguments.commands import SftArguments
from swift.llm.catalog.registries import TUNER_MAPPING
from swift.llm.catalog.rows import ModelRow, TunerRow
from swift.llm.plan.facts import GpuFacts, MachineFacts, ModelFacts
from swift.llm.plan.plans import TrainPlan
from swift.llm.plan.train import TrainFacts, resolve_train

CPU = MachineFacts(num_cores=2, memory_gib=16.0, cpu_bf16=True, versions={"torch": "2.13.0"})
GPU = replace(CPU, gpus=(GpuFacts(name="Big GPU", memory_gib=80.0, bf16=True),))
OLD_GPU = replace(CPU, gpus=(GpuFacts(name="Old GPU", memory_gib=16.0, bf16=False),))
CONFIG = {
    "architectures": ["Qwen2ForCausalLM"], "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128,
    "vocab_size": 1000, "max_position_embeddings": 4096,
}  # fmt: skip
MODEL = ModelFacts(
    path="/models/tiny", architecture="Qwen2ForCausalLM", model_config=CONFIG, num_parameters=150_000,
    max_position_embeddings=4096,
)  # fmt: skip
ROW = ModelRow(
    model_type="tiny-chat", family="tiny", architectures=("Qwen2ForCausalLM",), template="chatml", lora_targets=("q_proj", "v_proj"),
)  # fmt: skip
TEMPLATES = {"chatml": object(), "default-generation": object()}
TUNERS = {**TUNER_MAPPING, "later": TunerRow(name="later", title="A method to come", tuner=None, status="planned")}


def resolve(
    command: str = "sft",
    *,
    machine: MachineFacts = CPU,
    model: ModelFacts = MODEL,
    row: ModelRow = ROW,
    args: Any = None,
    sources: dict[str, str] | None = None,
    **given: Any,
) -> TrainPlan:
    """The plan of ``swift sft`` with these arguments given as flags, in the invented world."""
    given = {"dataset": ("mine",), **given}
    args = SftArguments(**given) if args is None else args
    facts = TrainFacts(machine=machine, model=model, run_dir="/runs/v0", run_dir_reason="the next free version")
    where = {name: f"flag --{name}" for name in given} if sources is None else sources
    return resolve_train(command, args, where, facts, row, "named", templates=TEMPLATES, tuners=TUNERS)
