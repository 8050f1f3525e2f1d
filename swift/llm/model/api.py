"""The Python entry to a model and its tokenizer, as users call it: `swift.llm.get_model_tokenizer`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swift.kernels.support import supports_varlen
from swift.llm.catalog.registries import MODEL_MAPPING
from swift.llm.model.load import load_model
from swift.llm.plan.match import match_model, source_of
from swift.llm.plan.plans import Dtype, ModelPlan
from swift.llm.tokenizer import load_tokenizer
from swift.utils.errors import ArgumentError, ModelError
from swift.utils.files import read_json
from swift.utils.hub import resolve
from swift.utils.registry import unknown

__all__ = ["get_model_tokenizer"]


def get_model_tokenizer(
    model_type: str | None = None,
    *,
    model_id_or_path: str | None = None,
    dtype: Dtype | None = None,
    device: str = "cpu",
    attn_impl: str = "sdpa",
    revision: str | None = None,
    trust_remote_code: bool = False,
    use_hf: bool = False,
    load_weights: bool = True,
) -> tuple[Any, Any]:
    """Return (model, tokenizer): transformers' classes, the tokenizer exactly as its files say.

    ``model_type`` is a name of `swift list models`; ``model_id_or_path`` a hub id or a folder; one of them is needed, and a
    folder may be given as the first argument. ``dtype`` None: fp32 on a CPU, else bf16. ``load_weights`` False: model None.
    Raises ArgumentError for an unknown name, ModelError and CheckpointError for weights that cannot be read.
    """
    source = model_id_or_path
    row = MODEL_MAPPING.get(model_type) if model_type is not None else None
    if row is None and model_type is not None:
        if source is not None or not ("/" in model_type or Path(model_type).exists()):
            raise ArgumentError(unknown("model_type", model_type, MODEL_MAPPING))
        source, model_type = model_type, None
    if source is None and row is None:
        raise ArgumentError("get_model_tokenizer: give a model_type, or model_id_or_path.")
    local = source is not None and Path(source).expanduser().exists()
    if source is None or not local:
        source, use_hf = source_of(source, row, use_hf=use_hf)
    folder = resolve(source, use_hf=use_hf, revision=revision or (row.revision if row else None))
    tokenizer = load_tokenizer(folder).hf()
    if not load_weights:
        return None, tokenizer
    config = read_json(folder / "config.json")
    found = row or match_model(config, None, None, None if local else source).row
    if attn_impl == "varlen" and not supports_varlen(config):
        raise ModelError(f"attn_impl varlen: not proven for {config.get('architectures')}. Use sdpa.")
    plan = ModelPlan(
        model_type=found.model_type if found else None,
        path=str(folder),
        architecture=(config.get("architectures") or ["unknown"])[0],
        loader=found.loader if found else "swift.llm.model.loaders:causal_lm",
        dtype=dtype or ("fp32" if device == "cpu" else "bf16"),
        attention=attn_impl,
        device=device,
        trust_remote_code=trust_remote_code,
    )
    return load_model(plan), tokenizer
