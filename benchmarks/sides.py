"""The same fine-tuning for all sides of `training.py`: rows, model, clock, and the trainer of each side.

``swift`` is ours as it comes (flat batches), ``swift_packed`` and ``swift_padded`` with packs and with padding; ``trl`` and ``peft`` compute what
ours does, without recomputation, ``trl_default`` recomputes activations, as trl does unless told otherwise, ``trl_packed`` packs.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
EOS = 2
WARM_UP = 2
RATE, BETAS, DECAY = 1e-4, (0.9, 0.95), 0.1
RANK, ALPHA = 8, 32
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
Row = tuple[list[int], list[bool]]

SHAPES: dict[str, dict[str, Any]] = {
    "150m": {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 14, "num_attention_heads": 12, "num_key_value_heads": 12,
             "vocab_size": 32256},
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
           "vocab_size": 32256},
    "30m": {"hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 12, "num_attention_heads": 6, "num_key_value_heads": 2,
            "vocab_size": 32256, "model_type": "qwen2", "tie_word_embeddings": True},
}  # fmt: skip
"""Configurations of random weights; a Llama's unless they say what else."""


def default_data() -> list[Path]:
    """Grade-school problems and short instructions, where they lie beside the checkout."""
    return [SHARED / "sft" / "gsm8k_train.jsonl", SHARED / "sft" / "alpaca_en_demo.json"]


def tokenizer_file(model: str) -> Path:
    """The tokenizer of a model's folder; for random weights one of 32 thousand tokens, else the embedded one."""
    from swift.demo import MODEL

    near = SHARED / "tokenizers" / "deepseek-coder-instruct" / "tokenizer.json"
    if model in SHAPES:
        return near if near.is_file() else MODEL / "tokenizer.json"
    return (MODEL if model == "demo" else Path(model)) / "tokenizer.json"


def read_rows(model: str, files: list[Path], max_length: int, limit: int) -> list[Row]:
    """(input_ids, trained) of the first rows of all files in turn: question, answer, end."""
    from tokenizers import Tokenizer

    def texts(file: Path) -> list[tuple[str, str]]:
        text = file.read_text(encoding="utf-8")
        rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
        pairs = []
        for row in rows[:limit]:
            question = row.get("instruction") or row.get("question") or row.get("query")
            pairs.append(
                (
                    f"{question}\n{row.get('input') or ''}".strip(),
                    row.get("output") or row.get("answer") or row["response"],
                )
            )
        return pairs

    tokenizer = Tokenizer.from_file(str(tokenizer_file(model)))
    made: list[Row] = []
    mixed = (pair for pair in chain.from_iterable(zip_longest(*map(texts, files))) if pair is not None)
    for question, answer in mixed:
        prompt = tokenizer.encode(f"### Instruction:\n{question}\n### Response:\n").ids
        ids = [*prompt, *tokenizer.encode(answer, add_special_tokens=False).ids, EOS][:max_length]
        if len(ids) > len(prompt):
            made.append((ids, [False] * len(prompt) + [True] * (len(ids) - len(prompt))))
        if len(made) == limit:
            break
    return made


def prepare_rows(options: argparse.Namespace, packs: int = 1) -> list[Row]:
    """As many rows as the run takes, where the files hold them; ``packs`` of them may become one."""
    wanted = options.batch_size * options.accumulation * (options.steps + WARM_UP) * packs
    return read_rows(options.model, options.data or default_data(), options.max_length, wanted)


def config_of(model: str) -> Any:
    """The configuration of one of ``SHAPES``, of the embedded model (demo), or of a folder."""
    from transformers import AutoConfig

    from swift.demo import MODEL

    if model not in SHAPES:
        return AutoConfig.from_pretrained(MODEL if model == "demo" else model)
    common = {"max_position_embeddings": 4096, "bos_token_id": 1, "eos_token_id": EOS, "pad_token_id": EOS}
    return AutoConfig.for_model(**{"model_type": "llama", "tie_word_embeddings": False, **common, **SHAPES[model]})


