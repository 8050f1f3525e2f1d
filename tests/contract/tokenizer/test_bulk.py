"""fastokens gives the ids that tokenizers gives: on real texts, on every kind of character, on texts made at random."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from swift.llm.tokenizer import bulk, load_tokenizer
from swift.llm.tokenizer.bulk import Bulk, InexactError

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
FOLDERS = sorted((SHARED / "tokenizers").glob("*/tokenizer.json"))
PIECES = [*"abXYZ09 \t\n\r'\"!?.,-_\u00a0\u3000é́ñ中文日本한글😀👍🏽\u200d\u0301ßſKİıא", "'s", "'T", " \n", "  ", "\r\n", "<|im_end|>",
          "<think>", "<|endoftext|>", "</s>", "[INST]", "\x00", "\u2028", "\ufeff", "\x85"]  # fmt: skip

pytest.importorskip("fastokens")
if not FOLDERS:
    pytest.skip(f"no tokenizers under {SHARED}", allow_module_level=True)


def real_texts() -> list[str]:
    rows = json.loads((SHARED / "sft" / "alpaca_zh_demo.json").read_text(encoding="utf-8"))[:150]
    texts = ["\n".join(map(str, row.values())) for row in rows]
    texts += (SHARED / "sft" / "gsm8k_train.jsonl").read_text(encoding="utf-8").splitlines()[:150]
    return texts + [path.read_text(encoding="utf-8") for path in sorted(Path(bulk.__file__).parent.glob("*.py"))]


def made_up(number: int) -> list[str]:
    rnd = random.Random(7)

    def character() -> str:
        code = rnd.randrange(0x20000)
        return chr(code) if rnd.random() < 0.2 and not 0xD800 <= code < 0xE000 else rnd.choice(PIECES)

    return ["".join(character() for _ in range(rnd.randrange(40))) for _ in range(number)]


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.parent.name)
def test_ids_are_those_of_tokenizers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "WORTHWHILE", 0)
    monkeypatch.setattr(bulk, "_PROBED", 0x800)
    monkeypatch.setattr(bulk, "CHECKED", 1)  # every text
    tokenizer = load_tokenizer(path.parent)
    backend = tokenizer.permissive.backend if path.parent.name == "gpt2" else tokenizer.backend
    fast = Bulk(backend)
    texts = [*real_texts(), *made_up(1500)]
    assert fast.encode(texts[:10]) == [backend.encode(text, add_special_tokens=False).ids for text in texts[:10]]
    fast.encode(texts)
    if path.parent.name in ("qwen3", "llama-3.1-instruct", "gpt2", "deepseek-coder-instruct"):
        assert fast.is_fast


def test_a_difference_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "WORTHWHILE", 0)
    monkeypatch.setattr(bulk, "_PROBED", 0)
    tokenizer = load_tokenizer(SHARED / "tokenizers" / "gpt2")
    fast = Bulk(tokenizer.backend)
    fast.encode(["one", "two"])
    assert fast.is_fast
    honest = fast._by_fast

    def wrong(fast: object, texts: list[str]) -> list[list[int]]:
        return [ids[:-1] for ids in honest(fast, texts)]

    monkeypatch.setattr(fast, "_by_fast", wrong)
    with pytest.raises(InexactError, match="SWIFT_FAST_TOKENIZER=false"):
        fast.encode(["some text"] * 65)
    assert not fast.is_fast
    assert fast.encode(["one"]) == [tokenizer.encode("one")]
