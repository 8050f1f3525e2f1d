"""A plan to a chat service: weights, adapter, tokenizer, template, engine, in that order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swift.llm.chat.constraint import Constrainer
from swift.llm.chat.service import ChatService
from swift.llm.engine.protocol import Engine
from swift.llm.plan.facts import read_pooling
from swift.llm.plan.plans import GeneratePlan, InferPlan, MergePlan
from swift.llm.template import Template, open_template
from swift.llm.template.check import verify
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.utils.errors import MissingPackageError, ModelError
from swift.utils.files import read_json, write_json_atomic
from swift.utils.hub import resolve
from swift.utils.log import logger
from swift.utils.manifest import MANIFEST, write_manifest

if TYPE_CHECKING:
    from swift.llm.model.eyes import Eyes

__all__ = ["fetch", "open_engine", "open_service", "open_text", "write_generation_config"]


def open_text(plan: InferPlan) -> tuple[TextTokenizer, Template]:
    """Tokenizer and template of a plan; no weight is touched. A checkpoint's own tokenizer goes before its base's."""
    tokenizer = load_tokenizer(_text_folder(plan))
    template = open_template(plan.template.template_type, tokenizer, plan.template)
    if plan.verify_template:
        warning = verify(template, tokenizer).warning()
        if warning is not None:
            logger.warning("%s\nThat is right only if the model was trained with it.", warning)
    return tokenizer, template


def _text_folder(plan: InferPlan) -> Path:
    """Where the tokenizer lies: in the checkpoint that answers, if it has one, else with the model."""
    default = next((one.path for one in plan.adapters if one.name == plan.default_adapter), None)
    for folder in (plan.merge.checkpoint if plan.merge is not None else None, plan.adapter, default):
        if folder is not None and (Path(folder) / "tokenizer_config.json").is_file():
            return Path(folder)
    return Path(plan.model.path)


@contextmanager
def open_service(plan: InferPlan, *, media_root: Path | None = None) -> Iterator[ChatService]:
    """Open the plan's engine with everything it needs, and serve; the engine ends with the block.

    Adapters of the plan are loaded by name. ``media_root``: the folder that paths of images begin in; None: no file of this
    machine is read for a conversation. Raises ModelError, CheckpointError, EngineError, EnvironmentsError.
    """
    plan = fetch(plan)
    tokenizer, template = open_text(plan)
    if plan.generation_config_path is not None and plan.merge is None:
        _write_generation_config(plan)
    with open_engine(plan, Constrainer(tokenizer, template.stop_ids)) as engine:
        yield ChatService(template, tokenizer, engine, _eyes(plan), media_root=media_root)


def _eyes(plan: InferPlan) -> Eyes | None:
    """What reads images, where they are answered; a model whose folder lacks the means answers about text."""
    if not plan.answers_images:
        return None
    from transformers import AutoConfig

    from swift.llm.model.eyes import open_eyes

    try:
        folder = Path(plan.model.path)
        return open_eyes(folder, AutoConfig.from_pretrained(folder, local_files_only=True), plan.max_pixels)
    except (ModelError, MissingPackageError) as error:
        logger.warning("no images are answered: %s", error)
        return None


@contextmanager
def open_engine(plan: InferPlan, constrain: Constrainer | None = None) -> Iterator[Engine]:
    """The engine of a plan whose model is on this disk (`fetch`); ends with the block.

    ``constrain`` makes what grammars allow for the engine pt; others read them themselves. Raises as `open_service`.
    """
    if plan.engine is not None:
        from swift.llm.engine.launch import launch

        model = plan.model if plan.merge is None else replace(plan.model, path=_merged(plan, plan.merge))
        with launch(model, plan.engine, _text_folder(plan)) as remote:
            yield remote
        return
    from swift.llm.engine.pt import PtEngine

    model = _load(plan)
    pooling = read_pooling(Path(plan.model.path))
    with PtEngine(
        model,
        max_batch=plan.max_batch_size,
        context=plan.context,
        constrain=constrain,
        embeddings=None if pooling == "other" else pooling,
    ) as engine:
        for adapter in plan.adapters:
            asyncio.run(engine.load_adapter(adapter.name, adapter.path))
        yield engine


def _write_generation_config(plan: InferPlan) -> None:
    assert plan.generation_config_path is not None
    write_generation_config(Path(plan.generation_config_path), plan.generate)
    logger.info("sampling settings written to %s", plan.generation_config_path)


def _merged(plan: InferPlan, merge: MergePlan) -> str:
    """The folder of the model with the adapter folded in, made where it is not there yet."""
    from swift.llm.merge.merge import merge_checkpoint

    logger.info("%s", merge_checkpoint(merge).line())
    if plan.generation_config_path is not None:
        _write_generation_config(plan)
    return merge.target


def fetch(plan: InferPlan) -> InferPlan:
    """The plan with its model on this disk."""
    if plan.model.hub_id is None:
        return plan
    folder = resolve(plan.model.hub_id, use_hf=plan.use_hf, revision=plan.model.revision)
    model = replace(plan.model, path=str(folder))
    merge = plan.merge and replace(plan.merge, model=replace(plan.merge.model, path=str(folder)))
    return replace(plan, model=model, merge=merge)


def _load(plan: InferPlan) -> Any:
    from swift.llm.model.load import load_model
    from swift.tuners import load

    if plan.merge is not None:
        return load_model(replace(plan.model, path=_merged(plan, plan.merge)))
    model = load_model(plan.model)
    if plan.adapter is None:
        return model
    assert plan.tuner is not None
    return load(plan.tuner, model, Path(plan.adapter), trainable=False)


def write_generation_config(path: Path, generate: GeneratePlan) -> None:
    """Lay the sampling settings over those in the file, and hash the folder anew where it has a manifest."""
    before: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    if not isinstance(before, dict):
        raise ModelError(f"{path}: a JSON object is expected. Remove it, or copy it again.")
    settings = {
        "max_new_tokens": generate.max_new_tokens, "do_sample": generate.do_sample, "temperature": generate.temperature,
        "top_k": generate.top_k, "top_p": generate.top_p, "min_p": generate.min_p,
        "repetition_penalty": generate.repetition_penalty, "num_beams": generate.num_beams,
    }  # fmt: skip
    values = {**before, **{name: value for name, value in settings.items() if value is not None}}
    if json.dumps(values, sort_keys=True) == json.dumps(before, sort_keys=True):
        return
    write_json_atomic(path, values)
    if (path.parent / MANIFEST).is_file():
        write_manifest(path.parent)
