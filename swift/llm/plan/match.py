"""Which row a model is: by its id, else by its architecture and its chat template. Nothing is guessed from a name's parts.

Pure: the configuration and the texts come from ``facts.py``. Knows no file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from swift.llm.catalog.registries import MODEL_MAPPING
from swift.llm.catalog.rows import ModelRow
from swift.utils.errors import ModelError
from swift.utils.registry import Registry

__all__ = ["ALL", "Match", "derive_row", "match_model", "source_of", "template_fingerprint"]

ALL = ("ALL",)
"""As LoRA targets of a row: every linear layer but the head."""

GENERATION = "default-generation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The row, or (``row`` None) one ``model_type`` for each of the formats that are still possible; and ``why``."""

    row: ModelRow | None
    candidates: tuple[str, ...] = ()
    why: str = ""


def template_fingerprint(text: str) -> str:
    """First 16 hex digits of the SHA-256 of a chat template, with each run of white space counted as one blank."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def match_model(
    config: Mapping[str, Any],
    chat_template: str | None,
    model_type: str | None = None,
    hub_id: str | None = None,
    rows: Registry[ModelRow] | None = None,
) -> Match:
    """Find the row of a model from its ``config.json``, its chat template and what was said of it.

    In this order: the given ``model_type``; a row with this hub id; the rows of this architecture, narrowed by the chat
    template's fingerprint. Rows that agree on template and LoRA targets are one; a format that no row knows gives a
    derived row. ``rows`` None is the catalog. Raises ArgumentError for an unknown ``model_type``, ModelError where
    ``config`` names no architecture.
    """
    known = MODEL_MAPPING if rows is None else rows
    if model_type is not None:
        return _given(config, known.find(model_type))
    if hub_id is not None:
        wanted = hub_id.casefold()
        for row in known.values():
            if any(each.casefold() == wanted for each in (*row.hub_ids, row.path) if each):
                return Match(row=row, why=f"hub id {hub_id}")
    architecture = _architecture(config)
    related = _of_architecture(known, architecture)
    if not related:
        row = derive_row(config, chat_template)
        return Match(row=row, why=f"no row knows {architecture}: {_own_format(row)}")
    if chat_template is None:
        return _without_template(config, architecture, related)
    fingerprint = template_fingerprint(chat_template)
    fitting = [row for row in related if fingerprint in row.chat_templates and "base" not in row.tags]
    if not fitting:
        row = derive_row(config, chat_template, related)
        return Match(row=row, why=f"{architecture} with a chat template that no row knows: {_own_format(row)}")
    return _agree(fitting, f"{architecture} with the chat template of")


def derive_row(config: Mapping[str, Any], chat_template: str | None, related: Iterable[ModelRow] = ()) -> ModelRow:
    """A row for a model that none knows: its own chat template, or plain text where it has none.

    LoRA targets are those that all ``related`` rows (same architecture) share, else every linear layer; the loader, and what
    of a model that reads media is its language model, come from the architecture.
    """
    architecture = _architecture(config)
    related = list(related)
    targets = {row.lora_targets for row in related}
    remote = {row.trust_remote_code for row in related}
    name = str(config.get("model_type") or architecture).lower()
    like = next((row for row in related if row.modality == ("text",)), related[0] if related else None)
    derived = ModelRow(
        model_type=name,
        family=name,
        architectures=(architecture,),
        template=None if chat_template is not None else GENERATION,
        lora_targets=targets.pop() if len(targets) == 1 else ALL,
        tags=("derived",),
        # A configuration that points at Python files beside the weights cannot be loaded by the library's own classes,
        # unless a row of this architecture says that it can.
        trust_remote_code="auto_map" in config and remote != {False},
    )
    if like is None and "vision_config" in config and architecture.endswith("ForConditionalGeneration"):
        return replace(
            derived,
            loader="swift.llm.model.loaders:image_text_to_text",
            modality=("text", "image"),
            language_prefixes=("model.language_model", "model.text_model"),
        )
    if like is None:
        return derived
    return replace(
        derived,
        loader=like.loader,
        modality=like.modality,
        task=like.task,
        language_prefixes=like.language_prefixes,
    )


def source_of(
    model_id_or_path: str | None, row: ModelRow | None, *, use_hf: bool, rows: Registry[ModelRow] | None = None
) -> tuple[str, bool]:
    """Where to get a model: (folder, package folder or hub id, whether that id is Hugging Face's).

    ``row`` is that of the given ``model_type``. A name of the catalog in place of an id is its row; an id that a row knows
    becomes the row's id on the chosen hub; a model that only one hub has comes from there. Raises ModelError.
    """
    known = MODEL_MAPPING if rows is None else rows
    if model_id_or_path is not None:
        if model_id_or_path in known:
            row = known[model_id_or_path]
        else:
            wanted = model_id_or_path.casefold()
            # Names of the two hubs are spelt alike at times, and then mean the same model.
            row = next((one for one in known.values() if wanted in (each.casefold() for each in one.hub_ids)), None)
            if row is None:
                return model_id_or_path, use_hf
    if row is None:
        raise ModelError("no model: give --model_type NAME (`swift list models`) or --model_id_or_path ID_OR_FOLDER.")
    if row.path is not None:
        return row.path, use_hf
    on_hf = row.hf is not None and (use_hf or row.ms is None)
    found = row.hf if on_hf else row.ms
    if found is None:
        raise ModelError(
            f"--model_type {row.model_type}: its row names no hub id. Give its folder with --model_id_or_path."
        )
    return found, on_hf


def _of_architecture(known: Registry[ModelRow], architecture: str) -> list[ModelRow]:
    """The rows of an architecture. A language model is never taken for the reranker or the embedding model made from it."""
    rows = [row for row in known.values() if architecture in row.architectures]
    return [row for row in rows if row.task == "causal_lm"] or rows


def _given(config: Mapping[str, Any], row: ModelRow) -> Match:
    architecture = _architecture(config)
    why = f"--model_type {row.model_type}"
    if architecture not in row.architectures:
        why += f" (its row is for {', '.join(row.architectures)}; the folder holds a {architecture})"
    return Match(row=row, why=why)


def _without_template(config: Mapping[str, Any], architecture: str, related: Sequence[ModelRow]) -> Match:
    """Chat models come with a chat template today; without one it is a base model, or an old copy of a chat model."""
    bases = [row for row in related if "base" in row.tags]
    found = _agree(bases or related, f"{architecture} without a chat template, as")
    if found.row is not None and bases:
        return replace(found, why=f"{found.why}; if it is a chat model, say which with --model_type or --template_type")
    return found


def _agree(rows: Sequence[ModelRow], why: str) -> Match:
    """One row for all, where they mean the same; else one name for each format.

    Default targets are no part of a format: where rows differ in them alone, every linear layer is the default.
    """
    formats: dict[tuple[Any, ...], list[ModelRow]] = {}
    for row in rows:
        key = (row.template, row.loader, row.language_prefixes, row.trust_remote_code, row.task)
        formats.setdefault(key, []).append(row)
    if len(formats) > 1:
        names = tuple(_plainest(group).model_type for group in formats.values())
        return Match(row=None, candidates=names, why=f"{why} several: {', '.join(names)}")
    families = sorted({row.family for row in rows})
    shown = f"{', '.join(families[:4])}{', …' if len(families) > 4 else ''}"
    if len(rows) == 1:
        return Match(row=rows[0], why=f"{why} {rows[0].model_type}")
    first = _plainest(rows)
    return Match(
        # Which size it is makes no difference; the name must not claim one.
        row=replace(
            first, model_type=families[0] if len(families) == 1 else first.architectures[0].removesuffix("ForCausalLM").lower(),
            family=families[0], ms=None, hf=None, path=None, revision=None, requires=_shared(rows), tags=(), quant=None, dtype=None,
            other_ids=(), size=None, lora_targets=first.lora_targets if len({row.lora_targets for row in rows}) == 1 else ALL,
        ),
        why=f"{why} {shown}",
    )  # fmt: skip


def _plainest(rows: Sequence[ModelRow]) -> ModelRow:
    return next((row for row in rows if row.quant is None), rows[0])


def _shared(rows: Sequence[ModelRow]) -> tuple[str, ...]:
    return tuple(each for each in rows[0].requires if all(each in row.requires for row in rows))


def _architecture(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    if not names:
        raise ModelError("config.json names no model class ('architectures'). Copy the file from the original model.")
    return str(names[0])


def _own_format(row: ModelRow) -> str:
    return "its own chat template is used" if row.template is None else "it has no chat template: plain text"
