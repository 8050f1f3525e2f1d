"""Pictures to what a model reads of them, by transformers' own processor of its family, with Pillow alone.

Knows no conversation: what stands for a picture in a prompt is a text (control tokens written out), and the template puts
it there.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from swift.utils.errors import DataError, ModelError
from swift.utils.files import read_json

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

__all__ = ["Eyes", "Look", "open_eyes"]

OF_TEXT = ("input_ids", "attention_mask", "text_replacement_offsets", "special_tokens_mask")
"""What a processor gives that is made of the text alone: the template and the engine have their own."""
OF_IDS: Mapping[str, Literal["types", "tiles"]] = {
    "mm_token_type_ids": "types", "token_type_ids": "types", "cross_attention_mask": "tiles",
}  # fmt: skip
"""What depends on where in the prompt the pictures stand: made anew of the prompt's own ids."""
CONFIGS = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
HIDDEN = ("idefics2", "idefics3", "ovis2", "smolvlm")
BESIDES = ("video_processor", "feature_extractor", "audio_processor")
"""Parts of a processor for media that are not answered."""
KNOWN_TEXTS = 512
"""Prompts whose images' texts are remembered: chats bring the same images again with every message."""


@dataclass(frozen=True, slots=True)
class Look:
    """``texts``: what stands for each picture. ``inputs``: the model's inputs beside the ids, but for those of `Eyes.beside`.

    ``needs``: the names of the latter. ``num_tiles``: pieces that each picture was cut into, where the model asks for it.
    """

    texts: tuple[str, ...]
    inputs: Mapping[str, Tensor]
    needs: tuple[str, ...] = ()
    num_tiles: tuple[int, ...] = ()


class Eyes:
    """The processor of one model folder. May be used by several threads: they take turns.

    ``placeholder``: the token that chat templates of the family write where a picture is to be, and that a text of `Look`
    takes the place of. ``max_pixels``: the size that pictures are to shrink to before (-1: none).
    """

    def __init__(self, processor: Any, max_pixels: int = -1) -> None:
        self._processor = processor
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[bytes, ...], tuple[str, ...]] = OrderedDict()
        self.placeholder: str = processor.image_token
        self.max_pixels = max_pixels

    def look(self, images: Sequence[Image]) -> Look:
        """All pictures of one prompt, in their order. Raises DataError for one that the model's processor refuses."""
        processor, count = self._processor, len(images)
        asked = {"text_kwargs": {"return_text_replacement_offsets": True, "return_tensors": "pt"}}
        try:
            with self._lock:  # a tokenizer inside it lends its settings to one thread at a time
                found = dict(processor(images=list(images), text=[self.placeholder * count], **asked))
                num_tiles = self._num_tiles(images) if "cross_attention_mask" in found else ()
        except (ValueError, TypeError, IndexError, ZeroDivisionError, OSError) as error:
            raise DataError(f"the model's image processor refuses this image: {error}") from error
        texts = self._texts(found, count)
        inputs = {name: _tensor(value) for name, value in found.items() if name not in (*OF_TEXT, *OF_IDS)}
        return Look(tuple(texts), inputs, tuple(name for name in OF_IDS if name in found), num_tiles)

    def texts(self, images: Sequence[Image]) -> tuple[str, ...]:
        """What stands for each picture, for whoever needs no tensors. Raises DataError as `look`.

        Only the whole processor knows it, for pictures that it has not seen together: some cut each into fewer pieces where there
        are several.
        """
        key = tuple(hashlib.sha256(b"%d %d " % image.size + image.tobytes()).digest() for image in images)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        texts = self.look(images).texts
        with self._lock:
            self._known[key] = texts
            if len(self._known) > KNOWN_TEXTS:
                self._known.popitem(last=False)
        return texts

    def _texts(self, found: Mapping[str, Any], count: int) -> list[str]:
        """What the processor put in the place of each placeholder; the placeholder, where it let them stand."""
        offsets = found.get("text_replacement_offsets")
        if offsets:
            texts = [str(one["replacement"]) for one in offsets[0]]
        else:
            ids = found["input_ids"][0].tolist()
            placeholder = self._processor.tokenizer.convert_tokens_to_ids(self.placeholder)
            texts = [self.placeholder] * ids.count(placeholder)
        if len(texts) != count:
            kind = type(self._processor).__mro__[1].__name__
            raise ModelError(
                f"transformers' {kind} does not say what stands for an image: {len(texts)} texts for {count}."
            )
        return texts

    def beside(self, look: Look, ids: Sequence[int]) -> dict[str, Tensor]:
        """All inputs beside ``ids`` (T), the prompt that the texts of ``look`` stand in: (1, T) each where they go by token."""
        return {**look.inputs, **{name: self._made(OF_IDS[name], look, ids) for name in look.needs}}

    def _made(self, kind: Literal["types", "tiles"], look: Look, ids: Sequence[int]) -> Tensor:
        import torch

        if kind == "types":
            return torch.tensor(self._processor.create_mm_token_type_ids([list(ids)]))
        from transformers.models.mllama.processing_mllama import (
            convert_sparse_cross_attention_mask_to_dense,
            get_cross_attention_token_mask,
        )

        processor = self._processor
        mask = convert_sparse_cross_attention_mask_to_dense(
            [get_cross_attention_token_mask(list(ids), processor.image_token_id)],
            num_tiles=[list(look.num_tiles)],
            max_num_tiles=processor.image_processor.max_image_tiles,
            length=len(ids),
        )
        return torch.from_numpy(mask)

    def _num_tiles(self, images: Sequence[Image]) -> tuple[int, ...]:
        return tuple(self._processor.image_processor([list(images)])["num_tiles"][0])


