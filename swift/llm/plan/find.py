"""What the planning of every verb begins with: the user's own rows, a checkpoint's settings, the model that is meant.

Reads small files only (``config.json``, the tokenizer's configuration, safetensors headers); no weight, no torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from swift.llm.arguments.fields import specs
from swift.llm.catalog.registries import MODEL_MAPPING, load_custom_register, load_dataset_info
from swift.llm.catalog.rows import ModelRow
from swift.llm.plan.facts import ModelFacts, gather_model
from swift.llm.plan.match import match_model, source_of
from swift.utils.environ import HF_TOKEN, MODELSCOPE_API_TOKEN, USE_HF, export
from swift.utils.errors import CheckpointError, PlanError
from swift.utils.files import read_json
from swift.utils.hub import package_folder, resolve

SECRETS = ("hub_token", "api_key", "eval_token")
"""Arguments that are never written to a file."""

OF_THE_COMMAND_LINE = ("resume_from_checkpoint", "resume_only_model", "auto_resume", "dry_run", "debug", "output_dir",
                       "add_output_dir_suffix", "ignore_args_error")  # fmt: skip
"""Arguments that say how this call runs, not what is trained: a checkpoint never sets them."""


def register_rows(args: Any) -> None:
    """Add the user's own rows, then fix the catalog for this run."""
    if args.custom_register_path:
        load_custom_register(args.custom_register_path)
    if args.custom_dataset_info:
        load_dataset_info(args.custom_dataset_info)


def find_model(args: Any, sources: Mapping[str, str], *, need_weights: bool = True) -> tuple[ModelFacts, ModelRow, str]:
    """The model's facts, its row (derived where no row knows it), and why it is that row.

    Raises PlanError where neither a name nor a folder was given, or where several rows fit.
    """
    if args.model_type is None and args.model_id_or_path is None:
        raise PlanError(
            ["no model: give --model_type NAME (`swift list models`) or --model_id_or_path ID_OR_FOLDER."
             " --model_type demo-chat is a small model that comes with this package."]
        )  # fmt: skip
    named = MODEL_MAPPING.find(args.model_type) if args.model_type is not None else None
    hf = USE_HF.read() if args.use_hf is None else args.use_hf
    local = args.model_id_or_path is not None and Path(args.model_id_or_path).expanduser().exists()
    name, hf = (args.model_id_or_path, hf) if local else source_of(args.model_id_or_path, named, use_hf=hf)
    if args.hub_token:
        # Weights and data sets are fetched later, from a plan, and a plan never holds a secret.
        export((HF_TOKEN if hf else MODELSCOPE_API_TOKEN).name, args.hub_token)
    folder = resolve(
        name,
        use_hf=hf,
        revision=args.model_revision or (named.revision if named else None),
        only_config=True,
        check_latest=getattr(args, "check_model_is_latest", True),  # an argument of training only
        known=() if any(name in (row.ms, row.hf, row.path) for row in MODEL_MAPPING.values()) else MODEL_MAPPING,
    )
    of_hub = not local and package_folder(str(name)) is None
    facts = replace(gather_model(folder, hub_id=name if of_hub else None, need_weights=need_weights), use_hf=bool(hf))
    known_id = facts.recorded_id if local else name
    match = match_model(facts.model_config, facts.chat_template, args.model_type, known_id)
    if match.row is None:
        several = ", ".join(match.candidates)
        raise PlanError(
            [f"--model_id_or_path {name}: several rows fit ({several}); say which: --model_type {match.candidates[0]}"]
        )
    return facts, match.row, match.why


def arguments_as_json(args: Any) -> dict[str, Any]:
    """The arguments as said, for ``sft_args.json``; secrets stay out."""
    return {name: value for name, value in dataclasses.asdict(args).items() if name not in SECRETS}


def inherit(
    args: Any, sources: Mapping[str, str], checkpoint: Path, *, only_model: bool, also: Collection[str] = ()
) -> tuple[Any, dict[str, str]]:
    """The arguments with everything that was not given taken from the checkpoint's own.

    ``only_model``: just the fields marked ``inherit`` (model, template, dtype, method) and those of ``also``. What was given
    stays.
    """
    file = checkpoint / "sft_args.json"
    if not file.is_file():
        raise CheckpointError(
            f"{checkpoint}: has no sft_args.json, so it was not written by this program. Name the model and the data beside it."
        )
    saved = read_json(file)
    known = specs(type(args))
    taken = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in saved.items()
        if name in known
        and name not in sources
        and name not in OF_THE_COMMAND_LINE
        and (not only_model or known[name].inherit or name in also)
    }
    told = {name: f"checkpoint {checkpoint.name}" for name, value in taken.items() if value != getattr(args, name)}
    return replace(args, **taken), {**told, **sources}
