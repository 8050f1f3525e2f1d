"""DeepSeek LLM, Coder, V2, V2.5 and R1."""

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
    assistant_open="<｜Assistant｜>",
    assistant_close="{eos}",
    note="The eos token is the tokenizer's own; 2.x had it misspelt.",
)

DEEPSEEK_V2_5 = TemplateRow(
    name="deepseek_v2_5",
    prefix="{bos}",
    system="{content}",
    user="<｜User｜>{content}",
    assistant_open="<｜Assistant｜>",
    assistant_close="{eos}",
)

DEEPSEEK_R1 = TemplateRow(
    name="deepseek_r1",
    prefix="{bos}",
    system="{content}",
    user="<｜User｜>{content}",
    assistant_open="<｜Assistant｜>",
    assistant_close="{eos}",
    behaviours=("think_r1",),
    options={"think_open": "<think>\n", "upstream_loses": "reasoning"},
    note="The official template never writes reasoning; here the last answer has its block, since the prompt opens it.",
)