def open_eyes(folder: Path, config: Any, max_pixels: int) -> Eyes:
    """The eyes of the model in ``folder`` with transformers' ``config``. Raises ModelError where it has none that are known.

    Its processor is put together here and not by ``AutoProcessor``, which wants torchvision for the part that reads videos.
    """
    kind = _kind(folder, config)
    if kind is None:
        raise ModelError(f"{folder}: nothing in it says how its images are read ({', '.join(CONFIGS[:2])}).")
    try:
        processor = _built(_images_only(kind), folder)
    except (OSError, ValueError, TypeError, ImportError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{folder}: its image processor {kind.__name__} cannot be made ({' '.join(str(error).split())})."
        ) from error
    if not isinstance(getattr(processor, "image_token", None), str):
        raise ModelError(f"{folder}: {kind.__name__} has no token that stands for an image; this version needs one.")
    return Eyes(processor, max_pixels)


def _kind(folder: Path, config: Any) -> Any:
    """The class of the processor: as the files name it, else the one of the model's type."""
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES  # type: ignore[attr-defined]

    names = [read_json(folder / name).get("processor_class") for name in CONFIGS if (folder / name).is_file()]
    for name in (*names, PROCESSOR_MAPPING_NAMES.get(config.model_type)):
        found = getattr(transformers, name, None) if isinstance(name, str) else None
        if found is not None:
            return found
    return None


def _images_only(kind: Any) -> Any:
    """The processor's class with room for absent parts: nothing asks those for videos and sound, and they need more packages."""

    class ImagesOnly(kind):  # type: ignore[misc]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            if argument is None and argument_name in BESIDES:
                return None
            return super().check_argument_for_proper_class(argument_name, argument)

    return ImagesOnly


def _built(kind: Any, folder: Path) -> Any:
    from transformers import AutoTokenizer
    from transformers.models.auto.image_processing_auto import AutoImageProcessor  # hidden above without torchvision

    parts: list[Any] = []
    for name in kind.get_attributes():
        if name == "image_processor":
            maker = _hidden(folder) or partial(AutoImageProcessor.from_pretrained, backend="pil")
            parts.append(maker(folder, local_files_only=True))
        elif name == "tokenizer":
            parts.append(AutoTokenizer.from_pretrained(folder, local_files_only=True))
        elif name in BESIDES:
            parts.append(None)
        else:
            raise ValueError(f"it has a part {name!r} that is not known here")
    settings, _ = kind.get_processor_dict(folder, local_files_only=True)
    return kind.from_args_and_dict(parts, settings)


def _hidden(folder: Path) -> Any:
    """What makes a processor that needs Pillow alone, where transformers (5.17) takes it for one that needs torchvision."""
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES  # type: ignore[attr-defined]

    named = (read_json(folder / name) for name in CONFIGS[:2] if (folder / name).is_file())
    names = {(one.get("image_processor") or one).get("image_processor_type") for one in named}
    wanted = {f"{name.removesuffix('Fast')}Pil" for name in names if name}
    for family, kinds in IMAGE_PROCESSOR_MAPPING_NAMES.items():
        if family in HIDDEN and isinstance(kinds, dict) and kinds.get("pil") in wanted:
            module = import_module(f"transformers.models.{family}.image_processing_pil_{family}")
            return getattr(module, kinds["pil"]).from_pretrained
    return None


def _tensor(value: Any) -> Any:
    """Processors give lists where the pictures differ in size, even when tensors were asked for."""
    import numpy as np
    import torch

    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return torch.as_tensor(value) if isinstance(value, int | float) else value
