"""Mistral's instruct formats, by the version of its tokenizer."""

from swift.llm.catalog.rows import TemplateRow

MISTRAL_V1 = TemplateRow(
    name="mistral_v1",
    prefix="{bos}",
    system="{content}\n\n",
    user=" [INST] {content} [/INST]",
    assistant=" {content}",
    assistant_close="{eos}",
    behaviours=("system_in_first_user", "alternate"),
    note="Mistral 7B Instruct v0.1 and v0.2, Mixtral 8x7B.",
)

MISTRAL_V3 = TemplateRow(
    name="mistral_v3",
    prefix="{bos}",
    system="{content}\n\n",
    user="[INST] {content}[/INST]",
    tool="{content}",
    assistant=" {content}",
    assistant_close="{eos}",
    strip=("assistant",),
    tools="mistral",
    behaviours=("system_in_last_user", "alternate"),
    options={"upstream_loses": "system"},
    note=(
        "v2 and v3 tokenizers. The system text stands in the last user turn, also in training and before a tool's answer, "
        "where the Jinja version of the format loses it."
    ),
)

MISTRAL_NEMO = TemplateRow(
    name="mistral-nemo",
    prefix="{bos}",
    system="{content}\n\n",
    user="[INST]{content}[/INST]",
    tool="{content}",
    assistant_close="{eos}",
    tools="mistral_nemo",
    behaviours=("system_in_last_user", "alternate"),
    options={"upstream_loses": "system"},
    note="v3 tekken. The system text stands in the last user turn, also in training.",
)

MISTRAL_NEMO_4 = TemplateRow(
    name="mistral_nemo",
    prefix="{bos}",
    system="{content}\n\n",
    user="[INST]{content}[/INST]",
    tool="{content}",
    assistant_close="{eos}",
    tools="mistral_nemo",
    behaviours=("system_in_last_user", "alternate"),
    options={"upstream_loses": "system"},
    note="v3 tekken. The system text stands in the last user turn, also in training.",
)

MISTRAL_V7 = TemplateRow(
    name="mistral_v7",
    prefix="{bos}",
    system="[SYSTEM_PROMPT] {content}[/SYSTEM_PROMPT]",
    user="[INST] {content}[/INST]",
    assistant=" {content}",
    assistant_close="{eos}",
    note="Mistral Large 2411; tools are told as ReAct text, since the official template knows none.",
)

MISTRAL_2506 = TemplateRow(
    name="mistral_2506",
    prefix="{bos}",
    system="[SYSTEM_PROMPT]{content}[/SYSTEM_PROMPT]",
    default_system=(
        "You are Mistral Small 3, a Large Language Model (LLM) created by Mistral AI, a French startup "
        "headquartered in Paris.\n"
        "Your knowledge base was last updated on 2023-10-01. The current date is {iso_date}.\n\n"
        "When you're not sure about some information or when the user's request requires up-to-date or specific "
        "data, you must use the available tools to fetch the information. Do not hesitate to use tools whenever "
        "they can provide a more accurate or complete response. If no relevant tools are available, then "
        "clearly state that you don't have the information and avoid making up anything.\n\n"
        "If the user's question is not clear, ambiguous, or does not provide enough context for you to "
        "accurately answer the question, you do not try to answer it right away and you rather ask the user to "
        'clarify their request (e.g. "What are some good restaurants around me?" => "Where are you?" or "When '
        'is the next flight to Tokyo" => "Where do you travel from?").\n'
        "You are always very attentive to dates, and when asked about information at specific dates, you "
        "discard information that is at another date.\n"
        "You follow these instructions in all languages, and always respond to the user in the language they "
        "use or request.\nNext sections describe the capabilities that you have.\n\n"
        "# WEB BROWSING INSTRUCTIONS\n\n"
        "You cannot perform any web search or access internet to open URLs, links etc. If it seems like the "
        "user is expecting you to do so, you clarify the situation and ask the user to copy paste the text "
        "directly in the chat.\n\n# MULTI-MODAL INSTRUCTIONS\n\n"
        "You have the ability to read images, but you cannot generate images. You also cannot transcribe audio "
        "files or videos.\nYou cannot read nor transcribe audio files or videos.\n\n"
        "# TOOL CALLING INSTRUCTIONS\n\n"
        "You may have access to tools that you can use to fetch information or perform actions. You must use "
        "these tools in the following situations:\n\n1. When the request requires up-to-date information.\n"
        "2. When the request requires specific data that you do not have in your knowledge base.\n"
        "3. When the request involves actions that you cannot perform without tools.\n\n"
        "Always prioritize using tools to provide the most accurate and helpful response. If tools are not "
        "available, inform the user that you cannot perform the requested action at the moment."
    ),
    user="[INST]{content}[/INST]",
    tool="{content}",
    assistant_close="{eos}",
    tools="mistral_v11",
    behaviours=("alternate",),
    note=(
        "Mistral Small 3.2. The date in the default system text is 2024-07-26 unless one is given; text beside a call is left "
        "out, as officially."
    ),
)

ALPHAMONARCH = TemplateRow(
    name="alphamonarch",
    system="{bos}system\n{content}{eos}\n",
    user="{bos}user\n{content}{eos}\n",
    assistant_open="{bos}assistant\n",
    assistant_close="{eos}",
    between="\n",
)
