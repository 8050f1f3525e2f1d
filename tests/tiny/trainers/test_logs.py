from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from swift.trainers import plots
from swift.trainers.batch import count_tokens, count_trained, sample_of
from swift.trainers.metrics import count_correct, duration
from swift.trainers.neftune import noise_bound, noisy_embeddings
from swift.trainers.sft import build_trainer
from swift.utils.errors import ArgumentError, DataError


def test_a_run_writes_its_log_boards_and_pictures(
    tiny: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {"report_to": ("tensorboard",), "disable_tqdm": False, "include_num_input_tokens_seen": True}
    tiny.run(tmp_path, max_steps=11, **changes)
    rows = [json.loads(line) for line in (tmp_path / "logging.jsonl").read_text().splitlines()]
    trained = [row for row in rows if "loss" in row]
    assert [row["global_step"] for row in trained] == [1, 5, 10, 11]
    assert {
        "loss", "grad_norm", "learning_rate", "token_acc", "epoch", "global_step/max_steps", "percentage", "elapsed_time",
        "remaining_time", "memory(GiB)", "train_speed(iter/s)", "tokens/s", "num_input_tokens_seen",
    } <= trained[0].keys()  # fmt: skip
    assert trained[1]["global_step/max_steps"] == "5/11"
    assert trained[1]["percentage"] == "45.45%"
    assert [row["global_step"] for row in rows if "eval_loss" in row] == [4, 8, 11]
    assert rows[-1].keys() >= {"train_loss", "train_runtime"}
    assert list((tmp_path / "runs").glob("events.out.tfevents*"))
    pictures = {path.stem for path in (tmp_path / "images").glob("*.png")}
    assert {"train_loss", "eval_loss", "train_token_acc", "eval_token_acc", "learning_rate", "grad_norm"} <= pictures
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "images").iterdir())
    assert json.loads((tmp_path / "training_args.json").read_text())["learning_rate"] == 1e-2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "step 5/11  loss " in captured.err
    assert "remaining_time" in captured.err


def test_a_quiet_run_says_nothing(tiny: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tiny.run(tmp_path, max_steps=4)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_generated_answers_are_scored_at_each_evaluation(tiny: ModuleType, tmp_path: Path) -> None:
    seen = []

    def predict(model: torch.nn.Module) -> dict[str, float]:
        seen.append(model.training)
        return {"rouge-l": 0.25}

    trainer = build_trainer(
        tiny.tiny_config(tmp_path, max_steps=4, predict_with_generate=True, metric_for_best_model="rouge-l"),
        tiny.tiny_model(), tiny.Samples(20), tiny.Samples(5), tiny.flat, predict=predict,
    )  # fmt: skip
    assert trainer.train().metrics["eval_rouge-l"] == 0.25
    assert seen == [False]


def test_a_metric_that_is_not_measured(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="--metric_for_best_model bleu: the evaluation gave only loss, token_acc"):
        tiny.run(tmp_path, max_steps=4, metric_for_best_model="bleu")


def test_what_needs_rows_says_so(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="training set is empty"):
        build_trainer(tiny.tiny_config(tmp_path), tiny.tiny_model(), tiny.Samples(0), None, tiny.flat)
    config = tiny.tiny_config(tmp_path, early_stopping_patience=2)
    with pytest.raises(ArgumentError, match="needs a validation set"):
        build_trainer(config, tiny.tiny_model(), tiny.Samples(4), None, tiny.flat)


def test_counts_of_a_batch(tiny: ModuleType) -> None:
    samples = [tiny.Samples(3)[index] for index in range(3)]
    flat, padded = tiny.flat(samples), tiny.padded(samples)
    assert count_tokens(flat) == count_tokens(padded) == sum(map(len, samples))
    assert count_trained(flat) == count_trained(padded) == sum(int(sample.trained.sum()) for sample in samples)
    owners = []
    for batch in (flat, padded):
        positions = (batch["labels"].reshape(-1) != -100).nonzero()[:, 0]
        owners.append(sample_of(batch, positions))
        correct = owners[-1] != 1  # all of sample 1 is wrong
        assert [int(count) for count in count_correct(correct, positions, batch, "sentence")] == [2, 3]
    assert torch.equal(*owners)


def test_noise_follows_each_sample_not_the_batch(tiny: ModuleType) -> None:
    samples = [tiny.Samples(3)[index] for index in range(3)]
    flat, padded = tiny.flat(samples), tiny.padded(samples)
    device = torch.device("cpu")
    bounds = noise_bound(5.0, flat, torch.Size((1, flat["input_ids"].numel(), 32)), device)
    rows = noise_bound(5.0, padded, torch.Size((*padded["input_ids"].shape, 32)), device)
    assert torch.equal(bounds[0, :, 0], rows[padded["attention_mask"].bool()][:, 0])
    assert bounds[0, 0, 0] == pytest.approx(5 / (len(samples[0]) * 32) ** 0.5)
    assert rows[~padded["attention_mask"].bool()].abs().sum() == 0


def test_noise_in_training_only_and_gone_after(tiny: ModuleType) -> None:
    model, batch = tiny.tiny_model(), tiny.flat([tiny.Samples(1)[0]])
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    with torch.no_grad(), noisy_embeddings(model, 5.0):
        still = [model.eval()(**inputs).logits for _ in range(2)]
        noisy = model.train()(**inputs).logits
    with torch.no_grad():
        after = model(**inputs).logits
    assert torch.equal(*still)
    assert not torch.equal(noisy, still[0])
    assert torch.equal(after, still[0])


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59, "59s"), (187, "3m 7s"), (7500, "2h 5m"), (100_000, "1d 3h")]
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_plots_survive_a_cut_line_and_odd_values(tmp_path: Path) -> None:
    log = tmp_path / "logging.jsonl"
    log.write_text('{"global_step": 1, "loss": 2.0}\n{"global_step": 2, "loss": null}\n{"global_step": 3, "lo')
    assert [path.name for path in plots.draw(log, tmp_path)] == ["train_loss.png"]
    assert plots.smooth([4.0, 4.0, 4.0]) == pytest.approx([4.0, 4.0, 4.0])
