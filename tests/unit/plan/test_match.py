"""Which row a model is."""

from __future__ import annotations

import pytest

from swift.llm.catalog.registries import MODEL_MAPPING
from swift.llm.catalog.rows import ModelRow
from swift.llm.plan.match import ALL, derive_row, match_model, source_of, template_fingerprint
from swift.utils.errors import ArgumentError, ModelError
from swift.utils.registry import Registry

QKV = ("q_proj", "k_proj", "v_proj")
OURS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
THEIRS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}


def row(name: str, template: str = "ours", targets: tuple[str, ...] = QKV, **fields: object) -> ModelRow:
    return ModelRow(
        model_type=name, family=str(fields.pop("family", "fam")), architectures=("LlamaForCausalLM",), template=template,
        lora_targets=targets, **fields,
    )  # fmt: skip


def registry(*rows: ModelRow) -> Registry[ModelRow]:
    return Registry("model_type", rows)


def test_the_given_type_decides() -> None:
    rows = registry(row("a", chat_templates=(template_fingerprint(OURS),)), row("b", "theirs"))
    found = match_model(LLAMA, OURS, "b", None, rows)
    assert found.row is not None
    assert (found.row.model_type, found.why) == ("b", "--model_type b")


def test_a_given_type_of_another_architecture_is_told() -> None:
    found = match_model({"architectures": ["OtherForCausalLM"]}, None, "a", None, registry(row("a")))
    assert "the folder holds a OtherForCausalLM" in found.why


def test_an_unknown_type_gives_near_names() -> None:
    with pytest.raises(ArgumentError, match="qwen2_5-7b-instruct"):
        match_model(LLAMA, None, "qwen2_5-7b-instrct")


@pytest.mark.parametrize(
    ("hub_id", "model_type"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2_5-7b-instruct"),
        ("qwen/qwen2.5-7b-instruct", "qwen2_5-7b-instruct"),
        ("meta-llama/Llama-2-7b-chat-hf", "llama2-7b-chat"),
        ("modelscope/Llama-2-7b-chat-ms", "llama2-7b-chat"),
        ("Qwen/Qwen2.5-Coder-7B-Instruct-GPTQ-Int4", "qwen2_5-coder-7b-instruct-gptq-int4"),
        ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", "qwen2_5-7b-instruct-gptq-int4"),
        ("swift.demo:model", "demo-chat"),
    ],
)
def test_a_known_id_decides(hub_id: str, model_type: str) -> None:
    found = match_model({"architectures": ["Qwen2ForCausalLM"]}, None, None, hub_id)
    assert found.row is not None
    assert found.row.model_type == model_type


def test_parts_of_a_name_do_not_count() -> None:
    found = match_model({"architectures": ["Qwen2ForCausalLM"]}, THEIRS, None, "me/Qwen2.5-7B-Instruct")
    assert found.row is not None
    assert found.row.template is None


def test_the_fingerprint_of_the_chat_template_decides() -> None:
    rows = registry(
        row("a", chat_templates=(template_fingerprint(OURS),)),
        row("b", "theirs", chat_templates=(template_fingerprint(THEIRS),)),
    )
    for template, name in ((OURS, "a"), (THEIRS, "b"), (THEIRS.replace(" ", "  "), "b")):
        found = match_model(LLAMA, template, None, "me/mine", rows)
        assert found.row is not None
        assert found.row.model_type == name


def test_sizes_that_agree_are_no_conflict_and_claim_no_size() -> None:
    prints = (template_fingerprint(OURS),)
    rows = registry(
        row("fam-7b", hf="x/7b", chat_templates=prints, requires=("a", "b")),
        row("fam-70b-awq", hf="x/70b", chat_templates=prints, quant=("awq", 4), dtype="float16", requires=("a",)),
    )
    found = match_model(LLAMA, OURS, None, None, rows).row
    assert found is not None
    assert (found.model_type, found.template, found.lora_targets) == ("fam", "ours", QKV)
    assert (found.hf, found.quant, found.dtype, found.requires) == (None, None, None, ("a",))


def test_several_formats_are_listed_one_name_each() -> None:
    prints = (template_fingerprint(OURS),)
    rows = registry(
        row("a-7b-awq", chat_templates=prints, quant=("awq", 4)), row("a-7b", chat_templates=prints),
        row("b-7b", "theirs", chat_templates=prints),
    )  # fmt: skip
    found = match_model(LLAMA, OURS, None, None, rows)
    assert found.row is None
    assert found.candidates == ("a-7b", "b-7b")


def test_a_chat_template_that_no_row_knows_is_used_itself() -> None:
    found = match_model(LLAMA, THEIRS, None, None, registry(row("a"), row("b", "theirs"))).row
    assert found is not None
    assert (found.template, found.lora_targets, found.model_type) == (None, QKV, "llama")


def test_targets_that_rows_disagree_on_become_all_linear() -> None:
    rows = registry(row("a"), row("b", "theirs", ("qkv_proj",)))
    found = match_model(LLAMA, THEIRS, None, None, rows).row
    assert found is not None
    assert found.lora_targets == ALL


def test_rows_that_differ_in_their_targets_alone_are_one_format() -> None:
    prints = (template_fingerprint(OURS),)
    rows = registry(row("a", chat_templates=prints), row("b", targets=ALL, chat_templates=prints))
    found = match_model(LLAMA, OURS, None, None, rows).row
    assert found is not None
    assert (found.template, found.lora_targets) == ("ours", ALL)


