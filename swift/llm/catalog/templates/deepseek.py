"""DeepSeek LLM, Coder, V2 to V3.1, and R1."""

from swift.llm.catalog.rows import TemplateRow

DEEPSEEK = TemplateRow(
    name="deepseek",
    prefix="{bos}",
    system="{content}\n\n",
    user="User: {content}\n\n",
    assistant_open="Assistant:",
    assistant=" {content}",
    assistant_close="{eos}",
)

DEEPSEEK2 = TemplateRow(
    name="deepseek2",
    prefix="{bos}",
    system="{content}\n\n",
    user="User: {content}\n\n",
    assistant_open="Assistant:",
    assistant=" {content}",
    assistant_close="{eos}",
)

DEEPSEEK_CODER = TemplateRow(
    name="deepseek-coder",
    prefix="{bos}",
    system="{content}",
    default_system=(
        "You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek Company, and you "
        "only answer questions related to computer science. For politically sensitive questions, security and privacy "
        "issues, and other non-computer science questions, you will refuse to answer\n"
    ),
    user="### Instruction:\n{content}\n",
    assistant_open="### Response:\n",
    assistant_close="\n<|EOT|>",
    between="\n",
)

DEEPSEEK_CODER_4 = TemplateRow(
    name="deepseek_coder",
    prefix="{bos}",
    system="{content}",
    default_system=(
        "You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek Company, and you "
        "only answer questions related to computer science. For politically sensitive questions, security and privacy "
        "issues, and other non-computer science questions, you will refuse to answer\n"
    ),
    user="### Instruction:\n{content}\n",
    assistant_open="### Response:\n",
    assistant_close="\n<|EOT|>",
    between="\n",
)

DEEPSEEK2_5 = TemplateRow(
    name="deepseek2_5",
    prefix="{bos}",
    system="{content}",
    user="<｜User｜>{content}",
    tool="{content}",
    assistant_open="<｜Assistant｜>",
    assistant_close="{eos}",
    tools="deepseek",
    behaviours=("gather_system", "deepseek"),
    options={"system_join": "\n\n", "empty_system": "block", "upstream_loses": "tools"},
    aliases=("deepseek_v2_5", "deepseek_v3"),
    note=(
        "V2.5 and V3. The eos token is the tokenizer's own; 2.x had it misspelt. The official template leaves tool definitions "
        "out; here they stand before the system text."
    ),
)

DEEPSEEK_R1 = TemplateRow(
    name="deepseek_r1",
    prefix="{bos}",
    system="{content}",
    user="<｜User｜>{content}",
    tool="{content}",
    assistant_open="<｜Assistant｜>",
    assistant_close="{eos}",
    tools="deepseek",
    behaviours=("gather_system", "deepseek", "think"),
    options={
        "think_open": "<think>\n",
        "think_keep": "last",
        "think_read": "raw",
        "upstream_loses": "reasoning",
    },
    note=(
        "R1 and its distilled models. The official template never writes reasoning; here the last answer has its block, since "
        "the prompt opens it. Tools are told, and calls closed, which officially are not."
    ),
)

DEEPSEEK_R1_LLAMACPP = TemplateRow(
    name="deepseek_r1_llamacpp",
    prefix="{bos}",
    system="{content}",
    user="<｜User｜>{content}<｜end▁of▁sentence｜>",
    tool="{content}<｜end▁of▁sentence｜>",
    assistant_open="<｜Assistant｜>",
    assistant_close="<｜end▁of▁sentence｜>",
    tools="deepseek_r1_llamacpp",
    behaviours=("gather_system", "think"),
    options={
        "think_open": "<think>\n",
        "think_keep": "last",
        "think_read": "raw",
        "upstream_loses": "reasoning",
    },
    note=(
        "R1 as llama.cpp writes it: questions end with the eos token, too. There an empty answer is written as an empty list of "
        "calls; here it is an empty answer."
    ),
)

DEEPSEEK_V3_1 = TemplateRow(
    name="deepseek_v3_1",
    prefix="{bos}",
    system="{content}",
    user="<｜User｜>{content}",
    tool="{content}",
    assistant_open="<｜Assistant｜>",
    assistant_close="{eos}",
    tools="deepseek_v3_1",
    behaviours=("gather_system", "deepseek", "think"),
    options={
        "system_join": "\n\n",
        "empty_system": "block",
        "marked_by": "user",
        "outputs_end": False,
        "think_begin": "<think>",
        "think_end": "</think>",
        "think_open": "<think>",
        "think_off": "<think></think>",
        "think_history": "<think></think>",
        "think_default": False,
        "think_keep": "last",
        "think_read": "raw",
        "think_strip": "none",
        "answer_strip": "none",
        "upstream_loses": "tools",
    },
    note=(
        "Thinking is off unless --enable_thinking true. Tool definitions, which the official template leaves out, are told as the "
        "model's hub page says. Reasoning of the last answer is written when thinking is on, where officially it never is."
    ),
)

DEEPSEEK_V3_1_SHORT = TemplateRow(
    name="deepseek_v3_1_hub",
    prefix="{bos}",
    system="{content}",
    user="<｜User｜>{content}",
    tool="{content}",
    assistant_open="<｜Assistant｜>",
    assistant_close="{eos}",
    tools="deepseek_v3_1",
    behaviours=("gather_system", "deepseek", "think"),
    options={
        "system_join": "\n\n",
        "empty_system": "block",
        "marked_by": "user",
        "outputs_end": False,
        "think_begin": "<think>",
        "think_end": "</think>",
        "think_open": "<think>",
        "think_off": "</think>",
        "think_history": "</think>",
        "think_default": False,
        "think_keep": "last",
        "think_read": "raw",
        "think_strip": "none",
        "answer_strip": "none",
        "upstream_loses": "tools",
    },
    note="As deepseek_v3_1, where a lone closing tag stands for no thought: the form of the model's hub page.",
)
