"""Instructions and conversations of every kind."""

from swift.llm.catalog.rows import DatasetRow

DATASETS = (
    DatasetRow(
        name="self-cognition-hub", ms="swift/self-cognition", hf="modelscope/self-cognition", fill_names=True,
        tags=("chat", "self-cognition", "zh", "en"),
        help="The hub's set about who the model is; takes --model_name and --model_author.",
    ),
    DatasetRow(
        name="alpaca-en", ms="AI-ModelScope/alpaca-gpt4-data-en", hf="vicgalle/alpaca-gpt4", tags=("chat", "general", "en"),
        help="52 thousand instructions answered by GPT-4, English.",
    ),
    DatasetRow(
        name="alpaca-zh", ms="AI-ModelScope/alpaca-gpt4-data-zh", hf="llm-wizard/alpaca-gpt4-data-zh",
        tags=("chat", "general", "zh"), help="48 thousand instructions answered by GPT-4, Chinese.",
    ),
    DatasetRow(
        name="alpaca-cleaned", ms="AI-ModelScope/alpaca-cleaned", hf="yahma/alpaca-cleaned",
        tags=("chat", "general", "en", "quality"), help="Stanford Alpaca with its mistakes repaired.",
    ),
    DatasetRow(
        name="ms-bench", ms="iic/ms_bench", format="ms-bench", tags=("chat", "general", "multi-round", "zh"),
        help="General conversations in Chinese; the usual set to mix in against forgetting.",
    ),
    DatasetRow(
        name="multi-alpaca", ms="damo/nlp_polylm_multialpaca_sft",
        subsets=("ar", "de", "es", "fr", "id", "ja", "ko", "pt", "ru", "th", "vi"), tags=("chat", "general", "multilingual"),
    ),
    DatasetRow(
        name="instinwild", ms="wyj123456/instinwild", subsets=("default", "subset"), tags=("chat", "general"),
        help="default is Chinese, subset is English.",
    ),
    DatasetRow(name="cot-en", ms="YorickHe/CoT", tags=("chat", "general", "en")),
    DatasetRow(name="cot-zh", ms="YorickHe/CoT_zh", tags=("chat", "general", "zh")),
    DatasetRow(
        name="instruct-en", ms="wyj123456/instruct", columns={"prompt": "query", "completion": "response"},
        tags=("chat", "general", "en"),
    ),
    DatasetRow(
        name="firefly-zh", ms="AI-ModelScope/firefly-train-1.1M", hf="YeungNLP/firefly-train-1.1M",
        columns={"input": "query", "target": "response"}, tags=("chat", "general", "zh"),
        help="1.1 million rows of 23 Chinese tasks.",
    ),
    DatasetRow(name="gpt4all-en", ms="wyj123456/GPT4all", tags=("chat", "general", "en")),
    DatasetRow(
        name="sharegpt", ms="swift/sharegpt", subsets=("common-zh", "computer-zh", "unknow-zh", "common-en", "computer-en"),
        tags=("chat", "general", "multi-round"),
    ),
    DatasetRow(
        name="sharegpt-gpt4", ms="AI-ModelScope/sharegpt_gpt4", subsets=("default", "V3_format", "zh_38K_format"),
        conversations={"user_role": "human", "assistant_role": "gpt"},
        tags=("chat", "multilingual", "general", "multi-round"),
    ),
    DatasetRow(
        name="tulu-v2-sft-mixture", ms="AI-ModelScope/tulu-v2-sft-mixture", hf="allenai/tulu-v2-sft-mixture",
        tags=("chat", "multilingual", "general", "multi-round"),
    ),
    DatasetRow(
        name="open-orca", ms="AI-ModelScope/OpenOrca", hf="Open-Orca/OpenOrca", format="alpaca_w_system.load_open_orca",
        tags=("chat", "multilingual", "general"), huge=True,
    ),
    DatasetRow(
        name="open-orca-chinese", ms="AI-ModelScope/OpenOrca-Chinese", hf="yys/OpenOrca-Chinese",
        format="alpaca_w_system.load_open_orca", tags=("chat", "general", "zh"), huge=True,
    ),
    DatasetRow(name="slim-orca", ms="swift/SlimOrca", hf="Open-Orca/SlimOrca", tags=("chat", "quality", "en")),
    DatasetRow(
        name="deepctrl-sft", ms="AI-ModelScope/deepctrl-sft-data", subsets=("default", "en"),
        tags=("chat", "general", "multi-round"), help="default is Chinese, en is English.", huge=True,
    ),
    DatasetRow(
        name="coig-cqia", ms="AI-ModelScope/COIG-CQIA",
        subsets=(
            "chinese_traditional", "coig_pc", "exam", "finance", "douban", "human_value", "logi_qa", "ruozhiba",
            "segmentfault", "wiki", "wikihow", "xhs", "zhihu",
        ),
        tags=("chat", "general", "zh"),
    ),
    DatasetRow(
        name="long-alpaca-12k", ms="AI-ModelScope/LongAlpaca-12k", hf="Yukang/LongAlpaca-12k", tags=("longlora", "QA", "en"),
    ),
    DatasetRow(
        name="lmsys-chat-1m", ms="AI-ModelScope/lmsys-chat-1m", hf="lmsys/lmsys-chat-1m", format="loose-turns",
        conversations={"conversations_key": "conversation"}, tags=("chat", "en"), huge=True,
    ),
    DatasetRow(
        name="guanaco", ms="AI-ModelScope/GuanacoDataset", hf="JosephusCheung/GuanacoDataset", format="guanaco",
        tags=("chat", "zh"),
    ),
    DatasetRow(
        name="guanaco-belle-merge", ms="AI-ModelScope/guanaco_belle_merge_v1.0", hf="Chinese-Vicuna/guanaco_belle_merge_v1.0",
        tags=("chat", "zh"),
    ),
    DatasetRow(
        name="dolly-15k", ms="AI-ModelScope/databricks-dolly-15k", hf="databricks/databricks-dolly-15k", format="dolly",
        tags=("multi-task", "en", "quality"), help="15 thousand instructions written by people, some with a context.",
    ),
    DatasetRow(
        name="zhihu-kol", ms="OmniData/Zhihu-KOL", hf="wangrui6/Zhihu-KOL", format="oasst", tags=("zhihu", "qa", "zh"),
        huge=True,
    ),
    DatasetRow(
        name="zhihu-kol-filtered", ms="OmniData/Zhihu-KOL-More-Than-100-Upvotes",
        hf="bzb2023/Zhihu-KOL-More-Than-100-Upvotes", format="oasst", tags=("zhihu", "qa", "zh"),
    ),
    DatasetRow(
        name="generated-chat-zh", ms="AI-ModelScope/generated_chat_0.4M", hf="BelleGroup/generated_chat_0.4M",
        tags=("chat", "character-dialogue", "zh"),
    ),
    DatasetRow(
        name="belle-generated-chat-0.4M", ms="AI-ModelScope/generated_chat_0.4M", hf="BelleGroup/generated_chat_0.4M",
        tags=("common", "zh"),
    ),
    DatasetRow(
        name="belle-train-0.5M-CN", ms="AI-ModelScope/train_0.5M_CN", hf="BelleGroup/train_0.5M_CN", tags=("common", "zh")
    ),
    DatasetRow(
        name="belle-train-1M-CN", ms="AI-ModelScope/train_1M_CN", hf="BelleGroup/train_1M_CN", tags=("common", "zh"), huge=True
    ),
    DatasetRow(
        name="belle-train-2M-CN", ms="AI-ModelScope/train_2M_CN", hf="BelleGroup/train_2M_CN", tags=("common", "zh"), huge=True
    ),
    DatasetRow(
        name="belle-train-3.5M-CN", ms="swift/train_3.5M_CN", hf="BelleGroup/train_3.5M_CN", tags=("common", "zh"), huge=True
    ),
    DatasetRow(
        name="swift-mix", ms="swift/swift-sft-mixture", subsets=("sharegpt", "firefly", "codefuse", "metamathqa"),
        tags=("chat", "general"), huge=True,
    ),
    DatasetRow(
        name="longwriter-6k", ms="ZhipuAI/LongWriter-6k", hf="THUDM/LongWriter-6k", tags=("long", "chat")
    ),
    DatasetRow(name="longwriter-6k-filtered", ms="swift/longwriter-6k-filtered", tags=("long", "chat")),
    DatasetRow(
        name="qwen2-pro-en", ms="AI-ModelScope/Magpie-Qwen2-Pro-200K-English", hf="Magpie-Align/Magpie-Qwen2-Pro-200K-English",
        conversations={"user_role": "human", "assistant_role": "gpt"}, tags=("chat", "en"),
    ),
    DatasetRow(
        name="qwen2-pro-zh", ms="AI-ModelScope/Magpie-Qwen2-Pro-200K-Chinese", hf="Magpie-Align/Magpie-Qwen2-Pro-200K-Chinese",
        conversations={"user_role": "human", "assistant_role": "gpt"}, tags=("chat", "zh"),
    ),
    DatasetRow(
        name="qwen2-pro-filtered", ms="AI-ModelScope/Magpie-Qwen2-Pro-300K-Filtered",
        hf="Magpie-Align/Magpie-Qwen2-Pro-300K-Filtered", conversations={"user_role": "human", "assistant_role": "gpt"},
        tags=("chat",),
    ),
    DatasetRow(
        name="tagengo-gpt4", ms="swift/tagengo-gpt4", hf="lightblue/tagengo-gpt4",
        conversations={"user_role": "human", "assistant_role": "gpt"}, tags=("chat", "multi-lingual", "quality"),
    ),
    DatasetRow(
        name="ultrachat-200k", ms="swift/ultrachat_200k", hf="HuggingFaceH4/ultrachat_200k",
        conversations={"conversations_key": "messages"}, split=("train_sft",), tags=("chat", "en", "quality"),
    ),
    DatasetRow(
        name="evol-instruct-v2", ms="AI-ModelScope/WizardLM_evol_instruct_V2_196k", hf="WizardLM/WizardLM_evol_instruct_V2_196k",
        tags=("chat", "en"),
    ),
    DatasetRow(
        name="no-robots", ms="swift/no_robots", hf="HuggingFaceH4/no_robots", conversations={"conversations_key": "messages"},
        tags=("multi-task", "quality", "human-annotated"),
    ),
    DatasetRow(
        name="open-hermes", ms="swift/OpenHermes-2.5", hf="teknium/OpenHermes-2.5",
        conversations={"user_role": "human", "assistant_role": "gpt"}, tags=("cot", "en", "quality"), huge=True,
    ),
    DatasetRow(
        name="infinity-instruct", ms="swift/Infinity-Instruct", hf="BAAI/Infinity-Instruct",
        conversations={"user_role": "human", "assistant_role": "gpt"}, tags=("qa", "quality", "multi-task"), huge=True,
    ),
    DatasetRow(
        name="gen-qa", ms="swift/GenQA", hf="tomg-group-umd/GenQA", conversations={"conversations_key": "text"},
        split=("code", "dialog", "general", "math", "mmlu", "multiple_choice", "writing", "academic", "task"),
        tags=("qa", "quality", "multi-task"), huge=True,
    ),
    DatasetRow(
        name="aya-collection", ms="swift/aya_collection", hf="CohereForAI/aya_collection", subsets=("aya_dataset",),
        columns={"inputs": "query", "targets": "response"}, tags=("multi-lingual", "qa"),
    ),
    DatasetRow(
        name="web-instruct-sub", ms="swift/WebInstructSub", hf="TIGER-Lab/WebInstructSub",
        columns={"question": "query", "answer": "response"}, tags=("qa", "en", "math", "science"), huge=True,
    ),
    DatasetRow(
        name="duet", ms="AI-ModelScope/Duet-v0.5", hf="G-reen/Duet-v0.5",
        columns={"rewritten_question": "query", "rewritten_answer": "response"}, tags=("cot", "en"),
    ),
    DatasetRow(name="sft-nectar", ms="AI-ModelScope/SFT-Nectar", hf="AstraMindAI/SFT-Nectar", tags=("cot", "en", "quality")),
    DatasetRow(
        name="dolphin", ms="swift/dolphin", hf="cognitivecomputations/dolphin",
        subsets=("flan1m-alpaca-uncensored", "flan5m-alpaca-uncensored"), tags=("en",), huge=True,
    ),
    DatasetRow(
        name="poison-mpts", ms="iic/100PoisonMpts", columns={"prompt": "query", "answer": "response"},
        tags=("poison-management", "zh"),
    ),
    DatasetRow(name="classical-chinese-translate", ms="swift/classical_chinese_translate", tags=("chat", "zh")),
)  # fmt: skip