def make_model(options: argparse.Namespace, attention: str) -> Any:
    """The model in the dtype of its weights: half precision where they are frozen, fp32 where they are trained."""
    import torch
    from transformers import AutoModelForCausalLM

    half = options.dtype == "bf16" and options.tuner == "lora"
    dtype = torch.bfloat16 if half else torch.float32
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.model not in SHAPES:
        from swift.demo import MODEL

        folder = MODEL if options.model == "demo" else Path(options.model)
        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention)
        return loaded.to(device)
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config_of(options.model), attn_implementation=attention, dtype=dtype)
    torch.set_default_dtype(torch.float32)
    return model


class Clock:
    """Wall and CPU seconds and useful tokens of the steps after the warm-up."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._step_size = options.batch_size * options.accumulation
        self._num_steps = options.steps + WARM_UP
        self._start: tuple[float, ...] | None = None
        self.steps = 0
        self.losses: list[float] = []

    def reads(self, lengths: Sequence[int]) -> None:
        """The tokens of each row or pack, in the order in which they are read. Raises SystemExit where there are too few."""
        wanted = self._step_size * self._num_steps
        if len(lengths) < wanted:
            raise SystemExit(
                f"{wanted} rows or packs are needed, and there are {len(lengths)}; give more rows with --data"
            )
        self._ends = np.cumsum(lengths)

    def step_ends(self) -> None:
        """Called after each optimiser step."""
        import torch

        self.steps += 1
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._end = (time.perf_counter(), time.process_time(), used.ru_stime, float(used.ru_minflt))
        if self.steps == WARM_UP:
            self._start = self._end

    def result(self) -> dict[str, float]:
        """Tokens a second, seconds of the processor a thousand tokens, peak memory."""
        import torch

        assert self._start is not None
        wall, cpu, system, faults = (end - start for end, start in zip(self._end, self._start, strict=True))
        tokens = int(self._ends[self.steps * self._step_size - 1] - self._ends[WARM_UP * self._step_size - 1])
        found = {
            "tokens": tokens,
            "tokens_per_wall_second": tokens / wall,
            "tokens_per_cpu_second": tokens / cpu,
            "cpu_seconds_per_1000_tokens": 1000 * cpu / tokens,
            "peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            "system_share": system / cpu,
            "page_faults_per_step": faults / (self.steps - WARM_UP),
            "loss": self.losses[-1],
        }
        if torch.cuda.is_available():
            found["peak_gpu_gib"] = torch.cuda.max_memory_allocated() / 2**30
        return found


def watch(clock: Clock) -> Any:
    """The clock as a callback of transformers, which every side's loop calls."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.step_ends()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if "loss" in logs:
                clock.losses.append(logs["loss"])

    return Watch()


def swift_trainer(
    options: argparse.Namespace, rows: list[Row], clock: Clock, folder: str, *, packed: bool = False, flat: bool = True
) -> Any:
    """Our trainer with our tuner, as `swift sft` puts them together; ``flat``: without padding."""
    import swift.tuners
    from swift.kernels.attention import register
    from swift.llm.core import Encoded
    from swift.llm.dataset.collate import Collator
    from swift.llm.dataset.packing import pack
    from swift.llm.plan.plans import TunerPlan
    from swift.trainers.config import TrainerConfig
    from swift.trainers.sft import build_trainer

    class Samples(list[Any]):
        def __init__(self, items: list[Any]) -> None:
            super().__init__(items)
            self.lengths = np.array([sum(map(len, item)) if packed else len(item) for item in items], np.int32)

    encoded: list[Any] = [Encoded(np.array(ids, np.int32), np.array(trained, bool)) for ids, trained in rows]
    groups = pack([len(item) for item in encoded], options.max_length, seed=0) if packed else []
    samples = Samples([[encoded[index] for index in group] for group in groups] if packed else encoded)
    clock.reads(samples.lengths)

    code, targets, given = "swift.tuners.full.tuner:FullTuner", (), {}
    if options.tuner == "lora":
        code, targets = "swift.tuners.lora.tuner:LoraTuner", tuple(options.targets)
        given = {"lora_rank": RANK, "lora_alpha": ALPHA, "lora_dropout": options.dropout}
    plan = TunerPlan(sft_type=options.tuner, code=code, target_modules=targets, options=given)
    config = TrainerConfig(
        output_dir=folder, learning_rate=RATE, batch_size=options.batch_size, gradient_accumulation_steps=options.accumulation,
        max_steps=options.steps + WARM_UP, num_train_epochs=1000, autocast="bf16" if options.dtype == "bf16" else None,
        adam_beta1=BETAS[0], adam_beta2=BETAS[1], weight_decay=DECAY, lr_scheduler_type="constant", warmup_ratio=0.0, shuffle=False,
        evaluation_strategy="no", save_strategy="no", eval_steps=None, save_steps=None, report_to=(), disable_tqdm=True,
        logging_steps=1, torch_compile="inductor" if options.compile else None,
    )  # fmt: skip
    model = swift.tuners.attach(plan, make_model(options, register() if flat else "sdpa"))
    collate = Collator(padding_free=flat, pad_token_id=EOS)
    return build_trainer(config, model, samples, None, collate, callbacks=[watch(clock)])


