"""Phi-3, Phi-3.5 and Phi-4."""

from swift.llm.catalog.rows import TemplateRow

PHI3 = TemplateRow(
    name="phi3",
    system="<|system|>\n{content}<|end|>\n",
    user="<|user|>\n{content}<|end|>\n",
    assistant_open="<|assistant|>\n",
    assistant_close="<|end|>",
    between="\n",
    end="\n{eos}",
    note="No bos, as in the official text; the eos token behind the last answer carries no loss.",
)

PHI4 = TemplateRow(
    name="phi4",
    system="<|im_start|>system<|im_sep|>{content}<|im_end|>",
    user="<|im_start|>user<|im_sep|>{content}<|im_end|>",
    assistant_open="<|im_start|>assistant<|im_sep|>",
    assistant_close="<|im_end|>",
)
