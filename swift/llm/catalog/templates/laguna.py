"""Laguna XS.2 (Poolside)."""

from swift.llm.catalog.rows import TemplateRow

LAGUNA = TemplateRow(
    name="laguna_xs2",
    prefix="〈|EOS|〉",
    system="<system>\n{content}\n</system>\n",
    default_system=(
        "You are a helpful, conversationally-fluent assistant made by Poolside. You are here to be helpful to "
        "users through natural language conversations."
    ),
    user="<user>\n{content}\n</user>\n",
    tool="<tool_response>\n{content}\n</tool_response>\n",
    assistant_open="<assistant>\n",
    assistant_close="</assistant>",
    between="\n",
    tools="laguna",
    behaviours=("laguna", "think_kept"),
    options={
        "think_block": "<think>\n{reasoning}\n</think>\n",
        "think_none": "</think>\n",
        "think_on": "<think>",
        "think_off": "</think>",
        "answer_strip": "line",
        "call_thinking": (
            "Wrap your thinking in '<think>', '</think>' tags, followed by a function call. For each function call, return an "
            "unescaped XML-like object with function name and arguments within '<tool_call>' and '</tool_call>' tags, like "
            "here:\n<think> your thoughts here </think>\n<tool_call>function-name\n<arg_key>argument-key</arg_key>\n"
            "<arg_value>value-of-argument-key</arg_value>\n</tool_call>"
        ),
        "call_plain": (
            "For each function call, return an unescaped XML-like object with function name and arguments within '<tool_call>' "
            "and '</tool_call>' tags, like here:\n<tool_call>function-name\n<arg_key>argument-key</arg_key>\n"
            "<arg_value>value-of-argument-key</arg_value>\n</tool_call>"
        ),
    },
    note=(
        "Prompts are for answers without thinking unless --enable_thinking is given; without it the last answer "
        "is trained without its reasoning, since the prompt has closed the block. Earlier answers keep theirs, as officially."
    ),
)
