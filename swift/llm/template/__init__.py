"""Messages to token ids and back: one engine for training, inference, serving and the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swift.llm.plan.plans import TemplatePlan, Truncation
from swift.llm.template.template import Template
from swift.llm.tokenizer import TextTokenizer, load_tokenizer

__all__ = ["Template", "get_template", "open_template"]


def open_template(template_type: str | None, tokenizer: TextTokenizer, plan: TemplatePlan) -> Template:
    """Return the template of that name; None is the tokenizer's own chat template. Raises ArgumentError with near names."""
    if template_type is None:
        return Template(None, tokenizer, plan)
    from swift.llm.catalog.registries import (
        TEMPLATE_MAPPING,  # late: reading all rows is not needed for an own template
    )

    row = TEMPLATE_MAPPING.find(template_type)
    return Template(None if row.own_template else row, tokenizer, plan)


def get_template(
    template_type: str | None,
    tokenizer: TextTokenizer | str | Path | Any,
    default_system: str | None = None,
    max_length: int | None = None,
    truncation_strategy: Truncation = "delete",
    **options: Any,
) -> Template:
    """The Python entry to a template, as users call it: `swift.llm.get_template`.

    ``template_type`` is a name of `swift list templates`, None the tokenizer's own chat template. ``tokenizer`` is a
    TextTokenizer, a transformers fast tokenizer or a folder. ``default_system`` None keeps the format's own, "" removes it;
    ``max_length`` is in tokens. ``options`` are further fields of `TemplatePlan` (``train_on_inputs``, ``date``, ...).
    Raises ArgumentError for an unknown name, ModelError for a tokenizer that cannot be read.
    """
    if isinstance(tokenizer, str | Path):
        tokenizer = load_tokenizer(tokenizer)
    elif not isinstance(tokenizer, TextTokenizer):
        tokenizer = TextTokenizer.from_hf(tokenizer)
    plan = TemplatePlan(
        template_type=template_type,
        system=default_system,
        max_length=max_length,
        truncation=truncation_strategy,
        **options,
    )
    return open_template(template_type, tokenizer, plan)
