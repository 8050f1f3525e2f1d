"""Rows of your own: swift sft --custom_register_path examples/my_rows.py --dataset harbour --template_type plain-labels …"""

from pathlib import Path

from swift.llm import register_dataset, register_template

register_dataset(
    name="harbour",
    path=str(Path(__file__).parent / "rows" / "harbour.jsonl"),
    help="Eight rows about a harbour.",
)

register_template(
    name="plain-labels",
    system="{content}\n\n",
    user="Question: {content}\n",
    assistant_open="Answer:",
    assistant_close="{eos}",
    between="\n",
)
