"""One training run, effects in reading order: rows, run folder, model, tuner, loop, result."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swift.llm.dataset import prepare
from swift.llm.dataset.collate import Collator
from swift.llm.dataset.ledger import write_ledger
from swift.llm.model.loaders import import_first
from swift.llm.model.saving import processor_files
from swift.llm.plan.facts import GIB, free_gib, holds_adapter
from swift.llm.plan.match import source_of
from swift.llm.plan.memory import human
from swift.llm.plan.plans import TrainPlan
from swift.llm.plan.store import to_json
from swift.llm.plan.train import predict_checkpoint_bytes
from swift.llm.template import Template, open_template
from swift.llm.template.check import VERDICT, Verdict, verdict_as_json, verify
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.llm.training.preview import count_parameters, show_data, show_samples
from swift.utils.errors import DiskError
from swift.utils.files import write_json_atomic
from swift.utils.hub import resolve
from swift.utils.log import logger

if TYPE_CHECKING:
    from swift.trainers.result import TrainResult

LEDGER = "row_ledger.jsonl"
BEGUN = "training_args.json"
"""The loop writes it when it begins: from then on the run folder stays, whatever happens."""


def open_data(plan: TrainPlan, *, progress: bool = True) -> tuple[TextTokenizer, Template, Any, Verdict | None]:
    """Tokenizer, template, prepared rows and what the template's check found; no weight is touched."""
    tokenizer = load_tokenizer(Path(plan.model.path))
    template = open_template(plan.template.template_type, tokenizer, plan.template)
    verdict = check_template(plan, template, tokenizer)
    if verdict is not None and (warning := verdict.warning()) is not None:
        logger.warning(
            "%s\nServing it with other software will differ from this training. --template_type chooses another one; "
            "`swift template check --model %s` shows more.", warning, plan.model.path,
        )  # fmt: skip
    prepared = open_rows(plan, template, progress=progress)
    for note in template.notes:
        logger.warning("%s", note)
    return tokenizer, template, prepared, verdict


def check_template(plan: TrainPlan, template: Template, tokenizer: TextTokenizer) -> Verdict | None:
    """Compare the template with the tokenizer's own chat template; None where that was not wanted, or where there is none."""
    if not plan.verify_template or plan.command == "pt" or tokenizer.chat_template is None:
        return None
    return verify(template, tokenizer)


def open_rows(plan: TrainPlan, template: Template, *, progress: bool = True) -> Any:
    """The rows of a plan as samples: prepared ahead, or a stream that is read while training goes on."""
    if not plan.data.streaming:
        return prepare(plan.data, template, progress=progress)
    from swift.llm.dataset.stream import prepare_stream

    return prepare_stream(plan.data, template, batch_size=plan.trainer.batch_size, progress=progress)


