"""How an argument is declared: once, beside its default, with the text that help, pages and forms are made
from.

Knows no argument by name and parses nothing. Annotations in the group files are real objects (those files do
not postpone their evaluation), since the kind of an argument is read from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, field, fields
from typing import Any, Literal, TypeAlias

__all__ = ["GROUPS", "Json", "Kind", "Spec", "arg", "matches", "redefault", "specs"]

Json: TypeAlias = Mapping[str, Any] | str | None
Kind: TypeAlias = Literal["str", "int", "float", "bool", "list[str]", "list[int]", "list[float]", "json"]

# (annotation, kind). A list, not a dict: unions of this kind compare by value but do not all hash alike.
_KINDS: tuple[tuple[Any, Kind], ...] = (
    (str, "str"),
    (str | None, "str"),
    (int, "int"),
    (int | None, "int"),
    (float, "float"),
    (float | None, "float"),
    (bool, "bool"),
    (bool | None, "bool"),
    (Sequence[str], "list[str]"),
    (Sequence[str] | None, "list[str]"),
    (Sequence[str | None], "list[str]"),
    (Sequence[int], "list[int]"),
    (Sequence[int] | None, "list[int]"),
    (Sequence[float], "list[float]"),
    (Json, "json"),
)

# In the order of the help page.
GROUPS: Mapping[str, str] = {
    "model": "Model",
    "template": "Template",
    "dataset": "Data",
    "infer": "Inference",
    "export": "Export",
    "eval": "Evaluation of a model",
    "server": "Server",
    "rlhf": "Alignment",
    "tuner": "Tuner",
    "tuner-lora": "Tuner: LoRA",
    "tuner-full": "Tuner: full",
    "training": "Training",
    "optimizer": "Optimizer and schedule",
    "checkpoint": "Checkpoints",
    "evaluation": "Evaluation during training",
    "generation": "Generation",
    "logging": "Logging",
    "quantization": "Quantization at load time",
    "distributed": "Several devices",
    "hub": "Hub",
    "agent": "Agents and tools",
    "multimodal": "Images, video, audio",
    "long-context": "Long context",
    "rlhf-dpo": "Alignment: DPO",
    "rlhf-cpo": "Alignment: CPO and SimPO",
    "rlhf-kto": "Alignment: KTO",
    "rlhf-ppo": "Alignment: PPO",
    "vllm": "Engine: vLLM",
    "lmdeploy": "Engine: LMDeploy",
    "tuner-galore": "Tuner: GaLore",
    "tuner-lisa": "Tuner: LISA",
    "tuner-adalora": "Tuner: AdaLoRA",
    "tuner-ia3": "Tuner: IA3",
    "tuner-vera": "Tuner: VeRA",
    "tuner-boft": "Tuner: BOFT",
    "tuner-fourierft": "Tuner: FourierFT",
    "tuner-oft": "Tuner: OFT",
    "tuner-loha": "Tuner: LoHa",
    "tuner-lokr": "Tuner: LoKr",
    "tuner-miss": "Tuner: MiSS",
    "tuner-hra": "Tuner: HRA",
    "tuner-vblora": "Tuner: VB-LoRA",
    "tuner-llamapro": "Tuner: LLaMA Pro",
    "tuner-adapter": "Tuner: adapter",
    "tuner-reft": "Tuner: ReFT",
    "tuner-prompt": "Tuner: prompt tuning, prefix tuning, P-tuning",
    "misc": "Other",
}


class Spec:
    """All that is known of one argument besides its value.

    `presets` are named values beside free ones; a choice or preset may hold a number: `pissa_niter_<N>`.
    `registry` names the rows a value is taken from (`swift list <registry>` shows them). `path` is "always"
    for a path, "maybe" for a value that is a path only if such a file exists, "keep" for JSON that stays in
    its file. `commas` splits a single item. `inherit` marks what a checkpoint's saved arguments hand on.
    `renamed` maps old values to new ones.
    """

    __slots__ = (
        "aliases", "choices", "commas", "default", "deprecated", "group", "help", "inherit", "kind",
        "metavar", "name", "path", "positional", "presets", "registry", "renamed", "starred",
    )  # fmt: skip

    def __init__(
        self,
        help: str,
        group: str,
        *,
        choices: Sequence[Any] | None = None,
        presets: Sequence[str] = (),
        registry: str | None = None,
        aliases: Sequence[str] = (),
        deprecated: str | None = None,
        starred: bool = False,
        inherit: bool = False,
        path: Literal["always", "maybe", "keep"] | None = None,
        commas: bool = False,
        renamed: Mapping[str, str] | None = None,
        metavar: str | None = None,
        positional: bool = False,
    ) -> None:
        self.name = ""
        self.kind: Kind = "str"
        self.default: Any = None
        self.help = help
        self.group = group
        self.choices = None if choices is None else tuple(choices)
        self.presets = tuple(presets)
        self.registry = registry
        self.aliases = tuple(aliases)
        self.deprecated = deprecated
        self.starred = starred
        self.inherit = inherit
        self.path = path
        self.commas = commas
        self.renamed = dict(renamed or {})
        self.metavar = metavar
        self.positional = positional

    def bound(self, owner_field: Field[Any]) -> Spec:
        """Return a copy that knows the field it belongs to."""
        copy = Spec.__new__(Spec)
        for slot in Spec.__slots__:
            setattr(copy, slot, getattr(self, slot))
        copy.name = owner_field.name
        copy.kind = _kind(owner_field)
        copy.default = None if owner_field.default is MISSING else owner_field.default
        return copy


def arg(default: Any, help: str, group: str, **options: Any) -> Any:
    """Declare a field. `default` None means "decided later, from the rest"; `options` are those of `Spec`."""
    return field(default=default, metadata={"spec": Spec(help, group, **options)})


def redefault(base: type, name: str, default: Any, *, help: str | None = None, **changed: Any) -> Any:
    """Declare again a field of `base`, with another default and perhaps other choices, group or text."""
    spec: Spec = base.__dataclass_fields__[name].metadata["spec"]  # type: ignore[attr-defined]
    options = {key: getattr(spec, key) for key in Spec.__slots__ if key not in ("name", "kind", "default")}
    options |= {"help": help or spec.help, **changed}
    return field(default=default, metadata={"spec": Spec(**options)})


_SPECS: dict[type, Mapping[str, Spec]] = {}


def specs(arguments: type) -> Mapping[str, Spec]:
    """Return what is known of every argument of a class, by name, in the order of declaration."""
    if arguments not in _SPECS:
        _SPECS[arguments] = {one.name: one.metadata["spec"].bound(one) for one in fields(arguments)}
    return _SPECS[arguments]


def _kind(one: Field[Any]) -> Kind:
    for annotation, kind in _KINDS:
        if one.type == annotation:
            return kind
    raise TypeError(f"argument {one.name}: no kind for the annotation {one.type!r}")


def matches(value: Any, choice: Any) -> bool:
    """Whether `value` is `choice`, where `<N>` in a choice stands for a whole number."""
    if isinstance(choice, str) and "<N>" in choice:
        pattern = re.escape(choice).replace("<N>", r"\d+")
        return isinstance(value, str) and re.fullmatch(pattern, value) is not None
    return type(value) is type(choice) and bool(value == choice)
