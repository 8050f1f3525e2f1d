"""A plan to a chat service: weights, adapter, tokenizer, template, engine, in that order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from swift.llm.chat.service import ChatService
from swift.llm.plan.plans import GeneratePlan, InferPlan
from swift.llm.template import Template, open_template
from swift.llm.template.check import verify
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.utils.errors import ModelError
from swift.utils.files import read_json, write_json_atomic
from swift.utils.hub import resolve
from swift.utils.log import logger
from swift.utils.manifest import MANIFEST, write_manifest

__all__ = ["open_service", "open_text", "write_generation_config"]


def open_text(plan: InferPlan) -> tuple[TextTokenizer, Template]:
    """Tokenizer and template of a plan; no weight is touched. A checkpoint's own tokenizer goes before its base's."""
    folder = Path(plan.model.path)
    if plan.adapter is not None and (Path(plan.adapter) / "tokenizer_config.json").is_file():
        folder = Path(plan.adapter)
    tokenizer = load_tokenizer(folder)
    template = open_template(plan.template.template_type, tokenizer, plan.template)
    if plan.verify_template:
        warning = verify(template, tokenizer).warning()
        if warning is not None:
            logger.warning("%s\nThat is right only if the model was trained with it.", warning)
    return tokenizer, template


@contextmanager
def open_service(plan: InferPlan) -> Iterator[ChatService]:
    """Load everything and serve; the engine ends with the block. Raises ModelError, CheckpointError."""
    from swift.llm.engine.pt import PtEngine

    plan = _fetch(plan)
    tokenizer, template = open_text(plan)
    model = _load(plan)
    if plan.generation_config_path is not None:
        write_generation_config(Path(plan.generation_config_path), plan.generate)
        logger.info("sampling settings written to %s", plan.generation_config_path)
    with PtEngine(model, max_batch=plan.max_batch_size, context=plan.context) as engine:
        yield ChatService(template, tokenizer, engine)


def _fetch(plan: InferPlan) -> InferPlan:
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
        from swift.llm.merge.merge import merge_checkpoint

        result = merge_checkpoint(plan.merge)
        logger.info("%s", result.line())
        return load_model(replace(plan.model, path=plan.merge.target))
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
        "top_k": generate.top_k, "top_p": generate.top_p, "repetition_penalty": generate.repetition_penalty,
        "num_beams": generate.num_beams,
    }  # fmt: skip
    values = {**before, **{name: value for name, value in settings.items() if value is not None}}
    if json.dumps(values, sort_keys=True) == json.dumps(before, sort_keys=True):
        return
    write_json_atomic(path, values)
    if (path.parent / MANIFEST).is_file():
        write_manifest(path.parent)
