"""The rows of models as a whole: how many, of what kind, and what their defaults reach."""

from __future__ import annotations

from collections import Counter

from swift.llm.catalog.registries import MODEL_MAPPING, expand
from swift.llm.catalog.rows import ModelFamily, ModelRow, Size


def test_there_are_as_many_as_there_should_be() -> None:
    assert len(MODEL_MAPPING) >= 1160
    kinds = Counter(row.task for row in MODEL_MAPPING.values())
    assert kinds["causal_lm"] >= 1100
    assert {"embedding", "reranker", "reward"} <= kinds.keys()
    assert sum(row.modality != ("text",) for row in MODEL_MAPPING.values()) >= 300
    assert sum("moe" in row.tags for row in MODEL_MAPPING.values()) >= 130


def test_families_of_every_line_are_there() -> None:
    for name in (
        "qwen2-vl-7b-instruct", "chatglm3-6b", "glm4-9b-chat", "internvl2-8b", "minicpm-v-v2_6-chat", "llava1_5-7b-instruct",
        "xverse-13b-256k", "baichuan2-13b-chat-int4", "telechat2-115b", "got-ocr2", "mamba-1.4b", "grok-1", "marco-o1",
        "qwen3_5-0_8b", "qwen3-vl-8b-instruct", "qwen3-coder-30b-a3b-instruct", "qwen3-next-80b-a3b-instruct", "gpt-oss-20b",
        "glm4_5-air", "glm4_6", "glm4-9b-0414", "llama4-scout-17b-16e-instruct", "gemma3-4b-it", "gemma4-31b-it", "deepseek-v3",
        "deepseek-v3_1", "deepseek-r1", "phi4-mini-instruct", "minicpm4-8b", "granite3_3-8b-instruct", "kimi-k2-instruct",
        "minimax-m2", "seed-oss-36b-instruct", "hunyuan-7b-instruct", "hunyuan-a13b-instruct", "mistral-small-2506",
        "ministral3-8b-instruct-2512", "internlm3-8b-instruct", "smollm3-3b", "lfm2-1_2b", "qwen3-embedding-0_6b",
    ):  # fmt: skip
        assert name in MODEL_MAPPING, name


def test_a_size_may_read_and_do_other_things_than_its_family() -> None:
    family = ModelFamily(
        family="f", architectures=("X",), template=None, lora_targets=("ALL",), modality=("text", "image"),
        language_prefixes=("model.text",),
        sizes=(Size(name="a", other_ids=("o/a",), hf="h/a"), Size(name="b", modality=("text",), task="reward")),
    )  # fmt: skip
    one, two = expand(family)
    assert (one.modality, one.task, one.hub_ids, one.language_prefixes) == (
        ("text", "image"), "causal_lm", ("h/a", "o/a"), ("model.text",),
    )  # fmt: skip
    assert (two.modality, two.task, two.template) == (("text",), "reward", None)


def row(targets: tuple[str, ...], prefixes: tuple[str, ...]) -> ModelRow:
    return ModelRow(
        model_type="m",
        family="m",
        architectures=("X",),
        template=None,
        lora_targets=targets,
        language_prefixes=prefixes,
    )


def test_all_means_the_language_model_where_there_is_one() -> None:
    assert row(("ALL",), ()).default_targets == ("ALL",)
    assert row(("ALL", "EMBEDDING"), ("a.b", "c")).default_targets == ("a.b.ALL", "c.ALL", "EMBEDDING")
    assert row(("q_proj",), ("a.b",)).default_targets == ("q_proj",)


def test_every_model_that_reads_media_says_where_its_language_model_is() -> None:
    vague = [
        row.model_type
        for row in MODEL_MAPPING.values()
        if row.modality != ("text",) and row.default_targets == ("ALL",)
    ]
    assert vague == []
