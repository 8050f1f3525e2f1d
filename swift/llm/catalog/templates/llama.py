"""Llama 2, 3, 3.1, 3.2, 3.3 and 4."""

from swift.llm.catalog.rows import TemplateRow

LLAMA = TemplateRow(
    name="llama",
    system="<<SYS>>\n{content}\n<</SYS>>\n\n",
    user="{bos}[INST] {content} [/INST]",
    assistant=" {content} ",
    assistant_close="{eos}",
    strip=("assistant",),
    behaviours=("system_in_first_user", "strip_user", "alternate"),
    note="No default system text, as in the official chat template; 2.x put a long one in. Give it with --system if wanted.",
)

LLAMA3 = TemplateRow(
    name="llama3",
    prefix="{bos}",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    tool="<|start_header_id|>tool<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    stop=("<|end_of_text|>",),
    strip=("system", "user", "assistant"),
)

LLAMA3_1 = TemplateRow(
    name="llama3_1",
    prefix="{bos}",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    tool="<|start_header_id|>ipython<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    stop=("<|end_of_text|>", "<|eom_id|>"),
    strip=("system", "user", "assistant"),
    tools="llama3_1",
    behaviours=("llama3_1",),
    note="The date is 26 Jul 2024, the official default, unless one is given; a call stands alone, text beside it is left out.",
)

LLAMA3_2 = TemplateRow(
    name="llama3_2",
    prefix="{bos}",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    tool="<|start_header_id|>ipython<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    stop=("<|end_of_text|>", "<|eom_id|>"),
    strip=("system", "user", "assistant"),
    tools="llama3_1",
    behaviours=("llama3_1",),
    note=(
        "The official template takes today's date from the clock; here it is 26 Jul 2024 unless one is given. "
        "A call stands alone, text beside it is left out."
    ),
)

LLAMA4 = TemplateRow(
    name="llama4",
    prefix="{bos}",
    system="<|header_start|>system<|header_end|>\n\n{head}{content}<|eot|>",
    user="<|header_start|>user<|header_end|>\n\n{content}<|eot|>",
    tool="<|header_start|>ipython<|header_end|>\n\n{content}<|eot|>",
    assistant_open="<|header_start|>assistant<|header_end|>\n\n",
    assistant_close="<|eot|>",
    stop=("<|end_of_text|>", "<|eom|>"),
    strip=("system",),
    tools="llama4",
    behaviours=("llama4",),
)

ORCA_VICUNA = TemplateRow(
    name="orca_vicuna",
    system="SYSTEM: {content}\n",
    user="USER: {content}\n",
    assistant_open="ASSISTANT:",
    assistant=" {content}",
    assistant_close="</s>",
    between="\n",
)
