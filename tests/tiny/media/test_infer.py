"""`swift infer` with images: rows of a data set, what is typed, what the plan says and refuses."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import Qwen2VLForConditionalGeneration

from swift.llm.answering.service import open_service
from swift.llm.answering.terminal import Chat
from swift.llm.arguments.commands import InferArguments, MergeLoraArguments, SftArguments
from swift.llm.chat.service import ChatService
from swift.llm.core import Conversation, Media, Message, Sampling
from swift.llm.engine.fake import FakeEngine
from swift.llm.engine.protocol import Limits
from swift.llm.infer import infer_main
from swift.llm.merge_lora import merge_lora_main
from swift.llm.model.eyes import open_eyes
from swift.llm.plan.plans import InferPlan, TemplatePlan
from swift.llm.sft import sft_main
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer
from swift.utils.errors import ModelError, PlanError

sys.path.insert(0, str(Path(__file__).parent))
from families import build


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("qwen2_vl", tmp_path_factory.mktemp("vision") / "tiny")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, color in (("red.png", (250, 0, 0)), ("blue.jpg", (0, 0, 250))):
        Image.new("RGB", (80, 60), color).save(pictures / name)
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    lines = [
        {"query": "<image>Which color?", "response": "Red.", "images": ["pictures/red.png"]},
        {"query": f"<img>pictures/red.png</img> or <img>{pictures}/blue.jpg</img>?", "response": "Both."},
        {
            "messages": [
                {"role": "user", "content": "<image>Which?"}, {"role": "assistant", "content": "Red."},
                {"role": "user", "content": "And <|image_pad|>?"},
            ],
            "images": ["pictures/red.png"],
        },
        {"query": "No image.", "response": "None."},
        {"query": "<image>", "images": ["pictures/broken.png"]},
        {"query": "<image>", "images": ["pictures/none.png"]},
        {"query": "<video>", "videos": ["a.mp4"]},
    ]  # fmt: skip
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def infer(folder: Path, out: Path, **given: Any) -> Any:
    settings: dict[str, Any] = {
        "model_id_or_path": str(folder), "max_new_tokens": 4, "result_dir": str(out), "verbose": False, **given,
    }  # fmt: skip
    return infer_main(InferArguments(**settings))


def test_rows_with_images_are_answered(folder: Path, rows: Path, tmp_path: Path) -> None:
    result = infer(folder, tmp_path / "out", val_dataset=(str(rows),), strict_data=False)
    assert result is not None
    red, blue = str(tmp_path / "pictures" / "red.png"), str(tmp_path / "pictures" / "blue.jpg")
    assert [row.get("images") for row in result.rows] == [[red], [red, blue], [red], None]
    assert [row["query"] for row in result.rows] == [
        "<image>Which color?", "<image> or <image>?", "And <|image_pad|>?", "No image.",
    ]  # fmt: skip
    reasons = [line.reason for line in result.lost]
    assert reasons[0] == "has video, and only text and images are answered"
    assert reasons[1].startswith("image 1 of 1: the image is in no format that is read")
    assert "there is no such file" in reasons[2]
    assert len(reasons) == 3
    again = [json.loads(line) for line in Path(result.path).read_text(encoding="utf-8").splitlines()]
    path = tmp_path / "again.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in again), encoding="utf-8")
    second = infer(folder, tmp_path / "out2", val_dataset=(str(path),))
    assert [row["response"] for row in second.rows] == [row["response"] for row in result.rows]


def test_labels_of_images_are_measured(folder: Path, rows: Path, tmp_path: Path) -> None:
    """As the model itself finds them, given the pixels."""
    lines = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines[:2]), encoding="utf-8")
    result = infer(folder, tmp_path / "out", val_dataset=(str(rows),))
    plan = infer(folder, tmp_path, dry_run=True)
    model = Qwen2VLForConditionalGeneration.from_pretrained(folder).eval()
    told: list[float] = []
    with open_service(plan, media_root=tmp_path) as service:
        for line, names in zip(lines, (["red.png"], ["red.png", "blue.jpg"]), strict=False):
            media = tuple(Media("image", f"pictures/{name}") for name in names)
            question = Message("user", re.sub("<img>.*?</img>", "<image>", line["query"]))
            prompt = service.prepare(Conversation((question,), media=media))
            label = [*service.tokenizer.encode(line["response"]), service.template.stop_ids[0]]
            whole = service.prepare(Conversation((question,), media=media), label)
            assert whole.ids == (*prompt.ids, *label)
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([whole.ids]), **(whole.media or {})).logits[
                    0, len(prompt.ids) - 1 : -1
                ]
            told += (-logits.log_softmax(-1)[range(len(label)), label]).tolist()
    assert result.scores["perplexity"] == pytest.approx(math.exp(sum(told) / len(told)), rel=1e-4)


def test_the_plan_says_what_is_read(folder: Path, rows: Path, model_folder: Path, tmp_path: Path) -> None:
    plan = infer(folder, tmp_path, val_dataset=(str(rows),), dry_run=True, rescale_image=5000)
    assert isinstance(plan, InferPlan)
    assert (plan.model.reads_images, plan.max_pixels) == (True, 5000)
    assert plan.reasons["model.reads_images"].startswith("answers about images, and is trained on text alone")
    with pytest.raises(PlanError, match=r"--rescale_image: .* reads no images\. Leave it out"):
        infer(model_folder, tmp_path, template_type="chatml", rescale_image=5000)
    with pytest.raises(PlanError, match="--rescale_image 0: is a count of pixels from 1 up"):
        infer(folder, tmp_path, rescale_image=0)
    with pytest.raises(PlanError, match="--rescale_image: training reads no images in this version"):
        sft_main(SftArguments(model_id_or_path=str(folder), dataset=(str(rows),), rescale_image=5000))


def test_images_shrink_as_asked(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (200, 150)).save(tmp_path / "large.png")
    lengths = []
    for pixels in (-1, 3200):
        plan = infer(folder, tmp_path, dry_run=True, rescale_image=pixels)
        image = Media("image", "large.png")
        with open_service(plan, media_root=tmp_path) as service:
            prompt = service.prepare(Conversation((Message("user", "<image>"),), media=(image,)))
        assert prompt.media is not None
        lengths.append(len(prompt.ids))
    assert lengths[0] > lengths[1]


def test_a_folder_without_a_processor_answers_text(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    from transformers import AutoConfig

    with pytest.raises(ModelError, match="its image processor Qwen2VLProcessor cannot be made"):
        open_eyes(tmp_path, AutoConfig.from_pretrained(folder), -1)


def test_a_merged_model_still_sees(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "text.jsonl"
    data.write_text(json.dumps({"query": "What?", "response": "That."}) + "\n", encoding="utf-8")
    trained = sft_main(
        SftArguments(
            model_id_or_path=str(folder), dataset=(str(data),), dataset_test_ratio=0, max_steps=2, batch_size=1, max_length=128,
            gradient_accumulation_steps=1, learning_rate=0.05, warmup_ratio=0, output_dir=str(tmp_path / "output"),
        )
    )  # fmt: skip
    merged = merge_lora_main(MergeLoraArguments(ckpt_dir=str(trained.last_checkpoint)))
    target = Path(str(getattr(merged, "target", merged)))
    assert (target / "preprocessor_config.json").read_bytes() == (folder / "preprocessor_config.json").read_bytes()


class Typed:
    """Lines as if typed."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines, self.prompts = list(lines), []

    def read(self, prompt: str) -> str:
        """The next line."""
        self.prompts.append(prompt)
        if not self.lines:
            raise EOFError
        return self.lines.pop(0)


