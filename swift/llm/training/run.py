"""One training run, effects in reading order: rows, run folder, model, tuner, loop, result."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swift.llm.core import Conversation
from swift.llm.dataset import prepare
from swift.llm.dataset.collate import Collator
from swift.llm.plan.plans import TrainPlan
from swift.llm.plan.store import to_json
from swift.llm.template import Template, open_template
from swift.llm.template.check import verify
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.utils.errors import DiskError
from swift.utils.files import write_json_atomic
from swift.utils.hub import resolve
from swift.utils.log import get_logger

if TYPE_CHECKING:
    from swift.trainers.base import TrainResult

logger = get_logger()


def open_data(plan: TrainPlan, *, ledger: Path | None, progress: bool = True) -> tuple[TextTokenizer, Template, Any]:
    """Tokenizer, template and prepared rows of a plan; no weight is touched."""
    tokenizer = load_tokenizer(Path(plan.model.path))
    template = open_template(plan.template.template_type, tokenizer, plan.template)
    if plan.verify_template and plan.command != "pt":
        verdict = verify(template, tokenizer)
        if verdict.checked and not verdict.equal:
            logger.warning(
                "template %s does not encode what this tokenizer's own chat template does:\n%s\n"
                "Serving it with other software will differ from this training. --template_type chooses another one.",
                plan.template.template_type, verdict.first_difference,
            )  # fmt: skip
    prepared = prepare(plan.data, template, ledger_path=ledger, progress=progress)
    return tokenizer, template, prepared


def run(plan: TrainPlan, args_json: dict[str, Any], *, debug: bool = False) -> TrainResult:
    """Train as planned. Returns the result; the run folder holds checkpoints, logs, plots and the row ledger."""
    from swift.llm.model.load import load_model
    from swift.trainers.sft import build_trainer
    from swift.tuners import attach, save_model

    run_dir = make_run_folder(Path(plan.run_dir))
    tokenizer, template, prepared = open_data(plan, ledger=run_dir / "row_ledger.jsonl")
    for line in prepared.report.lines():
        logger.info(line)
    write_json_atomic(run_dir / "sft_args.json", args_json)
    write_json_atomic(run_dir / "plan.json", to_json(plan))
    model = load_model(plan.model)
    model = attach(plan.tuner, model)
    trainer = build_trainer(
        plan.trainer,
        model,
        prepared.train,
        prepared.val,
        Collator(padding_free=plan.data.padding_free, pad_token_id=pad_id(tokenizer)),
        save_model=save_model(plan.tuner, model),
        tokenizer_files=tokenizer.files,
        extra_files=run_files(plan, args_json),
        predict=predictor(plan, template, tokenizer) if plan.trainer.predict_with_generate else None,
    )
    return trainer.run(resume_from=Path(plan.resume_from) if plan.resume_from else None)


def pad_id(tokenizer: TextTokenizer) -> int:
    """The padding id; any id serves, since padded positions are masked."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id):
        if token is not None:
            return token
    return 0


def run_files(plan: TrainPlan, args_json: dict[str, Any]) -> dict[str, str]:
    """What every checkpoint carries besides weights, so that it explains itself away from its run."""
    return {"sft_args.json": json.dumps(args_json, indent=2, ensure_ascii=False), "plan.json": json.dumps(to_json(plan), indent=2, ensure_ascii=False)}


def make_run_folder(path: Path) -> Path:
    """Make the run folder. Raises DiskError that says why it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"--output_dir: {path} cannot be made ({error.strerror}). Choose a folder you may write to.") from error
    if not os.access(path, os.W_OK):
        raise DiskError(f"--output_dir: {path} cannot be written to. Choose a folder you may write to.")
    return path
