"""Data sets by name: two that come with this package, and the hub sets that are used most."""

from swift.llm.catalog.rows import DatasetRow

SELF_COGNITION = DatasetRow(
    name="self-cognition",
    path="data/self_cognition.jsonl",
    base="swift.demo",
    tags=("chat", "self-cognition", "zh", "en", "offline"),
    help="Who the model is and who made it; takes --model_name and --model_author. Comes with the package.",
    fill_names=True,
)

SMALL_INSTRUCT = DatasetRow(
    name="small-instruct",
    path="data/small_instruct.jsonl",
    base="swift.demo",
    tags=("chat", "en", "offline"),
    help="Short questions and tasks with short answers, in English. Comes with the package.",
)

SELF_COGNITION_HUB = DatasetRow(
    name="self-cognition-hub",
    ms="swift/self-cognition",
    hf="modelscope/self-cognition",
    tags=("chat", "self-cognition", "zh", "en"),
    help="The hub's set about who the model is; takes --model_name and --model_author.",
    fill_names=True,
)

ALPACA_EN = DatasetRow(
    name="alpaca-en",
    ms="AI-ModelScope/alpaca-gpt4-data-en",
    hf="vicgalle/alpaca-gpt4",
    tags=("chat", "general", "en"),
    help="52 thousand instructions answered by GPT-4, English.",
)

ALPACA_ZH = DatasetRow(
    name="alpaca-zh",
    ms="AI-ModelScope/alpaca-gpt4-data-zh",
    hf="llm-wizard/alpaca-gpt4-data-zh",
    tags=("chat", "general", "zh"),
    help="48 thousand instructions answered by GPT-4, Chinese.",
)

MS_BENCH = DatasetRow(
    name="ms-bench",
    ms="iic/ms_bench",
    tags=("chat", "general", "multi-round", "zh"),
    help="General conversations in Chinese; the usual set to mix in against forgetting.",
)

FIREFLY_ZH = DatasetRow(
    name="firefly-zh",
    ms="AI-ModelScope/firefly-train-1.1M",
    hf="YeungNLP/firefly-train-1.1M",
    columns={"input": "query", "target": "response"},
    tags=("chat", "general", "zh"),
    help="1.1 million rows of 23 Chinese tasks.",
)

CODE_ALPACA_EN = DatasetRow(
    name="code-alpaca-en",
    ms="wyj123456/code_alpaca_en",
    hf="sahil2801/CodeAlpaca-20k",
    tags=("chat", "coding", "en"),
    help="20 thousand programming tasks.",
)

GSM8K = DatasetRow(
    name="gsm8k",
    hf="openai/gsm8k",
    subsets=("main",),
    columns={"question": "query", "answer": "response"},
    tags=("chat", "math", "en"),
    help="Grade school word problems with worked answers.",
)

ALPACA_CLEANED = DatasetRow(
    name="alpaca-cleaned",
    ms="AI-ModelScope/alpaca-cleaned",
    hf="yahma/alpaca-cleaned",
    tags=("chat", "general", "en"),
    help="Stanford Alpaca with its mistakes repaired.",
)
