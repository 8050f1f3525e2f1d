"""Formats without control tokens: text to continue, and a plain dialogue for base models."""

from swift.llm.catalog.rows import TemplateRow

GENERATION = TemplateRow(
    name="default-generation",
    prefix="{auto_bos}",
    system="{content}\n\n",
    generation_only=True,
    note="Continues a text; no chat markers. A system text stands in front of it, with an empty line between.",
    aliases=(
        "dummy",
        "emu3_gen",
        "llama3_2-vision-generation",
        "qwen-audio-generation",
        "qwen-vl-generation",
        "qwen2-audio-generation",
        "qwen2-vl-generation",
    ),
)

GENERATION_BOS = TemplateRow(
    name="default-generation-bos",
    prefix="{bos}",
    system="{content}\n\n",
    generation_only=True,
    note="Continues a text that begins with bos. A system text stands in front of it, with an empty line between.",
    aliases=("deepseek_ocr", "deepseek_ocr2", "unlimited_ocr"),
)

DEFAULT = TemplateRow(
    name="default",
    prefix="{auto_bos}",
    system="{content}\n\n",
    default_system="You are a helpful assistant.",
    user="### Human:\n{content}\n\n",
    assistant_open="### Assistant:\n",
    between="\n\n",
    end="",
    note="Every answer ends with the eos token, so that a model learns to stop in every turn.",
)
