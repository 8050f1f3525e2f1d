"""A plan as text for people: every value with its reason, part by part."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

HIDDEN = ("reasons", "facts")
P = TypeVar("P")
R = TypeVar("R")


def print_plan(plan: Any) -> None:
    """The plan on stdout."""
    print(explain(plan), flush=True)


def run_or_show(plan: P, run: Callable[[P], R], *, dry_run: bool, show: Callable[[P], None] = print_plan) -> R | P:
    """What ``run`` makes of the plan; with ``dry_run`` the plan itself, which is shown and not run."""
    if dry_run:
        show(plan)
        return plan
    return run(plan)


def explain(plan: Any) -> str:
    """The plan as aligned lines ``field  value  # reason``, one block for each part.

    Values without a reason stand at their default and are left out unless they differ from it.
    """
    blocks = [_block(type(plan).__name__, plan, "", plan.reasons)]
    for field in dataclasses.fields(plan):
        value = getattr(plan, field.name)
        if dataclasses.is_dataclass(value):
            blocks.append(_block(field.name, value, f"{field.name}.", plan.reasons))
    facts = [
        f"  {name}: {value:,.1f}" if isinstance(value, float) else f"  {name}: {value}"
        for name, value in plan.facts.items()
        if isinstance(value, str | float)
    ]
    if facts:
        blocks.append("\n".join(["facts", *facts]))
    return "\n\n".join(block for block in blocks if block)


def _block(title: str, part: Any, prefix: str, reasons: Any) -> str:
    rows: list[tuple[str, str, str]] = []
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        reason = reasons.get(prefix + field.name)
        if field.name in HIDDEN or dataclasses.is_dataclass(value):
            continue
        if reason is None and _is_default(field, value):
            continue
        if isinstance(value, Mapping):
            rows += [(name, shown(one), reasons.get(prefix + name, "")) for name, one in value.items()]
            continue
        rows.append((field.name, shown(value), reason or ""))
    if not rows:
        return ""
    name_width = max(len(name) for name, _, _ in rows)
    value_width = min(44, max(len(value) for _, value, _ in rows))
    lines = [
        f"  {name:<{name_width}}  {value:<{value_width}}{'  # ' + why if why else ''}".rstrip()
        for name, value, why in rows
    ]
    return "\n".join([title, *lines])


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return bool(value == field.default)


def shown(value: Any) -> str:
    """A value as a person would type it."""
    if isinstance(value, tuple | list):
        return " ".join(str(item) for item in value) or "(none)"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)
