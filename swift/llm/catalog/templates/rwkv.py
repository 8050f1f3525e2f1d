"""RWKV World."""

from swift.llm.catalog.rows import TemplateRow

RWKV_WORLD = TemplateRow(
    name="rwkv_world",
    prefix="{bos}",
    system="System: {content}\n\n",
    user="User: {content}\n\n",
    assistant_open="Assistant:",
    assistant_close="\n\n",
    strip=("user",),
    behaviours=("rwkv",),
    options={"upstream_loses": "reasoning"},
    note="The official text has no reasoning; here the last answer keeps its own.",
)
