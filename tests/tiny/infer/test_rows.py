"""Answering rows on a scripted engine: going on after an interruption, several answers a row, scores, what is written."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swift.llm.answering.rows import RowsResult, answer_rows, read_rows
from swift.llm.arguments.commands import InferArguments
from swift.llm.chat.service import ChatService
from swift.llm.engine.fake import FakeEngine
from swift.llm.engine.protocol import Limits
from swift.llm.infer import make_plan
from swift.llm.plan.infer import sampling_of
from swift.llm.plan.plans import InferPlan
from swift.llm.template import open_template
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.utils.errors import DataError, EngineError, PlanError


@pytest.fixture(scope="module")
def tokenizer(model_folder: Path) -> TextTokenizer:
    return load_tokenizer(model_folder)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines: list[dict[str, Any]] = [{"query": f"Question {i}", "response": f"answer {i}"} for i in range(6)]
    lines[3] = {"query": "a long question " * 30, "response": "answer 3"}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def planned(model_folder: Path, rows: Path, tmp_path: Path, **given: Any) -> InferPlan:
    args: dict[str, Any] = {
        "model_id_or_path": str(model_folder), "template_type": "chatml", "val_dataset": (str(rows),), "verbose": False,
        "result_dir": str(tmp_path / "out"), "score_labels": False, "max_new_tokens": 50, **given,
    }  # fmt: skip
    return make_plan(InferArguments(**args))


def run(
    plan: InferPlan, tokenizer: TextTokenizer, *, context: int = 4096, logprobs: int | None = 20
) -> tuple[Any, FakeEngine]:
    """Answer with the number of tokens in the prompt; the engine refuses prompts over its context."""

    def script(prompt: Any) -> list[int]:
        return [*tokenizer.encode(f"answer {len(prompt)}"), tokenizer.special_tokens["<|im_end|>"]]

    engine = FakeEngine(script, limits=Limits(context=context, logprobs=logprobs))
    service = ChatService(open_template("chatml", tokenizer, plan.template), tokenizer, engine)
    assert plan.data is not None
    found = read_rows(plan.data, plan.show_dataset_sample)
    return answer_rows(plan, found, service, sampling_of(plan.generate, {})), engine


def interrupted(plan: InferPlan, tokenizer: TextTokenizer) -> Path:
    """A run that ended at the fourth row; returns its result file."""
    assert plan.data is not None
    assert plan.result_path is not None
    with pytest.raises(DataError, match="context"):
        run(replace(plan, data=replace(plan.data, strict=True)), tokenizer, context=100)
    return Path(plan.result_path)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_an_interrupted_run_is_continued(
    model_folder: Path, rows: Path, tmp_path: Path, tokenizer: TextTokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    plan = planned(model_folder, rows, tmp_path)
    path = interrupted(plan, tokenizer)
    assert len(lines(path)) == 3
    with path.open("a") as file:
        file.write('{"system": null, "query": "Ques')  # the process was killed while it wrote
    later = replace(plan, result_path=str(path.with_name("later.jsonl")))
    result, engine = run(later, tokenizer)
    assert result.path == path
    assert not path.with_name("later.jsonl").exists()
    assert len(engine.requests) == 3
    assert [row["query"] for row in lines(path)][:3] == ["Question 0", "Question 1", "Question 2"]
    assert len(result.rows) == 6
    assert lines(path) == list(result.rows)
    assert not list(path.parent.glob("*.run.json"))
    whole, _ = run(replace(later, resume=False), tokenizer)
    assert [row["response"] for row in whole.rows] == [row["response"] for row in result.rows]


def test_seeds_go_on_where_they_were(model_folder: Path, rows: Path, tmp_path: Path, tokenizer: TextTokenizer) -> None:
    plan = planned(model_folder, rows, tmp_path, best_of=2, temperature=0.8, seed=10)
    interrupted(plan, tokenizer)
    _, engine = run(plan, tokenizer)
    assert [request.sampling.seed for request in engine.requests] == [16, 17, 18, 19, 20, 21]


def test_rows_that_were_lost_are_not_tried_again(
    model_folder: Path, rows: Path, tmp_path: Path, tokenizer: TextTokenizer
) -> None:
    plan = planned(model_folder, rows, tmp_path)
    assert plan.result_path is not None
    path = Path(plan.result_path)
    first, _ = run(plan, tokenizer, context=100)  # the fourth is lost, the run ends well
    assert len(first.lost) == 1
    kept = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(kept[:4]), encoding="utf-8")
    mark = _mark(plan, rows, tokenizer)
    path.with_suffix(".run.json").write_text(json.dumps({"fingerprint": mark}))
    result, engine = run(plan, tokenizer, context=100)
    assert len(engine.requests) == 1
    assert (len(result.rows), len(result.lost)) == (5, 1)
    assert len(lines(path)) == 5


def _mark(plan: InferPlan, rows: Path, tokenizer: TextTokenizer) -> str:
    from swift.llm.answering.unfinished import fingerprint

    assert plan.data is not None
    return fingerprint(plan, read_rows(plan.data, -1).questions, open_template("chatml", tokenizer, plan.template))


@pytest.mark.parametrize("change", [{"max_new_tokens": 40}, {"system": "Other."}, {"resume": False}, "rows", "file"])
def test_another_run_begins_anew(
    model_folder: Path, rows: Path, tmp_path: Path, tokenizer: TextTokenizer, change: Any
) -> None:
    path = interrupted(planned(model_folder, rows, tmp_path), tokenizer)
    if change == "rows":
        rows.write_text(rows.read_text() + json.dumps({"query": "one more"}) + "\n")
    if change == "file":
        path.write_text(path.read_text().replace("Question 1", "Question 9"))
    before = path.read_text()
    given = change if isinstance(change, dict) else {}
    plan = replace(planned(model_folder, rows, tmp_path, **given), result_path=str(path.with_name("later.jsonl")))
    result, engine = run(plan, tokenizer)
    assert result.path == path.with_name("later.jsonl")
    assert len(engine.requests) >= 6
    assert path.read_text() == before


def test_a_file_that_another_process_writes_is_left_alone(
    model_folder: Path, rows: Path, tmp_path: Path, tokenizer: TextTokenizer
) -> None:
    fcntl = pytest.importorskip("fcntl")
    plan = planned(model_folder, rows, tmp_path)
    path = interrupted(plan, tokenizer)
    with path.with_suffix(".run.json").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        later = replace(plan, result_path=str(path.with_name("later.jsonl")))
        result, _ = run(later, tokenizer)
    assert result.path == path.with_name("later.jsonl")


def test_several_answers_and_their_log_probabilities(
    model_folder: Path, rows: Path, tmp_path: Path, tokenizer: TextTokenizer
) -> None:
    plan = planned(
        model_folder, rows, tmp_path, best_of=3, temperature=0.8, seed=10, result_logprobs=1, show_dataset_sample=2
    )
    result, engine = run(plan, tokenizer)
    assert [request.sampling.seed for request in engine.requests] == [10, 11, 12, 13, 14, 15]
    [first, _] = lines(result.path)
    assert len(first["responses"]) == 3
    assert sum(one["chosen"] for one in first["responses"]) == 1
    assert "".join(one["token"] for one in first["logprobs"]) == first["response"]
    assert len(first["logprobs"][0]["top"]) == 1
    with pytest.raises(EngineError, match="--result_logprobs: needs log-probabilities"):
        run(plan, tokenizer, logprobs=None)


def test_scores_are_printed_and_written(
    model_folder: Path, rows: Path, tmp_path: Path, tokenizer: TextTokenizer
) -> None:
    plan = planned(model_folder, rows, tmp_path, score_labels=True)
    result, engine = run(plan, tokenizer)
    written = json.loads(result.metrics.read_text())
    assert (written["rows"], written["labels"]) == (6, 6)
    assert written["scores"] == result.scores
    assert list(written["scores"])[-2:] == ["perplexity", "token_accuracy"]
    assert written["scores"]["perplexity"] == pytest.approx(2.0)  # the engine gives each token one half
    measured = [request for request in engine.requests if request.prompt_logprobs is not None]
    assert len(measured) == 6
    text = "\n".join(result.lines())
    assert "scores of 6 rows with a label" in text
    assert "perplexity" in text
    assert math.isfinite(result.scores["bleu-4"])


def test_rows_without_labels_have_no_scores(model_folder: Path, tmp_path: Path, tokenizer: TextTokenizer) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"query": "a"}\n', encoding="utf-8")
    result, _ = run(planned(model_folder, path, tmp_path, score_labels=True), tokenizer)
    assert isinstance(result, RowsResult)
    assert (result.scores, result.metrics) == ({}, None)
    assert not list(tmp_path.glob("out/*.metrics.json"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"best_of": 3}, "without sampling all answers would be the same"),
        ({"best_of": 0}, "a count from 1 up"),
        ({"best_by": "majority"}, "chooses among several answers"),
        ({"result_logprobs": 30}, "from 0 to 20"),
        ({"result_logprobs": 1, "save_result": False, "result_dir": None}, "nothing is written then"),
        ({"use_adapter": "style"}, "--lora_modules names no adapter"),
        ({"min_p": 2.0}, "--min_p 2.0"),
        ({"presence_penalty": 3.0}, "lie between -2 and 2"),
        ({"val_dataset": (), "resume": False}, "--resume: there are no rows to answer"),
    ],
)
def test_refusals(model_folder: Path, rows: Path, tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        planned(model_folder, rows, tmp_path, **({"score_labels": True} | given if "val_dataset" in given else given))


def test_settings_reach_the_sampling(model_folder: Path, rows: Path, tmp_path: Path) -> None:
    plan = planned(
        model_folder, rows, tmp_path, min_p=0.1, presence_penalty=0.5, frequency_penalty=-0.5, stop_words=("END",)
    )
    sampling = sampling_of(plan.generate, {})
    assert (sampling.min_p, sampling.presence_penalty, sampling.frequency_penalty) == (0.1, 0.5, -0.5)
    assert sampling.do_sample
    assert sampling.stop == ("END",)
