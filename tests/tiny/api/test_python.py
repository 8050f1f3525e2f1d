"""The commands as functions, and the parts that programs take by themselves, on a real tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swift.llm import (
    TEMPLATE_MAPPING,
    ChatService,
    Conversation,
    InferArguments,
    MergeLoraArguments,
    Message,
    PtArguments,
    PtEngine,
    Sampling,
    SftArguments,
    get_model_tokenizer,
    get_template,
    infer_main,
    merge_lora_main,
    pt_main,
    sft_main,
)
from swift.utils.errors import ArgumentError, DataError, ModelError, PlanError


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of questions and answers, in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "rows.jsonl"
    file.write_text(
        "".join(json.dumps({"query": f"{i}?", "response": f"It is {i}."}) + "\n" for i in range(12)), encoding="utf-8"
    )
    return file


def test_train_answer_and_merge(model_folder: Path, rows: Path) -> None:
    trained = sft_main(
        SftArguments(
            model_id_or_path=str(model_folder),
            dataset=[str(rows)],
            max_steps=2,
            gradient_accumulation_steps=1,
            logging_steps=1,
            dataset_test_ratio=0.1,
            report_to=["none"],
            learning_rate=1e-2,
        )
    )
    assert trained.global_step == 2
    assert trained.last_checkpoint is not None
    assert trained.last_checkpoint.is_relative_to(Path.cwd() / "output" / "qwen2")
    assert {"train_loss", "eval_loss"} <= set(trained.metrics)
    answered = infer_main(
        InferArguments(
            ckpt_dir=str(trained.last_checkpoint), val_dataset=[f"{rows}#3"], max_new_tokens=4, result_dir="answers"
        )
    )
    assert [set(row) for row in answered.rows] == [{"system", "query", "response", "label", "history"}] * 3
    assert [json.loads(line) for line in answered.path.read_text().splitlines()] == list(answered.rows)
    merged = merge_lora_main(MergeLoraArguments(ckpt_dir=str(trained.last_checkpoint)))
    assert merged.target == Path(f"{trained.last_checkpoint}-merged")
    model, _ = get_model_tokenizer(str(merged.target))
    assert model.num_parameters() == 25_376


def test_pre_training_and_plans(model_folder: Path, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = rows.with_name("book.txt")
    book.write_text("A first line.\nA second line.\n", encoding="utf-8")
    before = sorted(rows.parent.iterdir())
    plan = pt_main(
        PtArguments(model_id_or_path=str(model_folder), dataset=[str(book)], dataset_test_ratio=0, dry_run=True)
    )
    assert (plan.command, plan.tuner.sft_type, plan.template.template_type) == ("pt", "full", "default-generation")
    assert "first samples" in capsys.readouterr().out
    assert sorted(rows.parent.iterdir()) == before


def test_mistakes_are_exceptions(model_folder: Path, rows: Path) -> None:
    good = {"model_id_or_path": str(model_folder), "dataset": [str(rows)]}
    with pytest.raises(DataError, match="no such file"):
        sft_main(SftArguments(**{**good, "dataset": ["nothing.jsonl"]}))
    with pytest.raises(PlanError) as conflict:
        sft_main(SftArguments(**good, packing=True, padding_free=False, lora_rank=0))
    assert len(conflict.value.problems) == 2
    with pytest.raises(ArgumentError, match="lorra"):
        sft_main(SftArguments(**good, sft_type="lorra"))
    with pytest.raises(ArgumentError, match="learning_rate"):
        sft_main(SftArguments(**good, learning_rate="fast"))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="no such folder"):
        get_model_tokenizer(model_id_or_path="./nothing")
    assert not Path("output").exists()


def test_a_model_a_template_and_an_answer(model_folder: Path) -> None:
    model, tokenizer = get_model_tokenizer(str(model_folder))
    assert not model.training
    template = get_template("chatml", tokenizer, default_system="Be brief.")
    asked = Conversation((Message("user", "What is the sum?"),))
    ids = template.encode_prompt(asked)
    assert tokenizer.decode(ids) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is the sum?<|im_end|>\n<|im_start|>assistant\n"
    )
    (trained,) = template.encode_batch([Conversation((*asked.messages, Message("assistant", "The sum is seven.")))])
    assert trained.input_ids.tolist()[: len(ids)] == ids
    assert tokenizer.decode(trained.input_ids[trained.trained]) == "The sum is seven.<|im_end|>"
    with PtEngine(model) as engine:
        service = ChatService(template, template.tokenizer, engine)
        first, second = service.chat_batch([asked, asked], Sampling(max_new_tokens=5))
    assert first.role == "assistant"
    assert first == second


def test_a_name_that_is_no_template(model_folder: Path) -> None:
    with pytest.raises(ArgumentError, match="did you mean 'qwen2_5'"):
        get_template("qwen2_6", str(model_folder))
    assert "qwen2_5" in TEMPLATE_MAPPING


OWN_ROWS = """
from swift.llm import register_dataset, register_model, register_template

register_template(
    name="shout", prefix="", system="S: {content}\\n", user="USER: {content}\\n", assistant_open="BOT: ", assistant_close="<|im_end|>",
    between="\\n",
)
register_model(
    model_type="own-tiny", architectures=("Qwen2ForCausalLM",), template="shout", lora_targets=("o_proj",), path="MODEL",
)
register_dataset(name="own-sums", path="DATA", columns={"question": "query", "answer": "response"})
"""


def test_rows_of_ones_own(model_folder: Path, rows: Path) -> None:
    data = rows.with_name("sums.jsonl")
    data.write_text('{"question": "1+1?", "answer": "2"}\n' * 8, encoding="utf-8")
    own = rows.with_name("own_rows.py")
    own.write_text(OWN_ROWS.replace("MODEL", str(model_folder)).replace("DATA", str(data)), encoding="utf-8")
    trained = sft_main(
        SftArguments(
            model_type="own-tiny",
            dataset=["own-sums"],
            custom_register_path=str(own),
            max_steps=1,
            gradient_accumulation_steps=1,
            dataset_test_ratio=0,
            report_to=["none"],
        )
    )
    assert trained.last_checkpoint is not None
    assert "own-tiny" in trained.last_checkpoint.parts
    config = json.loads((trained.last_checkpoint / "adapter_config.json").read_text())
    assert config["target_modules"] == ["o_proj"]
    plan = json.loads((trained.last_checkpoint / "plan.json").read_text())
    assert plan["template"]["template_type"] == "shout"
    answered = infer_main(
        InferArguments(ckpt_dir=str(trained.last_checkpoint), val_dataset=["own-sums#1"], max_new_tokens=2)
    )
    assert answered.rows[0]["query"] == "1+1?"


def test_columns_of_ones_own(model_folder: Path, rows: Path) -> None:
    data = rows.with_name("faq.csv")
    data.write_text("frage,antwort\nWo?,Hier.\nWer?,Ich.\n", encoding="utf-8")
    info = {"own-faq": {"dataset_path": str(data), "columns": {"frage": "query", "antwort": "response"}}}
    plan = sft_main(
        SftArguments(
            model_id_or_path=str(model_folder), dataset=["own-faq"], custom_dataset_info=json.dumps(info), dry_run=True
        )
    )
    assert plan.data.dataset == ("own-faq",)
