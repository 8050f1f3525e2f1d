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

PHI4_REASONING = TemplateRow(
    name="phi4_reasoning",
    system="<|im_start|>system<|im_sep|>{content}<|im_end|>",
    default_system=(
        "You are Phi, a language model trained by Microsoft to help users. Your role as an assistant involves "
        "thoroughly exploring questions through a systematic thinking process before providing the final "
        "precise and accurate solutions. This requires engaging in a comprehensive cycle of analysis, "
        "summarizing, exploration, reassessment, reflection, backtracing, and iteration to develop "
        "well-considered thinking process. Please structure your response into two main sections: Thought and "
        "Solution using the specified format: <think> {Thought section} </think> {Solution section}. In the "
        "Thought section, detail your reasoning process in steps. Each step should include detailed "
        "considerations such as analysing questions, summarizing relevant findings, brainstorming new ideas, "
        "verifying the accuracy of the current steps, refining any errors, and revisiting previous steps. In "
        "the Solution section, based on various attempts, explorations, and reflections from the Thought "
        "section, systematically present the final solution that you deem correct. The Solution section should "
        "be logical, accurate, and concise and detail necessary steps needed to reach the conclusion. Now, try "
        "to solve the following question through the above guidelines:"
    ),
    user="<|im_start|>user<|im_sep|>{content}<|im_end|>",
    assistant_open="<|im_start|>assistant<|im_sep|>",
    assistant_close="<|im_end|>",
)

PHI4_MINI = TemplateRow(
    name="phi4_mini",
    system="<|system|>{content}<|end|>",
    user="<|user|>{content}<|end|>",
    assistant_open="<|assistant|>",
    assistant_close="<|end|>",
    end="{eos}",
    aliases=("phi4_multimodal",),
)

PHI3_SMALL = TemplateRow(
    name="phi3_small",
    prefix="{bos}",
    system="<|system|>\n{content}<|end|>\n",
    user="<|user|>\n{content}<|end|>\n",
    tool="<|tool|>\n{content}<|end|>\n",
    assistant_open="<|assistant|>\n",
    assistant_close="<|end|>",
    between="\n",
    end="\n{eos}",
)
