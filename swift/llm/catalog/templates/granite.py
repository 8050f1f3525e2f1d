"""Granite (IBM)."""

from swift.llm.catalog.rows import TemplateRow

GRANITE_3_3 = TemplateRow(
    name="granite3_3",
    system="<|start_of_role|>system<|end_of_role|>{content}<|end_of_text|>\n",
    default_system="Knowledge Cutoff Date: April 2024. Today's Date: {long_date}. You are Granite, developed by IBM.",
    user="<|start_of_role|>user<|end_of_role|>{content}<|end_of_text|>\n",
    tool="<|start_of_role|>tool<|end_of_role|>{content}<|end_of_text|>\n",
    assistant_open="<|start_of_role|>assistant<|end_of_role|>",
    assistant_close="<|end_of_text|>",
    between="\n",
    tools="granite",
    behaviours=("granite",),
    options={
        "modes": {
            "plain": " You are a helpful AI assistant.",
            "tools": (
                " You are a helpful assistant with access to the following tools. When a tool is required to answer the "
                "user's query, respond only with <|tool_call|> followed by a JSON list of tools used. If a tool does "
                "not exist in the provided list of tools, notify the user that you do not have the ability to fulfill "
                "the request."
            ),
            "thinking": (
                " You are a helpful AI assistant.\n"
                "Respond to every user query in a comprehensive and detailed way. You can write down your thoughts and "
                "reasoning process before responding. In the thought process, engage in a comprehensive cycle of "
                "analysis, summarization, exploration, reassessment, reflection, backtracing, and iteration to develop "
                "well-considered thinking process. In the response section, based on various attempts, explorations, "
                "and reflections from the thoughts section, systematically present the final solution that you deem "
                "correct. The response should summarize the thought process. Write your thoughts between "
                "<think></think> and write your response between <response></response> for each user query."
            ),
        },
    },
    note=(
        "The date is July 26, 2024 unless one is given. The official template writes no calls of tools; here they stand as the "
        "model writes them, a JSON list behind <|tool_call|>."
    ),
)

GRANITE_3_0 = TemplateRow(
    name="granite3_0",
    system="<|start_of_role|>system<|end_of_role|>{content}<|end_of_text|>\n",
    user="<|start_of_role|>user<|end_of_role|>{content}<|end_of_text|>\n",
    tool="<|start_of_role|>tool_response<|end_of_role|>{content}<|end_of_text|>\n",
    assistant_open="<|start_of_role|>assistant<|end_of_role|>",
    assistant_close="<|end_of_text|>",
    between="\n",
    tools="granite_3_0",
    behaviours=("granite_3_0",),
    note="Granite 3.0. Calls are a JSON list behind <|tool_call|>.",
)