def run(plan: TrainPlan, args_json: dict[str, Any], *, debug: bool = False) -> TrainResult:
    """Train as planned. Returns the result; the run folder holds checkpoints, logs, plots and the row ledger.

    ``debug`` prints the first samples as tokens. Raises SwiftError; a run folder whose loop never began is taken away again.
    """
    import_first(plan.model.loader)
    from transformers import set_seed

    from swift.llm.training.predict import predictor
    from swift.trainers.method import StepsOfMethod
    from swift.trainers.sft import build_trainer
    from swift.tuners import open_tuner
    from swift.tuners.base import KnowsSteps, Restarts, StartsFromData

    check_before(plan)
    packed = plan.model.quantization or {}
    if "result" in packed:
        logger.info("%s weights, %s: %s", packed["quant_method"], packed["result"], plan.reasons["model.result"])
    plan = fetch_weights(plan)
    with run_folder(Path(plan.run_dir)) as run_dir:
        tokenizer, template, prepared, verdict = open_data(plan)
        for line in [*show_data(prepared, plan), *(show_samples(prepared, tokenizer) if debug else ())]:
            logger.info("%s", line)
        set_seed(plan.seed)  # an adapter begins with random factors
        model, restore = open_model(plan)
        tuner = open_tuner(plan.tuner)
        collate = Collator(padding_free=plan.data.padding_free, pad_token_id=pad_id(tokenizer))
        if plan.resume_from is None and isinstance(tuner, StartsFromData) and tuner.wants_data:
            model = tuner.start_from(model, lambda whole: random_batches(prepared.train, collate, plan, whole=whole))
        logger.info("%s", trained_share(model))
        trainer = build_trainer(
            plan.trainer,
            model,
            prepared.train,
            prepared.val,
            collate,
            callbacks=[
                StepsOfMethod(
                    lambda step, num_steps: tuner.after_step(model, step, num_steps),
                    partial(tuner.begin, model) if isinstance(tuner, KnowsSteps) else None,
                    partial(tuner.restart, model) if isinstance(tuner, Restarts) else None,
                )
            ],
            begin=lambda: record(run_dir, plan, args_json, prepared, verdict),
            save_model=lambda folder: tuner.save(model, folder),
            load_model=restore,
            penalty=lambda: tuner.penalty(model),
            tokenizer_files=(*tokenizer.files, *processor_files(Path(plan.model.path))),
            extra_files=run_files(plan, args_json, verdict),
            predict=predictor(plan, template, tokenizer) if plan.trainer.predict_with_generate else None,
            parameter_groups=tuner.optimizer_groups(model, plan.trainer.learning_rate, plan.trainer.weight_decay),
        )
        try:
            laid_over = restore is not None and plan.resume_only_model  # then nothing of the checkpoint is left to read
            goes_on = Path(plan.resume_from) if plan.resume_from and not laid_over else None
            result = trainer.train(goes_on, only_model=plan.resume_only_model)
        finally:
            if plan.data.streaming:
                logger.info("%s", prepared.train.report())
                prepared.train.close()
            elif plan.data.lazy:
                for store in prepared.train.lazy:
                    logger.info("%s", store.report())
    logger.info("%s", told_at_the_end(result, run_dir))
    return result


def random_batches(rows: Any, collate: Collator, plan: TrainPlan, *, whole: bool) -> Iterator[dict[str, Any]]:
    """Batches of the training set in an order of chance, each of as many rows as a step takes, or, not ``whole``, one pass."""
    from random import Random

    order = list(range(len(rows)))
    Random(plan.seed).shuffle(order)
    size = plan.trainer.batch_size * (plan.trainer.gradient_accumulation_steps if whole else 1)
    for start in range(0, len(order), size):
        yield collate([rows[index] for index in order[start : start + size]])


def record(
    run_dir: Path, plan: TrainPlan, args_json: dict[str, Any], prepared: Any, verdict: Verdict | None = None
) -> None:
    """Write down what was said, what was decided, which rows were lost, and how the template compares."""
    write_json_atomic(run_dir / "sft_args.json", args_json)
    write_json_atomic(run_dir / "plan.json", to_json(plan))
    if verdict is not None:
        write_json_atomic(run_dir / VERDICT, verdict_as_json(verdict))
    if plan.data.streaming:
        prepared.train.write_ledger_to(run_dir / LEDGER)
    else:
        write_ledger(run_dir / LEDGER, prepared.report.ledger)
        for store in prepared.train.lazy if plan.data.lazy else ():
            store.append_to(run_dir / LEDGER)


def check_before(plan: TrainPlan) -> None:
    """Attach the tuner to a model without weights: what cannot work is told before weights and rows are prepared.

    Raises PlanError for modules that do not exist, DiskError where not even one checkpoint fits.
    """
    counted = count_parameters(plan)
    needed = predict_checkpoint_bytes(plan, counted.num_parameters, counted.num_trainable, num_saved=counted.num_saved)
    free = free_gib(plan.run_dir) * GIB
    if plan.trainer.save_strategy != "no" and needed > free:
        raise DiskError(
            f"--output_dir: a checkpoint needs about {human(needed)}, and {human(int(free))} are free for {plan.run_dir}. Free some"
            " space, choose another folder, or save less with --save_only_model true."
        )


