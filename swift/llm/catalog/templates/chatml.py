"""ChatML and the families that use it: Qwen, QwQ, Yi, InternLM2."""

from swift.llm.catalog.rows import TemplateRow

CHATML = TemplateRow(
    name="chatml",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
)

QWEN = TemplateRow(
    name="qwen",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are a helpful assistant.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
)

QWEN2_5 = TemplateRow(
    name="qwen2_5",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    options={"empty_system": "block"},
)

QWEN2_5_MATH = TemplateRow(
    name="qwen2_5_math",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="Please reason step by step, and put your final answer within \\boxed{}.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    options={"empty_system": "block"},
)

QWQ = TemplateRow(
    name="qwq",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system=(
        "You are a helpful and harmless assistant. You are Qwen developed by Alibaba. You should think step-by-step."
    ),
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    options={"empty_system": "block"},
    note="QwQ-32B-Preview, under its 2.x name; QwQ-32B is qwq_32b.",
)

QWQ_PREVIEW = TemplateRow(
    name="qwq_preview",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system=(
        "You are a helpful and harmless assistant. You are Qwen developed by Alibaba. You should think step-by-step."
    ),
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    options={"empty_system": "block"},
)

QWQ_32B = TemplateRow(
    name="qwq_32b",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    behaviours=("think",),
    options={
        "think_open": "<think>\n",
        "think_keep": "last",
        "upstream_loses": "reasoning",
        "empty_system": "block",
    },
    note="The official template never writes reasoning; here the last answer has its block, since the prompt opens it.",
)

QWEN3 = TemplateRow(
    name="qwen3",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    behaviours=("think",),
    options={"empty_system": "block"},
    note=(
        "As officially: reasoning of turns before the last question is left out; an answer without reasoning gets an empty "
        "block when it is the last one. With --enable_thinking false the empty block is part of the prompt."
    ),
)

QWEN3_THINKING = TemplateRow(
    name="qwen3_thinking",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    behaviours=("think",),
    options={"think_open": "<think>\n", "empty_system": "block"},
    note="The prompt ends with an open think tag, so training begins behind it.",
)

QWEN3_NOTHINKING = TemplateRow(
    name="qwen3_nothinking",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    options={"empty_system": "block"},
    note="Qwen3 Instruct 2507. Reasoning in the data stays in the answer's text.",
)

YI = TemplateRow(
    name="yi",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
)

YI1_5 = TemplateRow(
    name="yi1_5",
    system="{content}",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    note="The official template writes the system text bare, without markers.",
)

YI_CODER = TemplateRow(
    name="yi-coder",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are a helpful assistant.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
)

YI_CODER_4 = TemplateRow(
    name="yi_coder",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are a helpful assistant.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
)

INTERNLM2 = TemplateRow(
    name="internlm2",
    prefix="{bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    note="No default system text, as in the official chat template; 2.x put one in. Give it with --system if wanted.",
)
