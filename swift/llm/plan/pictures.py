"""Whether an engine that is a process reads a model's images, and how many in one prompt. Pure decisions with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swift.llm.catalog.rows import EngineRow
from swift.llm.plan.plans import ModelPlan
from swift.llm.plan.problems import Problems, Reasons

__all__ = ["most_pictures", "why_no_pictures"]

MOST = 999
"""Images of a prompt where no limit is given: vLLM's own."""

WITHOUT_TORCHVISION = (
    "AriaForConditionalGeneration",
    "Blip2ForConditionalGeneration",
    "Idefics3ForConditionalGeneration",
    "PaliGemmaForConditionalGeneration",
)
"""Image models that vLLM (0.32) loads where torchvision is absent; the modules of most others import it."""


def why_no_pictures(model: ModelPlan, engine: EngineRow, record: Mapping[str, Any]) -> str | None:
    """What keeps an engine from loading a model that reads images; ``record`` is of its environment."""
    without = "torchvision" in (record.get("taken_out") or ())
    if not (model.reads_images and engine.pictures and without) or model.architecture in WITHOUT_TORCHVISION:
        return None
    return (
        f"its class {model.architecture} needs torchvision, and the one that came with {engine.title} is made for another build of"
        " torch. Use --infer_backend pt, or make that environment again where pip finds torchvision's build for CPUs."
    )


def most_pictures(limit: Any, model: ModelPlan, engine: EngineRow, reasons: Reasons, problems: Problems) -> int:
    """How many images a prompt may hold. ``limit``: --limit_mm_per_prompt, counts or settings by kind; a wrong one is a problem."""
    counts = limit if isinstance(limit, Mapping) else {}
    found = counts.get("image", MOST)
    most = found.get("count", MOST) if isinstance(found, Mapping) else found
    if (limit is not None and not isinstance(limit, Mapping)) or not isinstance(most, int) or most < 0:
        problems.add(f'--limit_mm_per_prompt {limit}: is a count by kind, as {{"image": 4}}.')
        return 0
    if not model.reads_images or not engine.pictures:
        return 0
    reasons.note(
        "engine.pictures", "--limit_mm_per_prompt" if "image" in counts else f"{engine.title}'s own limit; 0 reads none"
    )
    return most
