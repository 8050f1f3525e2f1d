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

    ``size`` is the number of parameters (``"3.8b"``) where neither id nor name says it.
    ``other_ids`` are further hub ids of the same checkpoint (an organisation that was renamed, a mirror).
    ``path`` in place of an id: a folder inside a package, as ``"package:folder"``.
    ``template``, ``lora_targets``, ``modality``, ``task`` override the family's where given; ``requires`` and ``tags`` add to
    it. ``quant`` is (method, bits) of a checkpoint that is quantised already; ``dtype`` the load dtype it insists on.
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
    other_ids: tuple[str, ...] = ()
    modality: tuple[str, ...] | None = None
    task: str | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFamily:
    """A family: one architecture, one loader, one default template and default LoRA targets, and its sizes.

    ``architectures`` are the names in ``config.json``. ``chat_templates`` are fingerprints (see ``plan.match``) of official
    chat templates that tell families of one architecture apart; ``swift.llm.catalog.registries`` flattens a family into rows.
    ``modality`` says what the model reads (``text``, ``image``, ``video``, ``audio``), ``task`` what it is made for
    (``causal_lm``, ``embedding``, ``reranker``, ``reward``, ``masked_lm``, ``speech_to_text``). ``language_prefixes`` are the
    modules of the language model inside a model that reads media: ``ALL`` among the default targets means the linear layers
    under these, never those of a vision tower or an aligner.
    """

    family: str
    architectures: tuple[str, ...]
    template: str | None
    lora_targets: tuple[str, ...]
    sizes: tuple[Size, ...]
    loader: str = "swift.llm.model.loaders:causal_lm"
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    trust_remote_code: bool = False
    chat_templates: tuple[str, ...] = ()
    modality: tuple[str, ...] = ("text",)
    task: str = "causal_lm"
    language_prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One ``model_type`` in full: a family and one of its sizes, flattened. This is what ``MODEL_MAPPING`` holds.

    ``template`` None: the tokenizer's own chat template. ``lora_targets`` ``("ALL",)``: every linear layer but the head, in a
    model that reads media only those under ``language_prefixes``.
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
    other_ids: tuple[str, ...] = ()
    modality: tuple[str, ...] = ("text",)
    task: str = "causal_lm"
    language_prefixes: tuple[str, ...] = ()
    size: str | None = None

    @property
    def name(self) -> str:
        """The model type, as the key of the registry."""
        return self.model_type

    @property
    def hub_ids(self) -> tuple[str, ...]:
        """Every id under which a hub has it."""
        return tuple(one for one in (self.ms, self.hf, *self.other_ids) if one)

    @property
    def default_targets(self) -> tuple[str, ...]:
        """``lora_targets`` as ``swift.tuners.targets`` reads them: ``ALL`` inside a prefix is ``<prefix>.ALL``."""
        if not self.language_prefixes:
            return self.lora_targets
        return tuple(
            target
            for name in self.lora_targets
            for target in (tuple(f"{prefix}.ALL" for prefix in self.language_prefixes) if name == "ALL" else (name,))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRow:
    """A chat format as strings; ``{content}`` stands for the message's text. ``swift.llm.template.render`` interprets it.

    ``prefix`` opens every prompt (``{bos}`` is the tokenizer's bos token, ``{auto_bos}`` the same where the tokenizer itself
    begins texts with it, ``{eos}`` its eos token). ``system`` wraps a system text, None: the format has
    none (see ``behaviours``). ``default_system`` is used when the row gives none; ``system_always``: the block stands there
    without a text too (it then holds the ``{date}``, say; ``{head}`` is what a tool format puts in it).
    ``user``, ``tool`` wrap a turn (``tool`` None: as ``user``); ``assistant_open`` ends where generation starts;
    ``assistant`` is the answer itself; ``assistant_close`` ends an answer and carries loss; ``between``
    follows each close, and ``end`` (None: ``between``) follows the last one, without loss. ``last_close`` (None:
    ``assistant_close``) ends an answer that nothing follows, for formats that close earlier answers otherwise or not at all.
    ``{id:7}`` in any of these is the token of that id. ``stop`` are tokens or strings that end generation besides the close. ``behaviours`` are names of rules in ``swift.llm.template.behaviours``, in order; ``options`` their settings.
    ``strip`` names the roles whose text the official format trims. ``tools`` names the tool format. ``aliases`` are further
    names of the same format. ``own_template``: the format is a program more than strings, so the tokenizer's own chat template
    is used, and nothing else here counts.
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
    last_close: str | None = None
    between: str = ""
    end: str | None = None
    stop: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()
    tools: str | None = None
    behaviours: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    generation_only: bool = False
    own_template: bool = False
    note: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A registered data set. One of ``ms``, ``hf``, ``path`` is given; a path is relative to ``base`` (a folder or package).

    ``columns`` renames columns onto the recognised shapes; ``conversations`` are options of the turn parser;
    ``format`` names a row format of ``swift.llm.dataset.formats``, with a prompt style behind a colon where one is meant
    (None: recognised by its columns). ``prompt`` is a format of one's own: the columns and the texts around them, as
    ``swift.llm.dataset.formats.custom`` reads them. ``keep_columns``: columns that no format reads travel with the row.
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
    prompt: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    help: str = ""
    huge: bool = False
    fill_names: bool = False
    keep_columns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerRow:
    """A tuning method: ``sft_type``, the code that attaches it, and what it can do.

    ``tuner`` names a class that follows ``swift.tuners.base.Tuner``; None: not in this version. ``settings`` names the class
    that reads ``arguments``, those of the command line that are this method's (some are of several methods). ``adapter``: a
    checkpoint is laid over its base, otherwise it is a whole model; ``placed``: the adapter goes where --target_modules says;
    ``combines``: several of its adapters can be combined by their factors, as peft does it (by what they change in the weights, those
    of every method that merges can); ``padded``: it needs samples in rows of their own, ``recomputes``
    False: it does not work with gradient checkpointing.
    """

    name: str
    title: str
    tuner: str | None
    settings: str | None = None
    arguments: tuple[str, ...] = ()
    paper: str = ""
    merges: bool = True
    adapter: bool = True
    placed: bool = True
    combines: bool = False
    padded: bool = False
    recomputes: bool = True
    help: str = ""
    status: Literal["ready", "planned"] = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantRow:
    """A way of holding weights in few bits.

    ``spellings`` are further names that ``quantization_config`` of a ``config.json`` uses. ``bits`` are the widths that plain
    weights can be quantised to while they are loaded, empty: only files that are quantised already are read. ``requires`` are
    packages (with the least version) that run such weights, ``adapter_requires`` those that an adapter over them needs besides;
    ``gpu``: nothing runs without one. ``adapters`` are the tuning methods that work over the packed weights. ``expands``: the
    weights can be turned into plain ones while they are loaded; training does that, so everything works on them.
    """

    name: str
    title: str
    spellings: tuple[str, ...] = ()
    bits: tuple[int, ...] = ()
    requires: tuple[str, ...] = ()
    adapter_requires: tuple[str, ...] = ()
    gpu: bool = False
    adapters: tuple[str, ...] = ()
    expands: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRow:
    """An engine that answers. ``environment`` names what has its packages, None: it runs in this process.

    ``module`` has its ``command`` and ``variables``, ``dialect`` is the class that speaks with it. ``arguments`` are those of the
    command line that are this engine's. ``gpu``: nothing runs without one. ``adapters``: it serves adapters by name; ``grammars``: it keeps
    answers to a grammar; ``keyed``: it asks for a key that only we know; ``embeddings``: it can be started for vectors
    instead of answers; ``pictures``: it reads images itself, and the architectures of which it was seen to read them as the
    model's own processor does.
    """

    name: str
    title: str
    environment: str | None = None
    module: str | None = None
    dialect: str | None = None
    arguments: tuple[str, ...] = ()
    gpu: bool = False
    adapters: bool = False
    grammars: bool = False
    keyed: bool = False
    embeddings: bool = False
    pictures: tuple[str, ...] = ()
    help: str = ""
