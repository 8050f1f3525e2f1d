"""Hermes 2 Pro and Hermes 3 (Nous Research)."""

from swift.llm.catalog.rows import TemplateRow

HERMES_3 = TemplateRow(
    name="hermes3",
    prefix="{bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    tool="<|im_start|>tool\n{content}<|im_end|>",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    tools="hermes_tool_use",
    aliases=("hermes2_pro",),
    note=(
        "With tools the official tool_use text: text beside a call is left out. A tool's answer ends with a newline also when it "
        "stands last, where the official prompt has none: else the prompt would be no beginning of what is trained."
    ),
)
