"""The arguments of each command, by inheritance from the groups: fields only, no methods, no checks, no
torch.

Each class lives in a module of its own and is made when it is asked for: a class of two hundred fields takes
some milliseconds, and a command needs one of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swift.llm.arguments.commands.app_ui import AppUiArguments as AppUiArguments
    from swift.llm.arguments.commands.deploy import DeployArguments as DeployArguments
    from swift.llm.arguments.commands.eval import EvalArguments as EvalArguments
    from swift.llm.arguments.commands.export import ExportArguments as ExportArguments
    from swift.llm.arguments.commands.infer import InferArguments as InferArguments
    from swift.llm.arguments.commands.merge_lora import MergeLoraArguments as MergeLoraArguments
    from swift.llm.arguments.commands.preprocess import PreprocessArguments as PreprocessArguments
    from swift.llm.arguments.commands.pt import PtArguments as PtArguments
    from swift.llm.arguments.commands.rlhf import RlhfArguments as RlhfArguments
    from swift.llm.arguments.commands.sft import SftArguments as SftArguments
    from swift.llm.arguments.commands.template import TemplateCommandArguments as TemplateCommandArguments
    from swift.llm.arguments.commands.web_ui import WebUiArguments as WebUiArguments

_MODULES = {
    "SftArguments": "sft",
    "PtArguments": "pt",
    "PreprocessArguments": "preprocess",
    "RlhfArguments": "rlhf",
    "InferArguments": "infer",
    "MergeLoraArguments": "merge_lora",
    "ExportArguments": "export",
    "EvalArguments": "eval",
    "AppUiArguments": "app_ui",
    "DeployArguments": "deploy",
    "WebUiArguments": "web_ui",
    "TemplateCommandArguments": "template",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
