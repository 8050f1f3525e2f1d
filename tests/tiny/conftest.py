"""A real chat model so small that training it takes a second: two layers, width 32, random weights, ChatML."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TEXTS = (
    "The cat sat on the mat and the dog ran to the door.",
    "user\nWhat is the sum?\nassistant\nThe sum is seven.\n",
)


def build_model(folder: Path) -> Path:
    """Write config, weights and tokenizer of a Qwen2 model with about 30 thousand random parameters."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[AddedToken(mark, special=True, normalized=False) for mark in (END_OF_TEXT, TURN_START, TURN_END)],
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS * 20, trainer)
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "eos_token": TURN_END,
                "pad_token": END_OF_TEXT, "clean_up_tokenization_spaces": False, "chat_template": CHAT_TEMPLATE}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=304, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny model; tests that change it work on a copy."""
    return build_model(tmp_path_factory.mktemp("model") / "tiny-qwen")


def write_rows(path: Path, num: int) -> Path:
    """Rows of query, response and a system text, as JSON lines."""
    rows = [
        {"system": "Be exact.", "query": f"What is {i} plus one?", "response": f"The sum is {i + 1}."}
        for i in range(num)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def adapter_checkpoint(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA checkpoint that `swift sft` wrote; tests that change it work on a copy of it."""
    from swift.llm.arguments.commands import SftArguments
    from swift.llm.sft import sft_main

    folder = tmp_path_factory.mktemp("run")
    result = sft_main(
        SftArguments(
            model_id_or_path=str(model_folder), dataset=(str(write_rows(folder / "rows.jsonl", 24)),),
            dataset_test_ratio=0.25, max_steps=6, learning_rate=0.02, batch_size=4, max_length=256, save_steps=6, eval_steps=6,
            output_dir=str(folder / "output"), system="Answer with one number.",
        )
    )  # fmt: skip
    return Path(result.last_checkpoint)
