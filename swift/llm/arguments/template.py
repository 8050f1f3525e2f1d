"""How messages become tokens."""

from dataclasses import dataclass

from swift.llm.arguments.fields import arg


@dataclass(frozen=True, kw_only=True)
class TemplateArguments:
    """The chat template, the same for training and for answers."""

    template_type: str = arg(
        "AUTO", "Chat template by name. AUTO takes the model's.", "template", registry="templates",
        starred=True, inherit=True,
    )  # fmt: skip
    system: str | None = arg(
        None, "System prompt. Left out, the template's own; an empty text removes it.", "template",
        starred=True, inherit=True,
    )  # fmt: skip
    max_length: int = arg(
        2048, "Most tokens of one sample; -1 lifts the limit. truncation_strategy says what happens above "
        "it.", "template", starred=True,
    )  # fmt: skip
    truncation_strategy: str = arg(
        "delete", "What happens to a sample over max_length: delete drops it, truncation_left keeps its "
        "last max_length tokens, truncation_right its first, split makes several samples of it, raise stops. Rows that "
        "lose something are in the row ledger.", "template",
        choices=("delete", "truncation_left", "truncation_right", "split", "raise"),
        renamed={"ignore": "delete", "left": "truncation_left", "right": "truncation_right"},
    )  # fmt: skip
    verify_template: bool = arg(
        True, "Check the template against the tokenizer's own before work begins, and say where they differ.",
        "template",
    )  # fmt: skip
    permissive_special_tokens: bool = arg(
        False, "Read control tokens that occur in the data, such as <|im_end|>, as tokens; otherwise they "
        "stay text.", "template",
    )  # fmt: skip
    enable_thinking: bool | None = arg(
        None, "Let a model that can reason before it answers do so, or not. Left out, as its template has "
        "it.", "template",
    )  # fmt: skip
    template_date: str | None = arg(
        None, "Date that a template writes into the prompt, as YYYY-MM-DD. Left out, the template's fixed "
        "date, never today's.", "template", metavar="DATE",
    )  # fmt: skip
    tools_prompt: str = arg(
        "react_en", "How tools are written into the prompt of a model without a tool format of its own; react_zh and toolbench replace that format, too.", "agent",
        choices=("react_en", "react_zh", "toolbench"), inherit=True,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ImageArguments:
    """How images are read."""

    rescale_image: int = arg(
        -1, "Most pixels (width times height) of an image; a larger one shrinks to it. -1 leaves images "
        "alone.", "multimodal",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainTemplateArguments(ImageArguments, TemplateArguments):
    """What only training asks of a template."""

    use_loss_scale: bool = arg(
        False, "Weight the parts of an agent's answer (Action, Action Input and so on) in the loss: the sum of weight times "
        "cross entropy over the trained tokens, divided by their number.", "agent",
    )  # fmt: skip
    loss_scale_config_path: str = arg(
        "DEFAULT", "Weights for use_loss_scale: a preset, or a JSON file of marker or pattern to weights. A weight "
        "of 0 takes the text out of the loss.",
        "agent", presets=("DEFAULT", "alpha-umi", "agent-flan"), path="maybe",
    )  # fmt: skip
    loss_scale_base: str = arg(
        "default", "What is trained at all: default, every answer; last_round, what follows the last question of "
        "a dialogue; all, prompts too (as train_on_inputs).", "agent", choices=("default", "last_round", "all"),
    )  # fmt: skip
