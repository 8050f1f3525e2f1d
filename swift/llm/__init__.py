"""The Python interface of swift: the commands as functions, their arguments, the catalog, models and templates.

Names resolve when they are first used, so that importing this package imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

PUBLIC = {
    "SftArguments": "swift.llm.arguments.commands:SftArguments",
    "PtArguments": "swift.llm.arguments.commands:PtArguments",
    "RlhfArguments": "swift.llm.arguments.commands:RlhfArguments",
    "InferArguments": "swift.llm.arguments.commands:InferArguments",
    "MergeLoraArguments": "swift.llm.arguments.commands:MergeLoraArguments",
    "ExportArguments": "swift.llm.arguments.commands:ExportArguments",
    "EvalArguments": "swift.llm.arguments.commands:EvalArguments",
    "AppUiArguments": "swift.llm.arguments.commands:AppUiArguments",
    "DeployArguments": "swift.llm.arguments.commands:DeployArguments",
    "WebUiArguments": "swift.llm.arguments.commands:WebUiArguments",
    "PreprocessArguments": "swift.llm.arguments.commands:PreprocessArguments",
    "sft_main": "swift.llm.sft:sft_main",
    "pt_main": "swift.llm.pt:pt_main",
    "infer_main": "swift.llm.infer:infer_main",
    "deploy_main": "swift.llm.deploy:deploy_main",
    "merge_lora_main": "swift.llm.merge_lora:merge_lora_main",
    "export_main": "swift.llm.export:export_main",
    "preprocess_main": "swift.llm.preprocess:preprocess_main",
    "MODEL_MAPPING": "swift.llm.catalog.registries:MODEL_MAPPING",
    "TEMPLATE_MAPPING": "swift.llm.catalog.registries:TEMPLATE_MAPPING",
    "DATASET_MAPPING": "swift.llm.catalog.registries:DATASET_MAPPING",
    "TUNER_MAPPING": "swift.llm.catalog.registries:TUNER_MAPPING",
    "register_model": "swift.llm.catalog.registries:register_model",
    "register_template": "swift.llm.catalog.registries:register_template",
    "register_dataset": "swift.llm.catalog.registries:register_dataset",
    "ModelRow": "swift.llm.catalog.rows:ModelRow",
    "TemplateRow": "swift.llm.catalog.rows:TemplateRow",
    "DatasetRow": "swift.llm.catalog.rows:DatasetRow",
    "get_model_tokenizer": "swift.llm.model.api:get_model_tokenizer",
    "get_template": "swift.llm.template:get_template",
    "Template": "swift.llm.template:Template",
    "ChatService": "swift.llm.chat.service:ChatService",
    "PtEngine": "swift.llm.engine.pt:PtEngine",
    "Conversation": "swift.llm.core:Conversation",
    "Message": "swift.llm.core:Message",
    "ToolCall": "swift.llm.core:ToolCall",
    "Sampling": "swift.llm.core:Sampling",
}
"""Public name → where it is defined."""

__all__ = list(PUBLIC)

if TYPE_CHECKING:
    from swift.llm.catalog.registries import DATASET_MAPPING as DATASET_MAPPING
    from swift.llm.catalog.registries import MODEL_MAPPING as MODEL_MAPPING
    from swift.llm.catalog.registries import TEMPLATE_MAPPING as TEMPLATE_MAPPING
    from swift.llm.catalog.registries import TUNER_MAPPING as TUNER_MAPPING
    from swift.llm.catalog.registries import register_dataset as register_dataset
    from swift.llm.catalog.registries import register_model as register_model
    from swift.llm.catalog.registries import register_template as register_template
    from swift.llm.deploy import deploy_main as deploy_main
    from swift.llm.export import export_main as export_main
    from swift.llm.infer import infer_main as infer_main
    from swift.llm.merge_lora import merge_lora_main as merge_lora_main
    from swift.llm.preprocess import preprocess_main as preprocess_main
    from swift.llm.pt import pt_main as pt_main
    from swift.llm.sft import sft_main as sft_main


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = PUBLIC[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(PUBLIC)
