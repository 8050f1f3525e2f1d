"""What a run will do, decided: frozen plans without live objects, written to ``plan.json`` and read back.

Knows no torch and reads nothing: ``facts.py`` looks at the world, the resolvers beside this module decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from swift.trainers.config import TrainerConfig

Dtype = Literal["bf16", "fp16", "fp32"]
Truncation = Literal["delete", "truncation_left", "truncation_right", "split", "raise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """The model to load. ``path`` is a local folder; ``dtype`` the dtype of the frozen or trained weights.

    ``attention`` is an attention implementation as transformers names it, or ``varlen`` (ours: per sample, no mask).
    ``revision`` None is the catalog's; ``device`` is ``cpu``, ``cuda``, ``mps`` or a device map. ``quantization`` says how
    weights in few bits are held (see `plan.quant`), None: they are plain. ``reads_images``: prompts may hold images.
    """

    model_type: str | None
    path: str
    hub_id: str | None = None
    use_hf: bool = False
    revision: str | None = None
    architecture: str
    loader: str
    dtype: Dtype
    attention: str
    device: str
    device_map: Any = None
    max_memory: tuple[str, ...] = ()
    trust_remote_code: bool = False
    rope_scaling: Mapping[str, Any] | None = None
    max_model_len: int | None = None
    quantization: Mapping[str, Any] | None = None
    num_parameters: int | None = None
    reads_images: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatePlan:
    """How messages become tokens. ``template_type`` None: the tokenizer's own chat template is used.

    ``system`` None keeps the template's default, an empty string removes it. ``max_length`` None lifts the limit (tokens).
    ``date`` (YYYY-MM-DD) is what a template that states a date writes. ``last_round``: only what follows the last question
    is trained. ``loss_scale``: weights inside an answer, a preset's name or the table as JSON text.
    """

    template_type: str | None
    system: str | None = None
    max_length: int | None = None
    truncation: Truncation = "delete"
    tools_prompt: str = "react_en"
    enable_thinking: bool | None = None
    date: str | None = None
    train_on_inputs: bool = False
    last_round: bool = False
    permissive_special_tokens: bool = False
    loss_scale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlan:
    """Which rows are read, how they are split, mixed and packed. ``max_length`` is in tokens, None without limit.

    ``lazy``: rows are encoded when they are used, not beforehand.
    ``names`` and ``authors`` are (Chinese, English) values of the self-cognition placeholders.
    ``streaming``: rows are read while training goes on, ``stream_buffer`` of them at a time, after ``stream_val`` rows that
    validate. ``mix_strategy`` (None: one after the other; those of a stream take turns) and ``weights`` (one for each item
    of ``dataset``; empty: equal) say how sources become one. ``shard`` (i, n), i from 0, keeps the rows whose number leaves i
    when divided by n.
    """

    dataset: tuple[str, ...]
    val_dataset: tuple[str, ...] = ()
    test_ratio: float = 0.0
    seed: int = 42
    shuffle: bool = True
    max_length: int | None = None
    split_long: bool = False
    lazy: bool = False
    packing: bool = False
    padding_free: bool = True
    group_by_length: bool = False
    strict: bool = False
    check_strategy: str = "none"
    max_lost_ratio: float = 0.5
    cache_dir: str | None = None
    num_proc: int = 1
    use_hf: bool = False
    names: tuple[str | None, str | None] = (None, None)
    authors: tuple[str | None, str | None] = (None, None)
    streaming: bool = False
    stream_buffer: int = 16384
    stream_val: int = 0
    mix_strategy: str | None = None
    weights: tuple[float, ...] = ()
    shard: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerPlan:
    """The tuning method and its settings; ``options`` are the arguments of its group that it reads.

    ``code`` is "module:attribute" of the method's class, from its row. ``layers`` are the numbers of the layers that it goes
    to (empty: all).
    """

    sft_type: str
    code: str | None = None
    target_modules: tuple[str, ...] = ()
    target_regex: str | None = None
    layers: tuple[int, ...] = ()
    modules_to_save: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratePlan:
    """Sampling settings that were given; None follows the model's generation_config. Lengths in tokens."""

    max_new_tokens: int = 2048
    do_sample: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    num_beams: int = 1
    stop: tuple[str, ...] = ()
    seed: int = 42
    min_p: float | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """One training run. ``reasons`` maps "part.field" to why it has its value."""

    command: str
    run_dir: str
    seed: int
    model: ModelPlan
    template: TemplatePlan
    data: DataPlan
    tuner: TunerPlan
    trainer: TrainerConfig
    generate: GeneratePlan
    resume_from: str | None = None
    resume_only_model: bool = False
    verify_template: bool = True
    register_path: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterPlan:
    """An adapter that requests may ask for by ``name``; ``path`` is its folder."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePlan:
    """An engine that runs as a process of its own. ``environment`` names what has its packages, ``python`` is the interpreter
    there. ``options`` are the arguments that its row names, each with a value.

    ``context`` in tokens, None: the model's. ``cache_gib``: memory of the key/value cache where it is not a share of a GPU's.
    ``adapters`` are served by name from the start; ``enable_lora``: further ones may be loaded.
    ``config_overrides`` are laid over the model's config.json. ``pooling``: it is started for vectors, and answers no prompt.
    ``pictures``: the most images of one prompt (0: it is given none).
    """

    name: str
    environment: str
    python: str | None = None
    context: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    cache_gib: float | None = None
    adapters: tuple[AdapterPlan, ...] = ()
    enable_lora: bool = False
    config_overrides: Mapping[str, Any] | None = None
    pooling: Literal["mean", "last"] | None = None
    pictures: int = 0
    seed: int = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class InferPlan:
    """One inference run: ``model`` is the base; ``adapter`` the checkpoint folder laid over it with ``tuner``, if any.

    ``engine`` is set where ``backend`` is a process. ``adapters`` are loaded beside the model and asked for by name; ``default_adapter`` is the one of them that answers where nobody asks for another.

    ``data`` None: a chat in the terminal. ``result_path`` is where answers are written (JSON lines). ``verbose`` None is
    decided by the number of rows. ``merge``: fold the adapter in first, and answer with the result.
    ``generation_config_path``: the file that the sampling settings are written to, if asked for.

    Of rows: ``best_of`` answers are drawn and one chosen ``best_by`` its mean log-probability or the majority of texts;
    ``logprobs`` (with that many alternatives) are written; ``resume``: an unfinished result file of the same rows and settings
    is continued; ``score_labels``: perplexity and token accuracy of the labels are measured.

    ``max_pixels``: images with more shrink to so many (-1: none does).
    """

    command: str
    model: ModelPlan
    template: TemplatePlan
    generate: GeneratePlan
    backend: str
    adapter: str | None = None
    tuner: TunerPlan | None = None
    merge: MergePlan | None = None
    engine: EnginePlan | None = None
    adapters: tuple[AdapterPlan, ...] = ()
    default_adapter: str | None = None
    data: DataPlan | None = None
    stream: bool = True
    verbose: bool | None = None
    show_dataset_sample: int = -1
    result_path: str | None = None
    max_batch_size: int = 8
    context: int | None = None
    generation_config_path: str | None = None
    best_of: int = 1
    best_by: str = "logprob"
    logprobs: int | None = None
    resume: bool = True
    score_labels: bool = True
    max_pixels: int = -1
    verify_template: bool = True
    use_hf: bool = False
    register_path: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answers_images(self) -> bool:
        """Whether prompts may hold images."""
        return self.model.reads_images and (self.engine is None or self.engine.pictures > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertPlan:
    """Write the adapter of ``checkpoint`` to ``target`` as peft lays it out; None: it is laid out so already. ``base`` is what
    the checkpoint says of its model.
    """

    checkpoint: str
    target: str | None
    base: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinePlan:
    """Several adapters as one: ``weights`` belong to ``checkpoints`` in order. ``density`` is the share of values that is kept
    (None: all); ``seed`` chooses where chance does. ``tuners``: the method of each, where what they change is combined; empty
    where their factors are.
    """

    combination: str
    checkpoints: tuple[str, ...]
    weights: tuple[float, ...]
    tuners: tuple[TunerPlan, ...] = ()
    density: float | None = None
    seed: int = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """Fold the adapter of ``checkpoint`` into ``model`` (held in the dtype it is saved in) and write ``target``; with
    ``combine``, the one that several make.

    ``replace``: a merge that is there already is made again; otherwise it is used if it was made from the same base and
    adapter. ``template`` encodes the prompts that the proof runs on. ``trained_over`` names the weights in few bits that the
    adapter was trained over, where it was.
    """

    command: str
    model: ModelPlan
    template: TemplatePlan
    checkpoint: str
    tuner: TunerPlan
    target: str
    trained_over: str | None = None
    combine: CombinePlan | None = None
    safetensors: bool = True
    replace: bool = True
    use_hf: bool = False
    register_path: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """What ``swift export`` makes of a checkpoint: first ``convert``, then ``merge``; None for what was not asked for."""

    command: str
    checkpoint: str
    convert: ConvertPlan | None = None
    merge: MergePlan | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
