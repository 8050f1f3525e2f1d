"""The catalog by name: views on the rows, and the functions that add a user's own.

The rows modules are imported when a row is first asked for. Knows no torch, and none of the code that rows point at.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.util
import json
import pkgutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, TypeVar

from swift.llm.catalog.rows import DatasetRow, EngineRow, ModelFamily, ModelRow, TemplateRow, TunerRow
from swift.utils.errors import ArgumentError, DataError, SwiftError
from swift.utils.files import read_json
from swift.utils.registry import Registry, unknown

__all__ = [
    "DATASET_MAPPING",
    "ENGINE_MAPPING",
    "MODEL_MAPPING",
    "TEMPLATE_MAPPING",
    "TUNER_MAPPING",
    "expand",
    "load_custom_register",
    "load_dataset_info",
    "register_dataset",
    "register_model",
    "register_template",
]

RowT = TypeVar("RowT", ModelRow, TemplateRow, DatasetRow)
_HERE = "swift.llm.catalog"


def _modules(package: str) -> Iterator[ModuleType]:
    parent = importlib.import_module(package)
    for found in pkgutil.iter_modules(parent.__path__):
        yield importlib.import_module(f"{package}.{found.name}")


def _models() -> Iterator[tuple[ModelRow, str]]:
    for module in _modules(f"{_HERE}.models"):
        for value in vars(module).values():
            if isinstance(value, ModelFamily):
                for row in expand(value):
                    yield row, module.__name__


def _templates() -> Iterator[tuple[TemplateRow, str]]:
    for module in _modules(f"{_HERE}.templates"):
        for value in vars(module).values():
            if isinstance(value, TemplateRow):
                for name in (value.name, *value.aliases):
                    yield dataclasses.replace(value, name=name, aliases=()), module.__name__


def _datasets() -> Iterator[tuple[DatasetRow, str]]:
    for module in _modules(f"{_HERE}.datasets"):
        for value in vars(module).values():
            for row in value if isinstance(value, tuple) else (value,):
                if isinstance(row, DatasetRow):
                    yield row, module.__name__


def _tuners() -> Iterator[tuple[TunerRow, str]]:
    module = importlib.import_module(f"{_HERE}.tuners")
    for value in vars(module).values():
        if isinstance(value, TunerRow):
            yield value, module.__name__


def _engines() -> Iterator[tuple[EngineRow, str]]:
    module = importlib.import_module(f"{_HERE}.engines")
    for row in module.ENGINES:
        yield row, module.__name__


MODEL_MAPPING: Registry[ModelRow] = Registry("model_type", fill=_models)
"""Every model by its ``model_type``: ours, and those that were registered."""

TEMPLATE_MAPPING: Registry[TemplateRow] = Registry("template", fill=_templates)
"""Every chat format by its name."""

DATASET_MAPPING: Registry[DatasetRow] = Registry("data set", fill=_datasets)
"""Every data set that ``--dataset`` knows by name."""

TUNER_MAPPING: Registry[TunerRow] = Registry("sft_type", fill=_tuners)
"""Every tuning method, those that are planned included."""

ENGINE_MAPPING: Registry[EngineRow] = Registry("infer_backend", fill=_engines)
"""Every engine that answers."""


def expand(family: ModelFamily) -> tuple[ModelRow, ...]:
    """One row for each size of a family; what a size does not say, the family does."""
    return tuple(
        ModelRow(
            model_type=size.name,
            family=family.family,
            architectures=family.architectures,
            template=size.template or family.template,
            lora_targets=size.lora_targets or family.lora_targets,
            loader=family.loader,
            ms=size.ms,
            hf=size.hf,
            path=size.path,
            revision=size.revision,
            requires=(*family.requires, *size.requires),
            tags=(*family.tags, *size.tags),
            quant=size.quant,
            dtype=size.dtype,
            trust_remote_code=family.trust_remote_code,
            chat_templates=family.chat_templates,
            other_ids=size.other_ids,
            modality=size.modality or family.modality,
            task=size.task or family.task,
            language_prefixes=family.language_prefixes,
            size=size.size,
        )
        for size in family.sizes
    )


def register_model(row: ModelRow | ModelFamily | None = None, **fields: Any) -> None:
    """Add a model: a :class:`ModelRow`, a whole :class:`ModelFamily`, or the fields of a row.

    Raises ArgumentError where a field is missing, unknown or of the wrong kind, or the name is taken.
    """
    source = _caller(sys._getframe(1))
    if isinstance(row, ModelFamily) and not fields:
        for one in expand(row):
            MODEL_MAPPING.register(one, source=source)
        return
    if row is None:
        fields.setdefault("family", fields.get("model_type"))
    MODEL_MAPPING.register(_row(ModelRow, row, fields, "register_model"), source=source)


def register_template(row: TemplateRow | None = None, **fields: Any) -> None:
    """Add a chat format: a :class:`TemplateRow`, or its fields. Raises ArgumentError as :func:`register_model` does."""
    TEMPLATE_MAPPING.register(_row(TemplateRow, row, fields, "register_template"), source=_caller(sys._getframe(1)))


def register_dataset(row: DatasetRow | None = None, **fields: Any) -> None:
    """Add a data set: a :class:`DatasetRow`, or its fields. Raises ArgumentError as :func:`register_model` does."""
    made = _row(DatasetRow, row, fields, "register_dataset")
    if made.ms is None and made.hf is None and made.path is None:
        raise ArgumentError(f"register_dataset: {made.name!r} says nowhere where its data is: give ms, hf or path")
    DATASET_MAPPING.register(made, source=_caller(sys._getframe(1)))


def _row(kind: type[RowT], row: Any, fields: dict[str, Any], function: str) -> RowT:
    """The row itself, or one made from its fields, each checked by name and (roughly) by type."""
    if row is not None:
        if not isinstance(row, kind) or fields:
            raise ArgumentError(
                f"{function}: give a {kind.__name__}, or its fields by name, not {type(row).__name__} and others"
            )
        return row
    known = {one.name: one for one in dataclasses.fields(kind)}
    for name, value in fields.items():
        if name not in known:
            raise ArgumentError(f"{function}: {unknown('field', name, known)}")
        if str(known[name].type).startswith("tuple") and not isinstance(value, tuple):
            if isinstance(value, str) or not isinstance(value, list):
                raise ArgumentError(f"{function}: {name} is {value!r}; a list or tuple is expected")
            fields = {**fields, name: tuple(value)}
    required = [
        name for name, one in known.items()
        if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    ]  # fmt: skip
    missing = [name for name in required if name not in fields]
    if missing:
        raise ArgumentError(f"{function}: {', '.join(missing)} missing; a {kind.__name__} needs {', '.join(required)}")
    return kind(**fields)


def _caller(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


_registered_files: set[Path] = set()


def load_custom_register(path: str) -> None:
    """Run a user's Python file that calls the ``register_`` functions; a second time for the same file does nothing.

    Raises ArgumentError with the file and the line of whatever is wrong in it.
    """
    file = Path(path).expanduser().absolute()
    flag = f"--custom_register_path {path}"
    if not file.is_file():
        what = "a folder; a Python file is expected" if file.is_dir() else "there is no such file"
        raise ArgumentError(f"{flag}: {what}")
    if file.suffix != ".py":
        raise ArgumentError(f"{flag}: a Python file is expected (its name ends in .py)")
    if file in _registered_files:
        return
    name = f"swift_custom_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # a file that ends in .py has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up by name
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        del sys.modules[name]
        raise ArgumentError(f"{flag}: {error.filename}:{error.lineno}: {error.msg}") from error
    except SwiftError as error:
        del sys.modules[name]
        raise ArgumentError(f"{flag}: line {_line(error, file)}: {error}") from error
    except Exception as error:  # any mistake in the user's file is theirs to see, whatever it is
        del sys.modules[name]
        raise ArgumentError(f"{flag}: line {_line(error, file)}: {type(error).__name__}: {error}") from error
    _registered_files.add(file)


def _line(error: BaseException, file: Path) -> str:
    lines = [str(one.lineno) for one in traceback.extract_tb(error.__traceback__) if Path(one.filename) == file]
    return lines[-1] if lines else "?"


_INFO_KEYS = {
    "dataset_id": "ms", "hf_dataset_id": "hf", "dataset_path": "path", "subsets": "subsets", "split": "split",
    "columns": "columns", "conversations": "conversations", "tags": "tags", "help": "help", "huge_dataset": "huge",
}  # fmt: skip
_INFO_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "dataset_id": (str, "text"), "hf_dataset_id": (str, "text"), "dataset_path": (str, "text"), "help": (str, "text"),
    "subsets": (list, "a list"), "split": (list, "a list"), "tags": (list, "a list"),
    "columns": (dict, "an object"), "conversations": (dict, "an object"),
    "huge_dataset": (bool, "true or false"), "remove_useless_columns": (bool, "true or false"),
    "type": ((str, dict), "the name of a format, or an object"), "field": (str, "text"),
}  # fmt: skip
_TURN_KEYS = (
    "user_role", "assistant_role", "system_role", "tool_role", "function_role", "roles", "conversations_key", "from_key",
    "value_key", "error_strategy", "media_type", "media_key",
)  # fmt: skip
_TURN_CHOICES = {"error_strategy": ("raise", "delete"), "media_type": ("image", "video", "audio")}
_PROMPT_KEYS = (
    "system_prompt", "system_format", "field_system", "field_instruction", "field_input", "field_output", "format",
    "no_input_format",
)  # fmt: skip
_PLACES = {"format": ("instruction", "input"), "no_input_format": ("instruction",), "system_format": ("system",)}
# LLaMA-Factory's form of the same file: its keys, of which one of the first shows that an entry is written so.
_FACTORY_SIGNS = (
    "file_name",
    "hf_hub_url",
    "ms_hub_url",
    "om_hub_url",
    "cloud_file_name",
    "script_url",
    "formatting",
    "ranking",
)
_FACTORY_TYPES: Mapping[str, tuple[type, str]] = {
    "file_name": (str, "text"), "hf_hub_url": (str, "text"), "ms_hub_url": (str, "text"), "cloud_file_name": (str, "text"),
    "formatting": (str, "text"), "ranking": (bool, "true or false"), "subset": (str, "text"), "split": (str, "text"),
    "folder": (str, "text"), "columns": (dict, "an object"), "tags": (dict, "an object"),
}  # fmt: skip
# Its names of columns, as the columns are called here, for rows of one question and for dialogues.
_FACTORY_COLUMNS = {
    "prompt": "instruction", "query": "input", "response": "output", "history": "history", "system": "system",
    "tools": "tools", "images": "images", "videos": "videos", "audios": "audios", "chosen": "chosen",
    "rejected": "rejected", "kto_tag": "label", "messages": "conversations",
}  # fmt: skip
_FACTORY_TAGS = {
    "role_tag": "from_key", "content_tag": "value_key", "user_tag": "user_role", "assistant_tag": "assistant_role",
    "observation_tag": "tool_role", "function_tag": "function_role", "system_tag": "system_role",
}  # fmt: skip


def load_dataset_info(source: str | Path | Mapping[str, Any]) -> tuple[DatasetRow, ...]:
    """Register the data sets of a ``dataset_info.json`` (its path, its text, or its content) and return their rows.

    Paths in it are relative to the file, or to the working folder where there is no file. Raises ArgumentError that
    names the entry and the key.
    """
    where, base, entries = _read_info(source)
    rows = tuple(_info_row(str(name), entry, where, base) for name, entry in entries.items())
    for row in rows:
        if DATASET_MAPPING.get(row.name) != row:  # read a second time, by a later step of the same command
            DATASET_MAPPING.register(row, source=where)
    return rows


def _read_info(source: str | Path | Mapping[str, Any]) -> tuple[str, Path, Mapping[str, Any]]:
    flag = "--custom_dataset_info"
    base = Path.cwd()
    value: Any = source
    if isinstance(source, str) and source.lstrip().startswith(("{", "[")):
        try:
            value = json.loads(source)
        except json.JSONDecodeError as error:
            raise ArgumentError(
                f"{flag}: line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}"
            ) from None
    elif isinstance(source, str | Path):
        path = Path(source).expanduser()
        flag = f"{flag} {path}"
        base = path.absolute().parent
        try:
            value = read_json(path)
        except DataError as error:
            raise ArgumentError(f"--custom_dataset_info: {error}") from None
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{flag}: an object is expected, data set name → entry; found {type(value).__name__}")
    return flag, base, value


def _info_row(name: str, entry: Any, where: str, base: Path) -> DatasetRow:
    here = f"{where}: {name!r}"
    if not isinstance(entry, Mapping):
        raise ArgumentError(f"{here}: an object is expected, found {type(entry).__name__}")
    if any(key in entry for key in _FACTORY_SIGNS):
        return _factory_row(name, entry, here, base)
    _check_entry(entry, _INFO_TYPES, here)
    for key, value in entry.get("conversations", {}).items():
        if key not in _TURN_KEYS:
            raise ArgumentError(f"{here}: conversations: {unknown('key', key, _TURN_KEYS)}")
        if key in _TURN_CHOICES and value not in (None, *_TURN_CHOICES[key]):
            raise ArgumentError(
                f"{here}: conversations: {key} is {value!r}; {' or '.join(_TURN_CHOICES[key])} is expected"
            )
    if not any(entry.get(key) for key in ("dataset_id", "hf_dataset_id", "dataset_path")):
        raise ArgumentError(f"{here}: says nowhere where its data is: give dataset_id, hf_dataset_id or dataset_path")
    fields = {_INFO_KEYS[key]: value for key, value in entry.items() if key in _INFO_KEYS}
    if "conversations" in fields:
        fields["conversations"] = {key: value for key, value in fields["conversations"].items() if value is not None}
    if fields.get("path"):  # a path voids the ids and what belongs to them
        fields = {key: value for key, value in fields.items() if key not in ("ms", "hf", "subsets", "split")}
        fields["base"] = str(base)
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    kind = entry.get("type")
    if isinstance(kind, Mapping):
        for key, value in kind.items():
            if key not in _PROMPT_KEYS:
                raise ArgumentError(f"{here}: type: {unknown('key', key, _PROMPT_KEYS)}")
            if not isinstance(value, str):
                raise ArgumentError(f"{here}: type: {key} is {value!r}; text is expected")
        _check_formats(kind, here)
        fields["prompt"] = dict(kind)
    elif kind is not None:
        fields["format"] = kind
    if "field" in entry:
        fields["columns"] = {**fields.get("columns", {}), entry["field"]: "text"}
        fields.setdefault("format", "completion")
    return DatasetRow(name=name, keep_columns=entry.get("remove_useless_columns") is False, **fields)


def _check_formats(kind: Mapping[str, str], here: str) -> None:
    """Refuse a text around the columns that asks nothing: a misspelt ``{instruction}`` would stand in every sample."""
    for key, places in _PLACES.items():
        if key in kind and not any(f"{{{name}}}" in kind[key] for name in places):
            named = " or ".join(f"{{{name}}}" for name in places)
            raise ArgumentError(f"{here}: type: {key} {kind[key]!r} has no place for the columns' text: write {named}")


def _check_entry(entry: Mapping[str, Any], known: Mapping[str, tuple[Any, str]], here: str) -> None:
    for key, value in entry.items():
        if key not in known:
            raise ArgumentError(f"{here}: {unknown('key', key, known)}")
        kind, word = known[key]
        if not isinstance(value, kind):
            raise ArgumentError(f"{here}: {key} is {value!r}; {word} is expected")


def _factory_row(name: str, entry: Mapping[str, Any], here: str, base: Path) -> DatasetRow:
    """Read an entry as LLaMA-Factory writes it: columns from its name to the file's, tags for the turns."""
    for key, advice in (
        ("script_url", "data sets that bring code are not run; give the files"),
        ("om_hub_url", "this hub is not there; give ms_hub_url or hf_hub_url"),
        ("num_samples", f"write --dataset {name}#{entry.get('num_samples')} instead"),
    ):
        if entry.get(key) is not None:
            raise ArgumentError(f"{here}: {key}: {advice}")
    entry = {key: value for key, value in entry.items() if value is not None}
    _check_entry(entry, _FACTORY_TYPES, here)
    columns, tags = entry.get("columns", {}), entry.get("tags", {})
    for word, given, known in (("columns", columns, _FACTORY_COLUMNS), ("tags", tags, _FACTORY_TAGS)):
        for key, value in given.items():
            if key not in known:
                raise ArgumentError(f"{here}: {word}: {unknown('key', key, known)}")
            if value is not None and not isinstance(value, str):
                raise ArgumentError(f"{here}: {word}: {key} is {value!r}; text is expected")
    columns = {key: value for key, value in columns.items() if value is not None}
    formatting = entry.get("formatting", "alpaca")
    if formatting not in ("alpaca", "sharegpt", "openai"):
        raise ArgumentError(f"{here}: formatting is {formatting!r}; alpaca, sharegpt or openai is expected")
    turns: dict[str, Any] = {}
    if formatting != "alpaca":
        usual = {"role_tag": "role", "content_tag": "content"} if formatting == "openai" else {}
        turns = {_FACTORY_TAGS[key]: value for key, value in (usual | tags).items() if value is not None}
        turns["conversations_key"] = columns.pop("messages", "messages" if formatting == "openai" else "conversations")
    elif columns.get("prompt") == "text":
        del columns["prompt"]  # texts to learn: their column has its usual name already
    renames = {value: _FACTORY_COLUMNS[key] for key, value in columns.items() if value != _FACTORY_COLUMNS[key]}
    fields: dict[str, Any] = {
        "columns": renames, "conversations": turns, "hf": entry.get("hf_hub_url"), "ms": entry.get("ms_hub_url"),
        "subsets": (entry["subset"],) if "subset" in entry else (),
    }  # fmt: skip
    if "split" in entry:
        fields["split"] = (entry["split"],)
    if "cloud_file_name" in entry:
        fields["path"] = entry["cloud_file_name"]
    elif "file_name" in entry and not (fields["hf"] or fields["ms"]):
        fields["path"] = str(Path(entry.get("folder", "")) / entry["file_name"])
        fields["base"] = str(base)
    if not (fields["hf"] or fields["ms"] or fields.get("path")):
        raise ArgumentError(f"{here}: says nowhere where its data is: give file_name, hf_hub_url or ms_hub_url")
    return DatasetRow(name=name, **fields)
