"""Nemotron Nano v2 (NVIDIA)."""

from swift.llm.catalog.rows import TemplateRow

NEMOTRON_NANO_2 = TemplateRow(
    name="nemotron_nano_v2",
    system="<SPECIAL_10>System\n{content}\n\n",
    user="<SPECIAL_11>User\n{content}\n",
    tool="<SPECIAL_11>User\n{content}",
    assistant_open="<SPECIAL_11>Assistant\n",
    assistant_close="\n<SPECIAL_12>",
    between="\n",
    tools="nemotron",
    behaviours=("nemotron",),
    note=(
        "Thinking is switched by /think and /no_think in the texts. As officially, a last answer without reasoning follows the "
        "open think tag: say /no_think in the system text for such data. A last answer that brings its own think tags, or the "
        "reasoning field, has its block once (the official text doubles the tag, or leaves the field out); an empty last answer "
        "is written, and a call in the last turn stands in it."
    ),
)
