"""The keys of axolotl's configuration files, as swift's arguments. Rows first, then one small function per
key that needs one.

Works on both sources: `base_model: x` in a file and `--base_model x` at the prompt. A key whose argument does
not exist yet is a problem that says so; one that is empty or switched off asks for nothing and is passed
over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from swift.cli.dialect_data import TEMPLATES, read_entries
from swift.cli.dialect_keys import ABSENT, EXCLUSIVE, NO_EFFECT, PASSED_ON, RENAMED
from swift.cli.parser import Given

__all__ = ["KEYS", "Translation", "other_command", "translate"]

_TRACKERS = {
    "wandb": (
        "wandb_project",
        "wandb_mode",
        "wandb_entity",
        "wandb_watch",
        "wandb_name",
        "wandb_run_id",
        "wandb_log_model",
    ),
    "mlflow": ("mlflow_tracking_uri", "mlflow_experiment_name", "hf_mlflow_log_artifacts"),
}
_ADAPTER_COMMANDS = ("infer", "merge-lora", "export", "eval", "app-ui", "deploy")


class Translation:
    """What the keys became: `items` in swift's names, translated ones first so that native ones win."""

    def __init__(self) -> None:
        self.items: list[Given] = []
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.environment: dict[str, str] = {}


def other_command(command: str, items: Sequence[Given]) -> tuple[str, str] | None:
    """Return the command that the keys of a file ask for and the key that does, if `sft` was typed."""
    given = {item.name for item in items if item.data not in (None, False, "")}
    if command == "sft" and "rl" in given:
        return "rlhf", "rl"
    if command == "sft" and "pretraining_dataset" in given:
        return "pt", "pretraining_dataset"
    return None


def translate(items: Sequence[Given], command: str, names: Mapping[str, str], *, from_file: bool) -> Translation:
    """Translate the keys that `names` (every name and alias of the command's arguments) does not have."""
    return _Translator(items, command, names, from_file).run()


