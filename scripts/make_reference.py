"""Write docs/arguments.md and docs/methods.md from the arguments and the rows themselves: a text is written once, beside what it
is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swift.cli.commands import COMMANDS
from swift.llm.arguments.fields import GROUPS, Spec, specs
from swift.llm.catalog.registries import TUNER_MAPPING
from swift.llm.list import abilities
from swift.trainers.optimizers.table import ALIASES, OPTIMIZERS
from swift.utils.lazy import load

TARGET = Path(__file__).resolve().parents[1] / "docs" / "arguments.md"
METHODS = TARGET.with_name("methods.md")
DOCUMENTED = ("sft", "pt", "infer", "merge-lora", "export", "list")


def shown(value: Any) -> str:
    """A default as somebody would type it."""
    if value is None:
        return "decided by the plan"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{' '.join(str(item) for item in value if item is not None)}`" if any(value) else "none"
    return f"`{value}`" if value != "" else "empty"


def row(spec: Spec) -> str:
    """One argument as a line of a table."""
    choices = f" One of {', '.join(f'`{choice}`' for choice in spec.choices)}." if spec.choices else ""
    also = f" Also {', '.join(f'`--{alias}`' for alias in spec.aliases)}." if spec.aliases else ""
    old = f" Retired: use {spec.deprecated}." if spec.deprecated else ""
    text = (spec.help + choices + also + old).replace("|", "\\|").replace("\n", " ")
    return f"| `--{spec.name}` | {spec.kind} | {shown(spec.default)} | {text} |"


def lines() -> Iterator[str]:
    """The page, line by line."""
    yield "# Arguments"
    yield ""
    yield "Made by `scripts/docs` from `swift/llm/arguments/`. `swift <command> --help` shows the same."
    for command in COMMANDS.values():
        if command.name not in DOCUMENTED or not command.arguments:
            continue
        yield f"\n## swift {command.name}\n"
        yield f"{command.help[0].upper()}{command.help[1:]}.\n"
        known = specs(load(command.arguments))
        for group, title in GROUPS.items():
            members = [spec for spec in known.values() if spec.group == group]
            if members:
                yield f"\n### {title}\n"
                yield "| option | type | default | meaning |\n| --- | --- | --- | --- |"
                yield from (row(spec) for spec in members)
    yield "\n## Values of --optim\n"
    yield "Other words for the same: " + ", ".join(f"`{alias}` ({name})" for alias, name in ALIASES.items()) + ".\n"
    yield "| optimizer | what it is | needs | GaLore over it |\n| --- | --- | --- | --- |"
    for one in OPTIMIZERS.values():
        needs = ", ".join(
            [
                *([f"`{one.requires}`"] if one.requires else []),
                *(place for place in one.devices if "cpu" not in one.devices),
            ]
        )
        yield f"| `{one.name}` | {one.title} | {needs} | {'yes' if one.galore else ''} |"


def page() -> str:
    """The whole page."""
    return "\n".join(lines()) + "\n"


OF_METHODS = """# What each tuning method can do

Made by `scripts/docs` from the rows of `swift/llm/catalog/tuners.py`; `swift list tuners` shows the same, with what each method does.
Costs and losses side by side are in [tuners.md](tuners.md).

- **merges**: `swift merge-lora` folds the checkpoint into plain weights, and proves that these answer alike. Checkpoints of full
  tuning and LLaMA Pro are whole models already.
- **combines**: `swift merge-lora --more_ckpt_dirs` makes one of several. *changes*: by what each adapter changes in the weights
  (`--combination linear`, `ties`, `dare_linear`, `dare_ties`, `magnitude_prune`), also together with adapters of other methods that
  merge. *factors*: PEFT's ways besides (`svd`, `ties_svd`, ..., `ties_factors`, ...).
- **answers unmerged**: `swift infer --ckpt_dir` lays the checkpoint over its base; *one by one*: without batches.
- **over packed weights**: can be trained over weights in few bits of these kinds. Kinds that are read as plain weights
  (compressed-tensors, fp8, mxfp4) suit every adapter.

Several adapters are combined tensor by tensor: each is folded alone into the base in fp32, what it changes is written to a folder
beside the target, and that folder is gone when the sum stands. TIES follows arXiv:2306.01708 and DARE arXiv:2311.03099, on one weight
at a time; the sum of `--adapter_weights` is what the papers call lambda.

Adapters of the older own layout (`default/adapter_config.json` with `swift_type`; LoRA only) are read wherever a checkpoint is;
`swift export --to_peft_format true` rewrites them as `<ckpt_dir>-peft`.

`--tuner_backend unsloth` (lora and full) loads and attaches through unsloth where a GPU and the package are. Its interface is tested
against a stand-in; it has not been run on a GPU yet.
"""


def methods_page() -> str:
    """What each method can do, as a page."""
    head = "| sft_type | merges | combines | answers unmerged | over packed weights | method |\n| --- | --- | --- | --- | --- | --- |"
    rows = [
        f"| `{one.name}` | {' | '.join(abilities(one))} | [{one.title}]({one.paper}) |"
        if one.paper
        else f"| `{one.name}` | {' | '.join(abilities(one))} | {one.title} |"
        for one in TUNER_MAPPING.values()
        if one.tuner is not None
    ]
    return "\n".join([OF_METHODS, head, *rows]) + "\n"


if __name__ == "__main__":
    for target, text in ((TARGET, page()), (METHODS, methods_page())):
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target}")
