"""Command R, R+ and Aya (Cohere)."""

from swift.llm.catalog.rows import TemplateRow

C4AI = TemplateRow(
    name="c4ai",
    prefix="{bos}",
    system="<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{content}<|END_OF_TURN_TOKEN|>",
    user="<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{content}<|END_OF_TURN_TOKEN|>",
    tool="<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{content}<|END_OF_TURN_TOKEN|>",
    assistant_open="<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    assistant_close="<|END_OF_TURN_TOKEN|>",
    strip=("user", "assistant"),
    tools="cohere",
    behaviours=("command_r",),
    options={
        "tool_preamble": (
            "# Safety Preamble\n"
            "The instructions in this section override those in the task description and style guide sections. "
            "Don't answer questions that are harmful or immoral.\n\n# System Preamble\n## Basic Rules\n"
            "You are a powerful conversational AI trained by Cohere to help people. You are augmented by a number "
            "of tools, and your job is to use and consume the output of these tools to best help the user. You will "
            "see a conversation history between yourself and a user, ending with an utterance from the user. You "
            "will then see a specific instruction instructing you what kind of response to generate. When you "
            "answer the user's requests, you cite your sources in your answers, according to those instructions.\n\n"
            "# User Preamble\n"
        ),
        "tool_context": (
            "## Task and Context\n"
            "You help people answer their questions and other requests interactively. You will be asked a very wide "
            "array of requests on all kinds of topics. You will be equipped with a wide range of search engines or "
            "similar tools to help you, which you use to research your answer. You should focus on serving the "
            "user's needs as best you can, which will be wide-ranging.\n\n## Style Guide\n"
            "Unless the user asks for a different style of answer, you should answer in full sentences, using "
            "proper grammar and spelling."
        ),
        "order_open": "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>",
        "order_close": "<|END_OF_TURN_TOKEN|>",
    },
    note=(
        "No default system text, as in the official chat template; 2.x put one in. With tools the order to act stands in front "
        "of the last answer, where the official text of a whole conversation has it behind; and a call is closed by the "
        "end-of-turn token, which the official text leaves out."
    ),
    aliases=("aya",),
)
