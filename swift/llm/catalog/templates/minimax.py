"""The M2 series of MiniMax."""

from swift.llm.catalog.rows import TemplateRow

MINIMAX_M2 = TemplateRow(
    name="minimax_m2",
    prefix="]~!b[",
    system="]~b]system\n{content}[e~[\n",
    default_system="You are a helpful assistant.",
    system_always=True,
    user="]~b]user\n{content}[e~[\n",
    tool="]~b]tool{content}[e~[\n",
    assistant_open="]~b]ai\n",
    assistant_close="[e~[",
    between="\n",
    tools="minimax_m2",
    behaviours=("think",),
    options={
        "think_open": "<think>\n",
        "think_strip": "none",
        "think_read": "lines",
        "think_question": "user",
        "answer_strip": "none",
        "upstream_loses": "reasoning",
        "empty_system": "default",
    },
    note=(
        "The prompt opens a thought, so the last answer has one, empty if need be, where the official text of a whole "
        "conversation leaves an empty one out. The system text is that of the template; the hub page names another."
    ),
)

MINIMAX_M2_1 = TemplateRow(
    name="minimax_m2_1",
    prefix="]~!b[",
    system="]~b]system\n{content}[e~[\n",
    default_system="You are a helpful assistant. Your name is MiniMax-M2.1 and is built by MiniMax.",
    system_always=True,
    user="]~b]user\n{content}[e~[\n",
    tool="]~b]tool{content}[e~[\n",
    assistant_open="]~b]ai\n",
    assistant_close="[e~[",
    between="\n",
    tools="minimax_m2",
    behaviours=("think",),
    options={
        "think_open": "<think>\n",
        "think_strip": "none",
        "think_read": "lines",
        "think_question": "user",
        "answer_strip": "none",
        "upstream_loses": "reasoning",
        "empty_system": "default",
    },
    note="As minimax_m2, with the system text of 2.1.",
)

MINIMAX_M2_5 = TemplateRow(
    name="minimax_m2_5",
    prefix="]~!b[",
    system="]~b]system\n{content}[e~[\n",
    default_system="You are a helpful assistant. Your name is MiniMax-M2.5 and is built by MiniMax.",
    system_always=True,
    user="]~b]user\n{content}[e~[\n",
    tool="]~b]tool{content}[e~[\n",
    assistant_open="]~b]ai\n",
    assistant_close="[e~[",
    between="\n",
    tools="minimax_m2",
    behaviours=("think",),
    options={
        "think_open": "<think>\n",
        "think_strip": "none",
        "think_read": "lines",
        "think_question": "user",
        "answer_strip": "none",
        "upstream_loses": "reasoning",
        "empty_system": "default",
    },
    note="As minimax_m2, with the system text of 2.5.",
)

MINIMAX_M2_7 = TemplateRow(
    name="minimax_m2_7",
    prefix="]~!b[",
    system="]~b]system\n{content}[e~[\n",
    default_system="You are a helpful assistant. Your name is MiniMax-M2.7 and is built by MiniMax.",
    system_always=True,
    user="]~b]user\n{content}[e~[\n",
    tool="]~b]tool{content}[e~[\n",
    assistant_open="]~b]ai\n",
    assistant_close="[e~[",
    between="\n",
    tools="minimax_m2",
    behaviours=("think",),
    options={
        "think_open": "<think>\n",
        "think_strip": "none",
        "think_read": "lines",
        "think_question": "user",
        "answer_strip": "none",
        "upstream_loses": "reasoning",
        "empty_system": "default",
    },
    note="As minimax_m2, with the system text of 2.7.",
)
