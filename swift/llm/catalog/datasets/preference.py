"""Chosen and rejected answers, and answers with a verdict."""

from swift.llm.catalog.rows import DatasetRow

DATASETS = (
    DatasetRow(
        name="hh-rlhf", ms="AI-ModelScope/hh-rlhf", format="preference",
        subsets=("harmless-base", "helpful-base", "helpful-online", "helpful-rejection-sampled"), split=("train", "test"),
        tags=("rlhf", "dpo", "pairwise", "en"), help="Two dialogues as texts that begin alike and end differently.",
    ),
    DatasetRow(
        name="hh-rlhf-cn", ms="AI-ModelScope/hh_rlhf_cn",
        subsets=("hh_rlhf", "harmless_base_cn", "harmless_base_en", "helpful_base_cn", "helpful_base_en"),
        split=("train", "test"), conversations={"conversations_key": "context", "value_key": "text"},
        tags=("rlhf", "dpo", "pairwise", "zh"),
    ),
    DatasetRow(
        name="orpo-dpo-mix-40k", ms="AI-ModelScope/orpo-dpo-mix-40k", hf="mlabonne/orpo-dpo-mix-40k", format="preference",
        tags=("dpo", "orpo", "en", "quality"),
    ),
    DatasetRow(
        name="stack-exchange-paired", ms="AI-ModelScope/stack-exchange-paired", hf="lvwerra/stack-exchange-paired",
        columns={"question": "query", "response_j": "response", "response_k": "rejected_response"},
        tags=("rlhf", "dpo", "pairwise", "en"), huge=True,
    ),
    DatasetRow(
        name="shareai-llama3-dpo-zh-en-emoji", ms="hjh0119/shareAI-Llama3-DPO-zh-en-emoji",
        columns={"question": "query", "answer_zh": "response", "answer_en": "rejected_response"},
        tags=("rlhf", "dpo", "pairwise", "zh"),
    ),
    DatasetRow(
        name="ultrafeedback-kto", ms="AI-ModelScope/ultrafeedback-binarized-preferences-cleaned-kto",
        columns={"prompt": "query", "completion": "response"}, tags=("rlhf", "kto", "en"),
        help="One answer a row, with a label: true for a good one.",
    ),
    DatasetRow(
        name="zhihu-rlhf", ms="AI-ModelScope/zhihu_rlhf_3k", hf="liyucheng/zhihu_rlhf_3k",
        columns={"prompt": "query", "chosen": "response", "rejected": "rejected_response"}, tags=("rlhf", "dpo", "zh"),
    ),
    DatasetRow(
        name="orca_dpo_pairs", ms="swift/orca_dpo_pairs", hf="Intel/orca_dpo_pairs",
        columns={"question": "query", "chosen": "response", "rejected": "rejected_response"}, tags=("rlhf", "dpo", "en"),
    ),
)  # fmt: skip
