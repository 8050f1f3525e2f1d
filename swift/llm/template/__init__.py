"""Messages to token ids and back: one engine for training, inference, serving and the pages."""

from __future__ import annotations

from swift.llm.plan.plans import TemplatePlan
from swift.llm.template.template import Template
from swift.llm.tokenizer import TextTokenizer

__all__ = ["Template", "open_template"]


def open_template(template_type: str | None, tokenizer: TextTokenizer, plan: TemplatePlan) -> Template:
    """Return the template of that name; None is the tokenizer's own chat template. Raises ArgumentError with near names."""
    if template_type is None:
        return Template(None, tokenizer, plan)
    from swift.llm.catalog.registries import TEMPLATE_MAPPING  # late: reading all rows is not needed for an own template

    return Template(TEMPLATE_MAPPING.find(template_type), tokenizer, plan)
