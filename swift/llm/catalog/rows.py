"""The row classes of the catalog: facts about models, templates, data sets and tuners, as frozen literals.

Rows name code as ``"module:attribute"`` and never import it. This module knows no torch and no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One checkpoint of a family: its 2.x name and its hub ids (``ms`` ModelScope, ``hf`` Hugging Face).

    ``path`` in place of an id: a folder inside a package, as ``"package:folder"``.
    ``template``, ``lora_targets``, ``requires``, ``tags`` override the family's where given. ``quant`` is (method, bits)
    of a checkpoint that is quantised already; ``dtype`` the load dtype it insists on.
    """

    name: str
    ms: str | None = None
    hf: str | None = None
    path: str | None = None
    template: str | None = None
    lora_targets: tuple[str, ...] | None = None
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    quant: tuple[str, int] | None = None
    dtype: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFamily:
    """A family: one architecture, one loader, one default template and default LoRA targets, and its sizes.

    ``architectures`` are the names in ``config.json``. ``chat_templates`` are fingerprints (see ``plan.match``) of official
    chat templates that tell families of one architecture apart; ``swift.llm.catalog.registries`` flattens a family into rows.
    """

    family: str
    architectures: tuple[str, ...]
    template: str
    lora_targets: tuple[str, ...]
    sizes: tuple[Size, ...]
    loader: str = "swift.llm.model.loaders:causal_lm"
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    trust_remote_code: bool = False
    chat_templates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One ``model_type`` in full: a family and one of its sizes, flattened. This is what ``MODEL_MAPPING`` holds.

    ``template`` None: the tokenizer's own chat template. ``lora_targets`` ``("ALL",)``: every linear layer but the head.
    """

    model_type: str
    family: str
    architectures: tuple[str, ...]
    template: str | None
    lora_targets: tuple[str, ...]
    loader: str = "swift.llm.model.loaders:causal_lm"
    ms: str | None = None
    hf: str | None = None
    path: str | None = None
    revision: str | None = None
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    quant: tuple[str, int] | None = None
    dtype: str | None = None
    trust_remote_code: bool = False
    chat_templates: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The model type, as the key of the registry."""
        return self.model_type


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRow:
    """A chat format as strings; ``{content}`` stands for the message's text. ``swift.llm.template.render`` interprets it.

    ``prefix`` opens every prompt (``{bos}`` is the tokenizer's bos token, ``{auto_bos}`` the same where the tokenizer itself
    begins texts with it, ``{eos}`` its eos token). ``system`` wraps a system text, None: the format has
    none (see ``behaviours``). ``default_system`` is used when the row gives none; ``system_always``: the block stands there
    without a text too (it then holds the ``{date}``, say; ``{head}`` is what a tool format puts in it).
    ``user``, ``tool`` wrap a turn (``tool`` None: as ``user``); ``assistant_open`` ends where generation starts;
    ``assistant`` is the answer itself; ``assistant_close`` ends an answer and carries loss; ``between``
    follows each close, and ``end`` (None: ``between``) follows the last one, without loss. ``stop`` are tokens or strings
    that end generation besides the close. ``behaviours`` are names of rules in ``swift.llm.template.behaviours``, in order; ``options`` their settings.
    ``strip`` names the roles whose text the official format trims. ``tools`` names the tool format.
    """

    name: str
    prefix: str = ""
    system: str | None = None
    default_system: str | None = None
    system_always: bool = False
    user: str = "{content}"
    tool: str | None = None
    assistant_open: str = ""
    assistant: str = "{content}"
    assistant_close: str = "{eos}"
    between: str = ""
    end: str | None = None
    stop: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()
    tools: str | None = None
    behaviours: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    generation_only: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A registered data set. One of ``ms``, ``hf``, ``path`` is given; a path is relative to ``base`` (a folder or package).

    ``columns`` renames columns onto the recognised shapes; ``conversations`` are options of the turn parser;
    ``format`` names a row format of ``swift.llm.dataset.columns`` (None: recognised by its columns).
    """

    name: str
    ms: str | None = None
    hf: str | None = None
    path: str | None = None
    base: str | None = None
    subsets: tuple[str, ...] = ()
    split: tuple[str, ...] = ("train",)
    columns: Mapping[str, str] = field(default_factory=dict)
    conversations: Mapping[str, Any] = field(default_factory=dict)
    format: str | None = None
    tags: tuple[str, ...] = ()
    help: str = ""
    huge: bool = False
    fill_names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerRow:
    """A tuning method: ``sft_type``, the code that attaches it, and what it can do.

    ``tuner`` names a class that follows ``swift.tuners.base.Tuner``; None: not in this version.
    """

    name: str
    title: str
    tuner: str | None
    paper: str = ""
    merges: bool = True
    adapter: bool = True
    help: str = ""
    status: Literal["ready", "planned"] = "ready"