def test_a_language_model_is_not_taken_for_the_reranker_made_from_it() -> None:
    prints = (template_fingerprint(OURS),)
    rows = registry(
        row("chat", chat_templates=prints), row("rank", "r", task="reranker", hf="x/rank", chat_templates=prints)
    )
    found = match_model(LLAMA, OURS, None, None, rows).row
    assert found is not None
    assert found.model_type == "chat"
    assert match_model(LLAMA, OURS, None, "x/RANK", rows).row == rows["rank"]


def test_other_ids_of_a_checkpoint_lead_to_its_row_and_its_hub() -> None:
    rows = registry(row("a", ms="new/a", hf="new/a-hf", other_ids=("old/a",)))
    assert match_model(LLAMA, THEIRS, None, "Old/A", rows).row == rows["a"]
    assert source_of("old/a", None, use_hf=True, rows=rows) == ("new/a-hf", True)


def test_an_unknown_format_of_a_model_that_reads_images_keeps_what_its_architecture_says() -> None:
    image = row(
        "v", modality=("text", "image"), language_prefixes=("model.text",), loader="m:l", trust_remote_code=True
    )
    found = match_model({**LLAMA, "auto_map": {}}, THEIRS, None, None, registry(image)).row
    assert found is not None
    assert (found.template, found.loader, found.modality, found.language_prefixes) == (
        None, "m:l", ("text", "image"), ("model.text",),
    )  # fmt: skip
    mixed = match_model(LLAMA, THEIRS, None, None, registry(image, row("t"))).row
    assert mixed is not None
    assert (mixed.modality, mixed.loader) == (("text",), row("t").loader)


def test_without_a_chat_template_it_is_a_base_model() -> None:
    rows = registry(row("a", "default-generation", tags=("base",)), row("a-chat", tags=("chat",)))
    found = match_model(LLAMA, None, None, None, rows)
    assert found.row is not None
    assert found.row.model_type == "a"
    assert "--model_type" in found.why


def test_without_a_chat_template_and_without_base_models_candidates_are_listed() -> None:
    found = match_model(LLAMA, None, None, None, registry(row("a"), row("b", "theirs")))
    assert found.candidates == ("a", "b")


@pytest.mark.parametrize(("template", "expected"), [(OURS, None), (None, "default-generation")])
def test_an_unknown_architecture_is_derived(template: str | None, expected: str | None) -> None:
    config = {"architectures": ["NewForCausalLM"], "model_type": "new"}
    found = match_model(config, template)
    assert found.row is not None
    assert (found.row.model_type, found.row.template, found.row.lora_targets) == ("new", expected, ALL)
    assert "no row knows NewForCausalLM" in found.why


def test_code_beside_the_weights_is_asked_for() -> None:
    own_code = {"architectures": ["NewForCausalLM"], "auto_map": {"AutoModelForCausalLM": "x.NewForCausalLM"}}
    assert derive_row(own_code, None).trust_remote_code
    assert not derive_row({**own_code, "architectures": ["LlamaForCausalLM"]}, None, [row("a")]).trust_remote_code
    assert not derive_row({"architectures": ["NewForCausalLM"]}, None).trust_remote_code


def test_a_config_without_architecture() -> None:
    with pytest.raises(ModelError, match="architectures"):
        match_model({}, None)


def test_the_same_world_gives_the_same_match() -> None:
    assert match_model(LLAMA, THEIRS) == match_model(LLAMA, THEIRS)


def test_a_base_folder_of_each_architecture_finds_a_row_or_names() -> None:
    for architecture in sorted({name for one in MODEL_MAPPING.values() for name in one.architectures}):
        found = match_model({"architectures": [architecture], "model_type": "x"}, None)
        assert found.row is not None or found.candidates


@pytest.mark.parametrize(
    ("given", "model_type", "use_hf", "expected"),
    [
        (None, "llama2-7b", False, ("modelscope/Llama-2-7b-ms", False)),
        (None, "llama2-7b", True, ("meta-llama/Llama-2-7b-hf", True)),
        (None, "mistral-7b-v3", False, ("mistralai/Mistral-7B-v0.3", True)),
        (None, "qwen3-235b-a22b-instruct-2507-awq", True, ("swift/Qwen3-235B-A22B-Instruct-2507-AWQ", False)),
        (None, "demo-chat", False, ("swift.demo:model", False)),
        ("demo-chat", None, False, ("swift.demo:model", False)),
        ("meta-llama/Llama-2-7b-hf", None, False, ("modelscope/Llama-2-7b-ms", False)),
        ("me/mine", "llama2-7b", True, ("me/mine", True)),
    ],
)
def test_where_a_model_comes_from(
    given: str | None, model_type: str | None, use_hf: bool, expected: tuple[str, bool]
) -> None:
    named = MODEL_MAPPING[model_type] if model_type else None
    assert source_of(given, named, use_hf=use_hf) == expected


def test_no_model_at_all() -> None:
    with pytest.raises(ModelError, match="--model_type NAME"):
        source_of(None, None, use_hf=False)
    with pytest.raises(ModelError, match="names no hub id"):
        source_of(None, row("local-only"), use_hf=False)
