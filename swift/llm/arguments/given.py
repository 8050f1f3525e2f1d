"""Which arguments somebody set, when they were built in Python rather than read from a command line."""

from __future__ import annotations

from typing import Any

from swift.llm.arguments.fields import specs


def given_in_python(args: Any) -> dict[str, str]:
    """Where each argument that differs from its default came from: ``SftArguments(lora_rank=…)``.

    A value equal to the default counts as left out, as it cannot be told apart.
    """
    kind = type(args)
    return {
        name: f"{kind.__name__}({name}=...)"
        for name, spec in specs(kind).items()
        if getattr(args, name) != spec.default
    }