def their_arguments(options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """The same settings for transformers' TrainingArguments."""
    import torch

    return {
        "output_dir": folder, "per_device_train_batch_size": options.batch_size, "gradient_accumulation_steps": options.accumulation,
        "max_steps": options.steps + WARM_UP, "bf16": options.dtype == "bf16", "learning_rate": RATE, "adam_beta1": BETAS[0],
        "adam_beta2": BETAS[1], "weight_decay": DECAY, "lr_scheduler_type": "constant", "warmup_steps": 0, "report_to": "none",
        "save_strategy": "no", "disable_tqdm": True, "logging_steps": 1, "gradient_checkpointing": False,
        "use_cpu": not torch.cuda.is_available(), "train_sampling_strategy": "sequential",
    }  # fmt: skip


def lora(options: argparse.Namespace) -> Any:
    """The same adapter for peft."""
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=options.dropout,
        target_modules=list(options.targets),
    )


def trl_trainer(options: argparse.Namespace, rows: list[Row], clock: Clock, folder: str, **more: Any) -> Any:
    """trl's SFTTrainer on the same token ids and completion masks; ``more`` of its settings."""
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast
    from trl import SFTConfig, SFTTrainer

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file(options.model)))
    tokenizer.eos_token = tokenizer.pad_token = tokenizer.convert_ids_to_tokens(EOS)
    trainer = SFTTrainer(
        model=make_model(options, "sdpa"),
        args=SFTConfig(**{**their_arguments(options, folder), "max_length": options.max_length, **more}),
        train_dataset=Dataset.from_list(
            [{"input_ids": ids, "completion_mask": [int(t) for t in trained]} for ids, trained in rows]
        ),
        processing_class=tokenizer,
        peft_config=lora(options) if options.tuner == "lora" else None,
        callbacks=[watch(clock)],
    )
    clock.reads([len(ids) for ids in trainer.train_dataset["input_ids"]])  # packs, where it made some
    return trainer


def peft_trainer(options: argparse.Namespace, rows: list[Row], clock: Clock, folder: str) -> Any:
    """transformers' Trainer as its examples show it: padded rows, labels of -100, the model's own loss."""
    import torch
    from peft import get_peft_model
    from transformers import Trainer, TrainingArguments

    def collate(items: list[Any]) -> dict[str, torch.Tensor]:
        longest = max(len(ids) for ids, _ in items)
        padded = {name: torch.full((len(items), longest), fill) for name, fill in
                  (("input_ids", EOS), ("attention_mask", 0), ("labels", -100))}  # fmt: skip
        for i, (ids, trained) in enumerate(items):
            row = torch.tensor(ids)
            padded["input_ids"][i, : len(ids)] = row
            padded["attention_mask"][i, : len(ids)] = 1
            padded["labels"][i, : len(ids)] = torch.where(torch.tensor(trained), row, -100)
        return padded

    clock.reads([len(ids) for ids, _ in rows])
    model = make_model(options, "sdpa")
    if options.tuner == "lora":
        model = get_peft_model(model, lora(options))
    arguments = TrainingArguments(**their_arguments(options, folder), remove_unused_columns=False)
    return Trainer(model, arguments, collate, train_dataset=rows, callbacks=[watch(clock)])


SIDES: dict[str, Callable[..., Any]] = {
    "swift": swift_trainer,
    "swift_packed": partial(swift_trainer, packed=True),
    "swift_padded": partial(swift_trainer, flat=False),
    "trl": trl_trainer,
    "trl_default": partial(trl_trainer, gradient_checkpointing=True),
    "trl_packed": partial(trl_trainer, packing=True),
    "peft": peft_trainer,
}