def fetch_weights(plan: TrainPlan) -> TrainPlan:
    """The plan with its model on this disk: a hub's weights are fetched now, when the plan stands."""
    if plan.model.hub_id is None:
        return plan
    name, hf = source_of(plan.model.hub_id, None, use_hf=plan.model.use_hf)
    folder = resolve(name, use_hf=hf, revision=plan.model.revision)
    return replace(plan, model=replace(plan.model, path=str(folder)))


def open_model(plan: TrainPlan) -> tuple[Any, Callable[[Path], None] | None]:
    """The model ready to train, and how the loop restores a checkpoint's weights (None: as a whole model).

    An adapter's checkpoint is laid over its base here, so there is nothing left to restore.
    """
    from swift.llm.model.load import load_model
    from swift.tuners import attach, load

    base = load_model(plan.model)
    if plan.resume_from is not None and holds_adapter(Path(plan.resume_from)):
        return load(plan.tuner, base, Path(plan.resume_from), trainable=True), lambda folder: None
    return attach(plan.tuner, base), None


def trained_share(model: Any) -> str:
    """``1,234 of 56,789 parameters are trained (2.17%)``."""
    from swift.llm.model.quantized import count_parameters

    total, trained = count_parameters(model), count_parameters(model, trained=True)
    return f"{trained:,} of {total:,} parameters are trained ({trained / total:.2%})"


def told_at_the_end(result: TrainResult, run_dir: Path) -> str:
    """Where everything lies, and the next command."""
    lines = [f"done after {result.global_step:,} steps; train loss {result.train_loss:.4f}"]
    if result.best_checkpoint is not None:
        lines.append(f"best checkpoint: {result.best_checkpoint}")
    if result.last_checkpoint is not None:
        lines.append(f"last checkpoint: {result.last_checkpoint}")
    lines.append(f"logs, plots and the row ledger: {run_dir}")
    if result.last_checkpoint is not None:
        lines.append(f"try it: swift infer --ckpt_dir {result.best_checkpoint or result.last_checkpoint}")
    return "\n".join(lines)


def pad_id(tokenizer: TextTokenizer) -> int:
    """The padding id; any id serves, since padded positions are masked."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id):
        if token is not None:
            return token
    return 0


def run_files(plan: TrainPlan, args_json: dict[str, Any], verdict: Verdict | None = None) -> dict[str, str]:
    """What every checkpoint carries besides weights, so that it explains itself away from its run."""
    files = {"sft_args.json": args_json, "plan.json": to_json(plan)}
    if verdict is not None:
        files[VERDICT] = verdict_as_json(verdict)
    return {name: json.dumps(content, indent=2, ensure_ascii=False) for name, content in files.items()}


@contextmanager
def run_folder(path: Path) -> Iterator[Path]:
    """Make the run folder; take away what was made if the run fails before its loop has begun.

    Raises DiskError that says why the folder cannot be written.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        take_away(made)
        raise DiskError(
            f"--output_dir: {path} cannot be made ({error.strerror}). Choose a folder you may write to."
        ) from error
    if not os.access(path, os.W_OK):
        raise DiskError(f"--output_dir: {path} cannot be written to. Choose a folder you may write to.")
    try:
        yield path
    except BaseException:
        if not (path / BEGUN).is_file():
            take_away(made)
        raise


def take_away(made: list[Path]) -> None:
    """Delete a run folder and the folders that were made for it, the innermost first; only its own content goes."""
    if made:
        shutil.rmtree(made[0], ignore_errors=True)
    for folder in made[1:]:
        with suppress(OSError):  # another run has begun in it
            folder.rmdir()
