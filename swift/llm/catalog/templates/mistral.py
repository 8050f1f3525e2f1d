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
    note="Mistral Large 2411.",
)
