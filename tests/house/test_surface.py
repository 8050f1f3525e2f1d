"""The public names are those of the list; each exists where the list says, and says what it is."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import swift.llm

sys.path.insert(0, str(Path(__file__).parent))
from source import PACKAGE, ROOT

PUBLIC = {
    "SftArguments", "PtArguments", "RlhfArguments", "InferArguments", "MergeLoraArguments", "ExportArguments", "EvalArguments",
    "AppUiArguments", "DeployArguments", "WebUiArguments", "sft_main", "pt_main", "infer_main", "merge_lora_main", "export_main",
    "PreprocessArguments", "preprocess_main", "deploy_main",
    "MODEL_MAPPING", "TEMPLATE_MAPPING", "DATASET_MAPPING", "TUNER_MAPPING", "register_model", "register_template",
    "register_dataset", "ModelRow", "TemplateRow", "DatasetRow", "get_model_tokenizer", "get_template", "Template", "ChatService",
    "PtEngine", "Conversation", "Message", "ToolCall", "Sampling",
}  # fmt: skip
"""What users import. A name that goes from here breaks their programs; a new one is a promise."""


def test_the_names_are_the_list() -> None:
    assert set(swift.llm.PUBLIC) == PUBLIC
    assert list(swift.llm.__all__) == list(swift.llm.PUBLIC)
    assert set(dir(swift.llm)) == PUBLIC


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="sft_mian"):
        swift.llm.sft_mian  # noqa: B018 - the access is the test


def file_of(module: str) -> Path:
    """The file of a dotted module name."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def docstring_of(module: str, name: str) -> str | None:
    """What a public name says about itself; follows imports to where it is made. Raises LookupError where it is not."""
    tree = ast.parse(file_of(module).read_text(encoding="utf-8"))
    nodes = [one for node in tree.body for one in (node.body if isinstance(node, ast.If) else [node])]
    for place, node in enumerate(nodes):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return ast.get_docstring(node)
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
            assert node.module is not None
            return docstring_of(
                node.module, next(alias.name for alias in node.names if (alias.asname or alias.name) == name)
            )
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            following = nodes[place + 1] if place + 1 < len(nodes) else None
            text = getattr(getattr(following, "value", None), "value", None)
            return text if isinstance(text, str) else None
    raise LookupError(f"{module} has no {name}")


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_name_exists_and_says_what_it_is(name: str) -> None:
    module, _, attribute = swift.llm.PUBLIC[name].partition(":")
    assert file_of(module).is_relative_to(PACKAGE)
    assert docstring_of(module, attribute), f"{name} has no docstring"


def test_names_of_the_catalog_and_the_arguments_need_no_torch() -> None:
    light = sorted(
        name for name in PUBLIC if name.endswith(("Arguments", "Row", "MAPPING")) or name.startswith("register_")
    )
    program = (
        f"import sys\nfrom swift.llm import {', '.join([*light, 'sft_main', 'infer_main', 'Conversation', 'Sampling'])}\n"
        "len(MODEL_MAPPING), SftArguments(dataset=['x'])\n"
        "print(sorted({'torch', 'transformers', 'datasets', 'peft', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