class _Translator:
    """One pass over the keys. A method `key_<name>` translates the key of that name."""

    def __init__(self, items: Sequence[Given], command: str, names: Mapping[str, str], from_file: bool) -> None:
        self.result = Translation()
        self.command = command
        self.names = names
        self.from_file = from_file
        self.given = {item.name: item for item in items}
        self.foreign = {name for name in self.given if name in KEYS and self._is_foreign(name)}
        self.covered: set[str] = set()
        self.merged: dict[str, Given] = {}

    def run(self) -> Translation:
        """Translate; native names keep their place behind, and unknown ones go through to be reported."""
        if self.from_file:
            self._refuse_pairs()
        for name, item in self.given.items():
            if name in self.foreign:
                self._translate(name, item)
        for name, merged in self.merged.items():
            if name in self.given:
                self.result.problems.append(f"{merged.where}: goes into {name}, which is given too; put it in there")
            self.put(name, merged.raw, merged)
        if self.from_file and self.foreign:
            self._other_defaults()
        native = [item for name, item in self.given.items() if name not in self.foreign | self.covered]
        said = {self.names[item.name] for item in native if item.name in self.names and item.raw is not None}
        self.result.items = [item for item in self.result.items if item.name not in said] + native
        return self.result

    def put(self, name: str, value: Any, origin: Given) -> None:
        """Set an argument; one that this command does not have (a training option in `infer`) asks for
        nothing.
        """
        if name in self.names:
            self.result.items.append(origin._replace(name=name, raw=value, data=value))

    def add(self, name: str, more: Mapping[str, Any], origin: Given) -> None:
        """Add entries to an argument that is a mapping and that several keys fill."""
        earlier = self.merged.get(name, origin._replace(raw={}))
        self.merged[name] = earlier._replace(raw={**earlier.raw, **more})

    def absent(self, origin: Given, what: str = "", hint: str = "") -> None:
        """Report that there is no counterpart yet."""
        hint = f" ({hint})" if hint else ""
        self.result.problems.append(
            f"{origin.where}: {what or 'this key'} has no counterpart in this version yet{hint}"
        )

    def wrong(self, origin: Given, expected: str) -> None:
        """Report a value that cannot be understood."""
        self.result.problems.append(f"{origin.where}: {origin.raw!r} is not {expected}")

    def note(self, origin: Given, text: str) -> None:
        """Add a sentence for the log."""
        self.result.notes.append(f"{origin.where}: {text}")

    def _is_foreign(self, name: str) -> bool:
        """Whether the key is to be read as the other dialect has it; a few names mean something in both."""
        data = self.given[name].data
        if name == "model_type":
            return isinstance(data, str) and (data.endswith("ForCausalLM") or data.startswith("AutoModel"))
        if name == "fsdp":
            return isinstance(data, list)
        if name == "optim_args":
            return str(self.given["optimizer"].data if "optimizer" in self.given else "").startswith("galore_")
        return name not in self.names

    def _translate(self, name: str, item: Given) -> None:
        value = item.data
        if value is None or value == "" or value == []:
            return
        if name in RENAMED:
            self.put(RENAMED[name], item.raw, item)
        elif name in PASSED_ON:
            if value is not False:
                self.add("hf_args", {name: value}, item)
        elif name in NO_EFFECT:
            self.note(item, f"no effect: {NO_EFFECT[name]}")
        elif name in ABSENT:
            if value not in (False, 0, {}):
                self.absent(item, hint=ABSENT[name])
        else:
            method: Callable[[Given, Any], None] = getattr(self, f"key_{name}")
            method(item, value)

    def _refuse_pairs(self) -> None:
        for first, second in EXCLUSIVE:
            one, other = self.given.get(first), self.given.get(second)
            if one and other and one.data and other.data:
                self.result.problems.append(
                    f"{other.where}: cannot stand beside {first} in one file; remove one of them"
                )

    def _other_defaults(self) -> None:
        """What the other dialect does where its file is silent, and swift would do otherwise."""
        first = next(self.given[name] for name in self.given if name in self.foreign)
        origin = first._replace(source=f"{first.source.rpartition(':')[0]}, as such a file has it by default")
        if self.command not in ("sft", "pt", "rlhf"):
            return
        if not self._says("adapter", "sft_type", "s2_attention", "lora_model_dir"):
            self.put("sft_type", "full", origin)
            self.result.notes.append("no adapter in the file: all weights are trained (sft_type full)")
        for steps, per_epoch, strategy in (
            ("eval_steps", "evals_per_epoch", "evaluation_strategy"),
            ("save_steps", "saves_per_epoch", "save_strategy"),
        ):
            if not self._says(steps, per_epoch, strategy):
                self.put(strategy, "epoch", origin)
                self.result.notes.append(f"no {steps} in the file: {strategy} is epoch")
        if self._says("output_dir"):
            self.put("add_output_dir_suffix", False, self.given["output_dir"])

    def _says(self, *names: str) -> bool:
        return any(name in self.given and self.given[name].data not in (None, "") for name in names)

    def _is_on(self, item: Given) -> bool:
        """Whether a switch is on; anything but true and false is reported."""
        if not isinstance(item.data, bool):
            self.wrong(item, "true or false")
        return item.data is True

    # -- model and precision ---------------------------------------------------------------------------------

    def key_model_type(self, item: Given, value: Any) -> None:
        """A class of transformers, where swift has a registry key."""
        if value.startswith("AutoModel") and value != "AutoModelForCausalLM":
            self.absent(item, f"the class {value}")
        elif value != "AutoModelForCausalLM":
            self.note(item, "the class is taken from the model's own config")

    def key_tokenizer_type(self, item: Given, value: Any) -> None:
        """Only the automatic choice is there."""
        if value != "AutoTokenizer":
            self.absent(item, f"the class {value}")

    def key_tokenizer_use_fast(self, item: Given, value: Any) -> None:
        """Slow tokenizers are not there."""
        if not self._is_on(item):
            self.absent(item, "a slow tokenizer")

    def key_overrides_of_model_config(self, item: Given, value: Any) -> None:
        """Of all overrides, the kind of position scaling has an argument."""
        if not isinstance(value, Mapping):
            self.wrong(item, "a mapping")
            return
        rest = [key for key in value if key != "rope_scaling"]
        scaling = value.get("rope_scaling")
        if isinstance(scaling, Mapping):
            if "type" in scaling:
                self.put("rope_scaling", scaling["type"], item)
            rest += [f"rope_scaling.{key}" for key in scaling if key != "type"]
        if rest:
            self.absent(item, ", ".join(rest))

    def key_max_memory(self, item: Given, value: Any) -> None:
        """A mapping from GPU to size becomes the list of sizes."""
        if not isinstance(value, Mapping):
            self.wrong(item, "a mapping from GPU to size")
            return
        gpus = {str(key): size for key, size in value.items()}
        if sorted(gpus) != sorted(str(number) for number in range(len(gpus))):
            self.absent(item, "a limit for other devices than GPUs 0, 1, ...")
            return
        sizes = [gpus[str(number)] for number in range(len(gpus))]
        self.put(
            "device_max_memory",
            [f"{size}GiB" if isinstance(size, int) else str(size) for size in sizes],
            item,
        )

    def key_bf16(self, item: Given, value: Any) -> None:
        """`auto` leaves the choice, `full` evaluates in bf16 too."""
        if value == "full":
            self.put("dtype", "bf16", item)
            self.add("hf_args", {"bf16_full_eval": True}, item)
        elif value == "auto":
            self.put("dtype", "AUTO", item)
        elif self._is_on(item):
            self.put("dtype", "bf16", item)
        elif not self._says("fp16") or self.given["fp16"].data is False:
            self.put("dtype", "fp32", item)

    def key_fp16(self, item: Given, value: Any) -> None:
        """Off says something only where bf16 is off as well."""
        if self._is_on(item):
            if self._says("bf16") and self.given["bf16"].data is True:
                self.result.problems.append(f"{item.where}: cannot be on beside bf16; choose one")
            self.put("dtype", "fp16", item)

    def key_load_in_8bit(self, item: Given, value: Any) -> None:
        """bitsandbytes, 8 bits."""
        self._bits(item, 8)

    def key_load_in_4bit(self, item: Given, value: Any) -> None:
        """bitsandbytes, 4 bits."""
        self._bits(item, 4)

    def _bits(self, item: Given, bits: int) -> None:
        if self._is_on(item):
            if all(self._says(name) and self.given[name].data is True for name in ("load_in_4bit", "load_in_8bit")):
                self.result.problems.append(f"{item.where}: load_in_4bit and load_in_8bit exclude each other")
            self.put("quantization_bit", bits, item)
            self.put("quant_method", "bnb", item)

    def key_gptq(self, item: Given, value: Any) -> None:
        """The weights are quantized already."""
        if self._is_on(item):
            self.put("quant_method", "gptq", item)

    def key_bnb_config_kwargs(self, item: Given, value: Any) -> None:
        """Two of its settings are arguments."""
        if not isinstance(value, Mapping):
            self.wrong(item, "a mapping")
            return
        for key, setting in value.items():
            if key in ("bnb_4bit_quant_type", "bnb_4bit_use_double_quant"):
                self.put(key, setting, item)
            else:
                self.absent(item, str(key))

    # -- data ------------------------------------------------------------------------------------------------

    def key_datasets(self, item: Given, value: Any) -> None:
        """The training data."""
        self._data(item, value, "dataset")

    def key_test_datasets(self, item: Given, value: Any) -> None:
        """The validation data."""
        self._data(item, value, "val_dataset")

    def key_pretraining_dataset(self, item: Given, value: Any) -> None:
        """Plain text, as a stream."""
        self._data(item, value, "dataset")
        self.put("streaming", True, item)

    def _data(self, item: Given, value: Any, name: str) -> None:
        entries = read_entries(value, name)
        for text in entries.wrong:
            self.result.problems.append(f"{item.where}: {text}")
        for text in entries.absent:
            self.absent(item, text)
        if len(entries.templates) > 1:
            self.absent(item, "another template for each data set")
        elif entries.templates and not self._says("chat_template", "template_type"):
            self.put("template_type", entries.templates.pop(), item)
        if entries.info:
            self.add("custom_dataset_info", entries.info, item)
        self.put(name, entries.items, item)

    def key_val_set_size(self, item: Given, value: Any) -> None:
        """A share of the rows; a number of rows has no argument."""
        if isinstance(value, (int, float)) and value >= 1:
            self.absent(item, "a number of rows", "give a share below 1, or test_datasets")
        else:
            self.put("dataset_test_ratio", value, item)

    def key_eval_sample_packing(self, item: Given, value: Any) -> None:
        """Validation is packed as training is."""
        packing = self.given.get("sample_packing", self.given.get("packing"))
        if self._is_on(item) != bool(packing and packing.data):
            self.absent(item, "packing of the validation data apart from the training data")

    def key_chat_template(self, item: Given, value: Any) -> None:
        """Templates by their names here."""
        self.put("template_type", TEMPLATES.get(str(value), value), item)

    # -- method ----------------------------------------------------------------------------------------------

    def key_adapter(self, item: Given, value: Any) -> None:
        """QLoRA is LoRA over 4 bits."""
        if value == "qlora":
            self.put("sft_type", "lora", item)
            if not self._says("load_in_4bit", "load_in_8bit", "gptq"):
                self.put("quantization_bit", 4, item)
        else:
            self.put("sft_type", value, item)

    def key_lora_model_dir(self, item: Given, value: Any) -> None:
        """A trained adapter: to go on from, or to answer with."""
        if self.command in _ADAPTER_COMMANDS:
            self.put("ckpt_dir", value, item)
        else:
            self.put("resume_from_checkpoint", value, item)
            self.put("resume_only_model", True, item)

    def key_lora_target_linear(self, item: Given, value: Any) -> None:
        """Every linear layer; modules that are named beside it are among them."""
        if self._is_on(item):
            self.put("target_modules", ["ALL"], item)
            if self._says("lora_target_modules"):
                self.covered.add("lora_target_modules")
                self.note(item, "every linear layer, so lora_target_modules adds nothing")

    def key_lora_on_cpu(self, item: Given, value: Any) -> None:
        """Only a merge has an argument for it."""
        if self._is_on(item):
            if self.command in _ADAPTER_COMMANDS:
                self.put("merge_device_map", "cpu", item)
            else:
                self.absent(item, "loading an adapter on the CPU while training")

    def key_rl(self, item: Given, value: Any) -> None:
        """The alignment algorithm; ipo is a loss of dpo."""
        if value == "ipo":
            self.put("rlhf_type", "dpo", item)
            self.put("loss_type", "ipo", item)
        elif value == "kto_pair":
            self.absent(item, "kto_pair", "rlhf_type kto takes rows with a label")
        else:
            self.put("rlhf_type", value, item)

    def key_s2_attention(self, item: Given, value: Any) -> None:
        """Shifted sparse attention is LongLoRA."""
        if self._is_on(item):
            self.put("sft_type", "longlora", item)

    # -- training --------------------------------------------------------------------------------------------

    def key_optimizer(self, item: Given, value: Any) -> None:
        """GaLore is a switch beside its base optimizer."""
        name = str(value)
        if not name.startswith("galore_"):
            self.put("optim", name, item)
            return
        base = name.removeprefix("galore_").removesuffix("_layerwise")
        known = {"adamw": "adamw_torch", "adamw_8bit": "adamw_bnb_8bit", "adafactor": "adafactor"}
        if base not in known:
            self.absent(item, f"the optimizer {name}")
            return
        self.put("use_galore", True, item)
        self.put("optim", known[base], item)
        if name.endswith("_layerwise"):
            self.put("galore_optim_per_parameter", True, item)

    def key_optim_args(self, item: Given, value: Any) -> None:
        """The settings of GaLore are arguments; others go to the optimizer as they are."""
        galore = self._says("optimizer") and str(self.given["optimizer"].data).startswith("galore_")
        if not galore:
            self.put("optim_args", value, item)
            return
        if not isinstance(value, Mapping):
            self.wrong(item, "a mapping")
            return
        for key, setting in value.items():
            if key in ("rank", "update_proj_gap", "scale", "proj_type"):
                self.put(f"galore_{key}", setting, item)
            else:
                self.absent(item, str(key))

    def key_lr_scheduler(self, item: Given, value: Any) -> None:
        """Another name."""
        self.put("lr_scheduler_type", value, item)

    def key_evals_per_epoch(self, item: Given, value: Any) -> None:
        """Once an epoch, or never."""
        self._per_epoch(item, "evaluation_strategy")

    def key_saves_per_epoch(self, item: Given, value: Any) -> None:
        """Once an epoch, or never."""
        self._per_epoch(item, "save_strategy")

    def _per_epoch(self, item: Given, strategy: str) -> None:
        if item.data in (0, 1):
            self.put(strategy, "epoch" if item.data else "no", item)
        else:
            self.absent(item, "more than once an epoch", f"give {'eval' if 'eval' in item.name else 'save'}_steps")

    def key_sdp_attention(self, item: Given, value: Any) -> None:
        """torch's own attention."""
        if self._is_on(item):
            self.put("attn_impl", "sdpa", item)

    def _liger(self, item: Given, value: Any) -> None:
        if self._is_on(item):
            self.put("use_liger", True, item)

    key_flash_attn_cross_entropy = key_flash_attn_rms_norm = key_flash_attn_fuse_mlp = _liger

    # -- distribution and tracking ---------------------------------------------------------------------------

    def key_fsdp(self, item: Given, value: Any) -> None:
        """A list of words becomes the string of transformers."""
        self.put("fsdp", " ".join(str(word) for word in value), item)

    def key_hf_use_auth_token(self, item: Given, value: Any) -> None:
        """The stored login is used anyway."""
        if isinstance(value, str):
            self.put("hub_token", value, item)

    def _tracker(self, item: Given, value: Any) -> None:
        tracker = next(name for name, keys in _TRACKERS.items() if item.name in keys)
        self.result.environment[item.name.upper()] = str(value).lower() if isinstance(value, bool) else str(value)
        if not any(one.name == "report_to" for one in self.result.items):
            self.put("report_to", [tracker], item)

    key_wandb_project = key_wandb_mode = key_wandb_entity = key_wandb_watch = _tracker
    key_wandb_name = key_wandb_run_id = key_wandb_log_model = _tracker
    key_mlflow_tracking_uri = key_mlflow_experiment_name = key_hf_mlflow_log_artifacts = _tracker


KEYS: Collection[str] = frozenset(
    {*RENAMED, *PASSED_ON, *NO_EFFECT, *ABSENT}
    | {name.removeprefix("key_") for name in dir(_Translator) if name.startswith("key_")}
)
"""Every key of the other dialect that is read in some way."""
