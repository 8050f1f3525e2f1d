"""Qwen families with call formats or modes of their own, and what is built on them: Coder, 3.5, MiMo, StepFun."""

from swift.llm.catalog.rows import TemplateRow

QWEN3_CODER = TemplateRow(
    name="qwen3_coder",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="qwen3_coder",
    options={"empty_system": "block"},
    note="Reasoning in the data stays in the answer's text, where the official template leaves it out.",
)

QWEN3_5 = TemplateRow(
    name="qwen3_5",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    strip=("system", "user", "assistant"),
    tools="qwen3_5",
    behaviours=("think",),
    options={
        "think_open": "<think>\n",
        "think_off": "<think>\n\n</think>\n\n",
        "think_keep": "after",
        "think_strip": "all",
        "think_read": "stripped",
    },
    note="The text part. The prompt opens a thought, or with --enable_thinking false closes an empty one.",
    aliases=("qwen3_8",),
)

MIMO_VL = TemplateRow(
    name="mimo_vl",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are MiMo, an AI assistant developed by Xiaomi.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    options={"empty_system": "block"},
    aliases=("mimo_rl",),
    note="The text part. Reasoning in the data stays in the answer's text, where the official template leaves it out.",
)

STEPFUN3_5 = TemplateRow(
    name="step3_5_flash",
    prefix="{bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    tool="<|im_start|>tool_response\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    tools="stepfun",
    behaviours=("observation", "think"),
    options={
        "think_open": "<think>\n",
        "think_end": "\n</think>\n",
        "think_keep": "after",
        "think_strip": "none",
        "answer_strip": "none",
        "empty_system": "block",
    },
    note="The prompt opens a thought: every answer after the last question has one, empty if need be.",
)

STEP3_VL = TemplateRow(
    name="step3_vl",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    behaviours=("think",),
    options={"think_open": "<think>\n", "think_keep": "after"},
    note="The text part.",
)
