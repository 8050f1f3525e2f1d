"""Apertus (Swiss AI)."""

from swift.llm.catalog.rows import TemplateRow

APERTUS = TemplateRow(
    name="apertus",
    prefix="{bos}",
    system="<|system_start|>{content}<|system_end|>",
    default_system=(
        "You are Apertus, a helpful assistant created by the SwissAI initiative.\nKnowledge cutoff: 2024-04\n"
        "Current date: {iso_date}"
    ),
    user="<|user_start|>{content}<|user_end|>",
    tool="{content}",
    assistant_open="<|assistant_start|>",
    assistant_close="<|assistant_end|>",
    stop=("<|tools_suffix|>",),
    tools="apertus",
    behaviours=("apertus",),
    options={"think_begin": "<|inner_prefix|>", "think_end": "<|inner_suffix|>"},
    note=(
        "The official text does not close the last answer; here it is closed, and so trained to end. Behind a tool's result the "
        "official prompt opens a second assistant block where the official text of a whole conversation goes on in the first: "
        "here both go on. The reasoning field, which the official text leaves out, is the model's inner block."
    ),
)
