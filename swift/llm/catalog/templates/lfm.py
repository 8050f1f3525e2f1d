"""LFM2 (Liquid AI)."""

from swift.llm.catalog.rows import TemplateRow

LFM2 = TemplateRow(
    name="lfm2",
    prefix="{bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    tool="<|im_start|>tool\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    tools="lfm2",
    note=(
        "The official template writes no calls of tools; here they stand as the model writes them, Python calls between "
        "<|tool_call_start|> and <|tool_call_end|>."
    ),
)