def talk(folder: Path, lines: Sequence[str], result: Path, *, sees: bool = True) -> tuple[str, Typed]:
    """A chat with an engine that answers with the number of image tokens it was given."""
    from transformers import AutoConfig

    tokenizer = load_tokenizer(folder)
    pad, end = (tokenizer.special_tokens[token] for token in ("<|image_pad|>", "<|im_end|>"))

    def script(prompt: Any) -> list[int]:
        return [*tokenizer.encode("sees" if pad in prompt else "is blind"), end]

    eyes = open_eyes(folder, AutoConfig.from_pretrained(folder), -1) if sees else None
    template = open_template(None, tokenizer, TemplatePlan(template_type=None))
    engine = FakeEngine(script, limits=Limits(context=2048, media=sees))
    service = ChatService(template, tokenizer, engine, eyes, media_root=Path.cwd())
    written: list[str] = []
    reader = Typed(lines)
    Chat(service, Sampling(max_new_tokens=50), reader, write=written.append, result_path=result).run()
    return "".join(written), reader


def test_images_are_asked_for_in_a_chat(
    folder: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(rows.parent)
    result = tmp_path / "chat.jsonl"
    lines = ["hello", "<image> and <img>pictures/blue.jpg</img>", "pictures/red.png", "more?", "<image>", "", "<img>no.png</img>", "clear", "and now?"]  # fmt: skip
    text, reader = talk(folder, lines, result)
    said = [line for line in text.splitlines() if line.startswith(("sees", "is blind", "Nothing", "[no answer"))]
    assert [line[:8] for line in said] == ["is blind", "sees", "sees", "Nothing ", "[no answ", "is blind"]
    assert reader.prompts.count("image path or URL (empty: do not ask): ") == 2
    written = [json.loads(line) for line in result.read_text(encoding="utf-8").splitlines()]
    pictures = [str(rows.parent / "pictures" / name) for name in ("red.png", "blue.jpg")]
    assert [row.get("images") for row in written] == [None, pictures, pictures, None]
    assert written[1]["query"] == "<image> and <image>"


def test_a_model_that_reads_text_takes_tags_as_text(folder: Path, tmp_path: Path) -> None:
    text, reader = talk(folder, ["an <image> tag, <img>a.png</img>"], tmp_path / "chat.jsonl", sees=False)
    assert "is blind" in text
    assert len(reader.prompts) == 2
