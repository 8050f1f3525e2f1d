"""Vision models so small that each is made in half a second: random weights, real processors' settings, a tokenizer of letters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

END_OF_TEXT, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
PARTS = (
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
)
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n" + PARTS + "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
IMAGES_FIRST = (
    "{% for message in messages %}{{ message['role'] | upper + ': ' }}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}<image>\n{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %}"
    "{{ ' ' if message['role'] == 'user' else eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
TEXT: Mapping[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 2048, "tie_word_embeddings": True, "eos_token_id": 2, "pad_token_id": 0, "bos_token_id": 1,
}  # fmt: skip
SIGHT: Mapping[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 56, "patch_size": 14,
}  # fmt: skip
QWEN_MARKS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}


class Family(NamedTuple):
    """``model``: (token ids, vocabulary) to a model; ``files``: further files beside the weights."""

    marks: Sequence[str]
    template: str
    model: Callable[[Mapping[str, int], int], Any]
    files: Mapping[str, Any]
    tokenizer: Mapping[str, Any] = {}


def _qwen(kind: str, sight: Mapping[str, Any], text: Mapping[str, Any]) -> Callable[[Mapping[str, int], int], Any]:
    def make(ids: Mapping[str, int], size: int) -> Any:
        import transformers

        config = getattr(transformers, f"{kind}Config")(
            text_config={**TEXT, **text, "vocab_size": size, "rope_parameters": ROPE}, vision_config=sight,
            image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
            vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"], tie_word_embeddings=True,
        )  # fmt: skip
        return getattr(transformers, f"{kind}ForConditionalGeneration")(config)

    return make


def _llava(ids: Mapping[str, int], size: int) -> Any:
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    config = LlavaConfig(
        text_config={**TEXT, "model_type": "llama", "vocab_size": size}, vision_config={**SIGHT, "model_type": "clip_vision_model"},
        image_token_index=ids["<image>"], image_seq_length=16, vision_feature_select_strategy="default",
    )  # fmt: skip
    return LlavaForConditionalGeneration(config)


def _gemma3(ids: Mapping[str, int], size: int) -> Any:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    text = {**TEXT, "vocab_size": size, "head_dim": 8, "sliding_window": 64, "query_pre_attn_scalar": 8}
    config = Gemma3Config(
        text_config=text, vision_config=SIGHT, mm_tokens_per_image=4, boi_token_index=ids["<start_of_image>"],
        eoi_token_index=ids["<end_of_image>"], image_token_index=ids["<image_soft_token>"],
    )  # fmt: skip
    return Gemma3ForConditionalGeneration(config)


def _idefics3(ids: Mapping[str, int], size: int) -> Any:
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    config = Idefics3Config(
        text_config={**TEXT, "model_type": "llama", "vocab_size": size}, vision_config=SIGHT, image_token_id=ids["<image>"],
        scale_factor=2, pad_token_id=0, tie_word_embeddings=True,
    )  # fmt: skip
    return Idefics3ForConditionalGeneration(config)


def _mllama(ids: Mapping[str, int], size: int) -> Any:
    from transformers import MllamaConfig, MllamaForConditionalGeneration

    sight = {
        **SIGHT, "num_global_layers": 1, "attention_heads": 4, "intermediate_layers_indices": [0], "vision_output_dim": 64,
        "max_num_tiles": 4, "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
    }  # fmt: skip
    text = {**TEXT, "vocab_size": size - 1, "num_hidden_layers": 4, "cross_attention_layers": [1, 3]}
    config = MllamaConfig(text_config=text, vision_config=sight, image_token_index=ids["<|image|>"])
    return MllamaForConditionalGeneration(config)


_EVEN = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
_QWEN2_EYES = {
    "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2VLProcessor", "min_pixels": 3136,
    "max_pixels": 12544, "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2,
}  # fmt: skip
_QWEN3_EYES = {
    "image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen3VLProcessor", "patch_size": 16, "merge_size": 2,
    "size": {"shortest_edge": 4096, "longest_edge": 16384}, "temporal_patch_size": 2, **_EVEN,
}  # fmt: skip
_SIZE = {"height": 56, "width": 56}
FAMILIES: Mapping[str, Family] = {
    "qwen2_vl": Family(
        QWEN_MARKS, CHATML.replace("IMAGE", QWEN_IMAGE),
        _qwen("Qwen2VL", {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "mlp_ratio": 2}, {}),
        {"preprocessor_config.json": _QWEN2_EYES},
    ),
    "qwen3_vl": Family(
        QWEN_MARKS, CHATML.replace("IMAGE", QWEN_IMAGE),
        _qwen("Qwen3VL", {
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4, "out_hidden_size": 32, "patch_size": 16,
            "num_position_embeddings": 64, "deepstack_visual_indexes": [0],
        }, {"head_dim": 8}),
        {"preprocessor_config.json": _QWEN3_EYES},
    ),
    "llava": Family(
        ("<image>",), IMAGES_FIRST, _llava,
        {
            "preprocessor_config.json": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 56}, "crop_size": _SIZE},
            "processor_config.json": {
                "processor_class": "LlavaProcessor", "patch_size": 14, "image_token": "<image>", "num_additional_image_tokens": 1,
                "vision_feature_select_strategy": "default",
            },
        },
    ),
    "gemma3": Family(
        ("<start_of_image>", "<end_of_image>", "<image_soft_token>"), CHATML.replace("IMAGE", "<start_of_image>"), _gemma3,
        {
            "preprocessor_config.json": {"image_processor_type": "Gemma3ImageProcessor", "size": _SIZE, **_EVEN},
            "processor_config.json": {"processor_class": "Gemma3Processor", "image_seq_length": 4},
        },
        {"extra_special_tokens": {
            "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>",
        }},
    ),
    "idefics3": Family(
        ("<image>", "<fake_token_around_image>", "<global-img>", *(f"<row_{i}_col_{j}>" for i in range(1, 5) for j in range(1, 5))),
        CHATML.replace("IMAGE", "<image>"), _idefics3,
        {
            "preprocessor_config.json": {
                "image_processor_type": "Idefics3ImageProcessor", "size": {"longest_edge": 112},
                "max_image_size": {"longest_edge": 56}, "do_image_splitting": True, **_EVEN,
            },
            "processor_config.json": {"processor_class": "Idefics3Processor", "image_seq_len": 4},
        },
    ),
    "mllama": Family(
        ("<|image|>",), "{{ bos_token }}" + CHATML.replace("IMAGE", "<|image|>"), _mllama,
        {"preprocessor_config.json": {
            "image_processor_type": "MllamaImageProcessor", "processor_class": "MllamaProcessor", "size": _SIZE, "max_image_tiles": 4,
            **_EVEN,
        }},
        {"bos_token": END_OF_TEXT},
    ),
}  # fmt: skip


def build(name: str, folder: Path) -> Path:
    """Write config, weights, tokenizer and processor settings."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    family = FAMILIES[name]
    marks = (END_OF_TEXT, START, END, *family.marks)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {mark: number for number, mark in enumerate((*marks[:3], *letters))}
    tokenizer = Tokenizer(models.BPE({letter: words[letter] for letter in (*marks[:3], *letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 2048, "eos_token": END, "pad_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": False, "chat_template": family.template, **family.tokenizer,
    }  # fmt: skip
    for file, content in {"tokenizer_config.json": settings, **family.files}.items():
        (folder / file).write_text(json.dumps(content), encoding="utf-8")
    torch.manual_seed(0)
    ids = {mark: tokenizer.token_to_id(mark) for mark in marks}
    model = family.model(ids, tokenizer.get_vocab_size())
    for parameter in model.parameters():  # so large that an image changes what is said of it
        parameter.data *= 3
    model.save_pretrained(str(folder))
    return folder
