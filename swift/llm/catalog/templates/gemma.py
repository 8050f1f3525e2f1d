"""Gemma 1 to 3, text."""

from swift.llm.catalog.rows import TemplateRow

GEMMA = TemplateRow(
    name="gemma",
    prefix="{bos}",
    system="{content}\n\n",
    user="<start_of_turn>user\n{content}<end_of_turn>\n",
    assistant_open="<start_of_turn>model\n",
    assistant_close="<end_of_turn>",
    between="\n",
    strip=("user", "assistant"),
    behaviours=("system_in_first_user", "alternate"),
    note="The official template refuses a system text; here it opens the first user turn, as Gemma 3 has it.",
)

GEMMA2 = TemplateRow(
    name="gemma2",
    prefix="{bos}",
    system="{content}\n\n",
    user="<start_of_turn>user\n{content}<end_of_turn>\n",
    assistant_open="<start_of_turn>model\n",
    assistant_close="<end_of_turn>",
    between="\n",
    strip=("user", "assistant"),
    behaviours=("system_in_first_user", "alternate"),
    note="The official template refuses a system text; here it opens the first user turn, as Gemma 3 has it.",
)

GEMMA3_TEXT = TemplateRow(
    name="gemma3_text",
    prefix="{bos}",
    system="{content}\n\n",
    user="<start_of_turn>user\n{content}<end_of_turn>\n",
    assistant_open="<start_of_turn>model\n",
    assistant_close="<end_of_turn>",
    between="\n",
    strip=("user", "assistant"),
    behaviours=("system_in_first_user", "alternate"),
    aliases=("gemma3_vision",),
)

GEMMA3N = TemplateRow(
    name="gemma3n",
    prefix="{bos}",
    system="{content}\n\n",
    user="<start_of_turn>user\n{content}<end_of_turn>\n",
    assistant_open="<start_of_turn>model\n",
    assistant_close="<end_of_turn>",
    between="\n",
    strip=("user", "assistant"),
    behaviours=("system_in_first_user", "alternate"),
)
