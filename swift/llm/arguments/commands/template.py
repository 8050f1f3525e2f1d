"""Arguments of `swift template`: look at a model's chat format before anything is trained with it."""

from dataclasses import dataclass

from swift.llm.arguments.fields import arg

ACTIONS = ("check",)
OWN = "own"
"""The value of `template_type` that stands for the tokenizer's own chat template."""


@dataclass(frozen=True, kw_only=True)
class TemplateCommandArguments:
    """Whose chat format is looked at, and how."""

    action: str = arg(
        "check", "What to do: check compares the template's tokens with those of the tokenizer's own chat template.",
        "template", choices=ACTIONS, positional=True,
    )  # fmt: skip
    model: str | None = arg(
        None, "Model folder, folder of a tokenizer, checkpoint, model_type, or hub id.", "model", starred=True,
        aliases=("model_id_or_path", "model_type", "ckpt_dir"), metavar="MODEL",
    )  # fmt: skip
    template_type: str = arg(
        "AUTO", "Chat template by name. AUTO takes the model's; own looks at the tokenizer's own chat template by itself, "
        "and compares prompts with samples.", "template", registry="templates", presets=(OWN,), starred=True,
    )  # fmt: skip
    conversations: str | None = arg(
        None, "File of rows (JSON lines with messages, or any format of a data set) to compare in place of the built-in "
        "conversations.", "template", path="always", metavar="FILE",
    )  # fmt: skip
    show: str | None = arg(
        None, "Name of the conversation whose tokens and loss mask are shown; left out, the first that differs, or the "
        "first.", "template", metavar="NAME",
    )  # fmt: skip
    json: bool = arg(False, "Print the verdict as JSON, and nothing else.", "template")
    save: str | None = arg(
        None, "Folder or file to write the verdict to; in a folder the file is template_check.json.", "template",
        path="always", metavar="PATH",
    )  # fmt: skip
    system: str | None = arg(None, "System prompt of the shown conversation. Left out, the template's own.", "template")
    enable_thinking: bool | None = arg(
        None, "Let a model that can reason before it answers do so, or not. Left out, as its template has it.", "template",
    )  # fmt: skip
    template_date: str | None = arg(
        None, "Date that a template writes into the prompt, as YYYY-MM-DD. Left out, the template's fixed date.",
        "template", metavar="DATE",
    )  # fmt: skip
    model_revision: str | None = arg(None, "Branch, tag or commit on the hub.", "hub")
    use_hf: bool | None = arg(
        None, "Look on the Hugging Face hub (true) or on ModelScope (false). Left out, the variable USE_HF decides.", "hub",
    )  # fmt: skip
    hub_token: str | None = arg(
        None, "Access token of the hub. Left out, MODELSCOPE_API_TOKEN or HF_TOKEN is read.", "hub",
    )  # fmt: skip
    custom_register_path: str | None = arg(
        None, "Python file that registers models or templates of your own; it runs first.", "misc", path="always",
    )  # fmt: skip
