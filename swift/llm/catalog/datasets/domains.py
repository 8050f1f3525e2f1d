"""Code, mathematics, law, medicine, finance and single tasks."""

from swift.llm.catalog.rows import DatasetRow

DATASETS = (
    DatasetRow(
        name="code-alpaca-en", ms="wyj123456/code_alpaca_en", hf="sahil2801/CodeAlpaca-20k", tags=("chat", "coding", "en"),
        help="20 thousand programming tasks.",
    ),
    DatasetRow(
        name="codealpaca-20k", ms="AI-ModelScope/CodeAlpaca-20k", hf="HuggingFaceH4/CodeAlpaca_20K",
        tags=("chat", "coding", "en"),
    ),
    DatasetRow(
        name="leetcode-python-en", ms="AI-ModelScope/leetcode-solutions-python", format="leetcode",
        tags=("chat", "coding", "en"),
    ),
    DatasetRow(
        name="codefuse-python-en", ms="codefuse-ai/CodeExercise-Python-27k",
        conversations={"conversations_key": "chat_rounds", "user_role": "human", "assistant_role": "bot"},
        tags=("chat", "coding", "en"),
    ),
    DatasetRow(
        name="codefuse-evol-instruction-zh", ms="codefuse-ai/Evol-instruction-66k",
        columns={"instruction": "query", "output": "response"}, tags=("chat", "coding", "zh"),
    ),
    DatasetRow(
        name="gsm8k", hf="openai/gsm8k", subsets=("main",), columns={"question": "query", "answer": "response"},
        tags=("chat", "math", "en"), help="Grade school word problems with worked answers.",
    ),
    DatasetRow(
        name="blossom-math-zh", ms="AI-ModelScope/blossom-math-v2", hf="Azure99/blossom-math-v2", format="blossom-math",
        tags=("chat", "math", "zh"),
    ),
    DatasetRow(
        name="school-math-zh", ms="AI-ModelScope/school_math_0.25M", hf="BelleGroup/school_math_0.25M",
        tags=("chat", "math", "zh"),
    ),
    DatasetRow(
        name="belle-math-0.25M", ms="AI-ModelScope/school_math_0.25M", hf="BelleGroup/school_math_0.25M", tags=("math", "zh")
    ),
    DatasetRow(
        name="open-platypus-en", ms="AI-ModelScope/Open-Platypus", hf="garage-bAInd/Open-Platypus", tags=("chat", "math", "en")
    ),
    DatasetRow(
        name="math-instruct", ms="AI-ModelScope/MathInstruct", hf="TIGER-Lab/MathInstruct",
        columns={"instruction": "query", "output": "response"}, tags=("math", "cot", "en", "quality"),
    ),
    DatasetRow(name="math-plus", ms="TIGER-Lab/MATH-plus", hf="TIGER-Lab/MATH-plus", tags=("qa", "math", "en")),
    DatasetRow(
        name="text2sql-en", ms="AI-ModelScope/texttosqlv2_25000_v2", hf="Clinton/texttosqlv2_25000_v2",
        tags=("chat", "sql", "en"),
    ),
    DatasetRow(
        name="sql-create-context-en", ms="AI-ModelScope/sql-create-context", hf="b-mc2/sql-create-context",
        columns={"question": "instruction", "context": "input", "answer": "output"}, tags=("chat", "sql", "en"),
    ),
    DatasetRow(
        name="synthetic-text-to-sql", ms="AI-ModelScope/synthetic_text_to_sql", hf="gretelai/synthetic_text_to_sql",
        format="text-to-sql", tags=("nl2sql", "en"),
    ),
    DatasetRow(
        name="medical-en", ms="swift/medical_zh", subsets=("en",), split=("train", "val", "test"),
        columns={"input": "query", "output": "response"}, tags=("chat", "medical", "en"),
    ),
    DatasetRow(
        name="medical-zh", ms="swift/medical_zh", subsets=("zh",), split=("train", "val", "test"),
        columns={"instruction": "query", "output": "response"}, tags=("chat", "medical", "zh"),
    ),
    DatasetRow(
        name="disc-med-sft-zh", ms="AI-ModelScope/DISC-Med-SFT", hf="Flmc/DISC-Med-SFT",
        conversations={"conversations_key": "conversation"}, tags=("chat", "medical", "zh"),
    ),
    DatasetRow(
        name="lawyer-llama-zh", ms="AI-ModelScope/lawyer_llama_data", hf="Skepsun/lawyer_llama_data",
        columns={"instruction": "query", "output": "response", "history": "-"}, tags=("chat", "law", "zh"),
    ),
    DatasetRow(
        name="disc-law-sft-zh", ms="AI-ModelScope/DISC-Law-SFT", hf="ShengbinYue/DISC-Law-SFT",
        columns={"input": "query", "output": "response"}, tags=("chat", "law", "zh"),
    ),
    DatasetRow(
        name="tigerbot-law-zh", ms="AI-ModelScope/tigerbot-law-plugin", hf="TigerResearch/tigerbot-law-plugin",
        format="tigerbot-law", tags=("text-generation", "law", "pretrain", "zh"),
    ),
    DatasetRow(name="finance-en", ms="wyj123456/finance_en", hf="ssbuild/alpaca_finance_en", tags=("chat", "financial", "en")),
    DatasetRow(
        name="advertise-gen-zh", ms="lvjianjin/AdvertiseGen", hf="shibing624/AdvertiseGen", format="advertise-gen",
        split=("train", "validation"), tags=("text-generation", "zh"),
    ),
    DatasetRow(
        name="dureader-robust-zh", ms="modelscope/DuReader_robust-QG", format="dureader-robust",
        split=("train", "validation", "test"), tags=("text-generation", "zh"),
    ),
    DatasetRow(
        name="cmnli-zh", ms="modelscope/clue", subsets=("cmnli",), format="natural-language-inference",
        split=("train", "validation"), tags=("text-generation", "classification", "zh"),
    ),
    DatasetRow(
        name="jd-sentiment-zh", ms="DAMO_NLP/jd", format="sentiment-classification", split=("train", "validation"),
        tags=("text-generation", "classification", "zh"),
    ),
    DatasetRow(
        name="cls-fudan-news-zh", ms="damo/zh_cls_fudan-news", columns={"prompt": "query", "answer": "response"},
        tags=("chat", "classification", "zh"),
    ),
    DatasetRow(
        name="ner-jave-zh", ms="damo/zh_ner-JAVE", columns={"prompt": "query", "answer": "response"},
        tags=("chat", "ner", "zh"),
    ),
    DatasetRow(name="webnovel-zh", ms="AI-ModelScope/webnovel_cn", hf="zxbsmk/webnovel_cn", tags=("chat", "novel", "zh")),
)  # fmt: skip
