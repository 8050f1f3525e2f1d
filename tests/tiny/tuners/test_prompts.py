"""Virtual tokens before each sample: the loss is plain peft's on the same padded batch, and what is saved goes on and answers."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

import swift.tuners
from swift.kernels.head import SelectedLoss
from swift.llm.arguments.commands import InferArguments
from swift.llm.catalog.registries import TUNER_MAPPING
from swift.llm.core import Encoded
from swift.llm.dataset.collate import Collator
from swift.llm.infer import infer_main
from swift.llm.plan.plans import TunerPlan
from swift.tuners.preview import preview
from swift.utils.errors import CheckpointError, NotBuiltError, PlanError

sys.path.insert(0, str(Path(__file__).parent))
from proof import check_the_same, loud, memorise, move, num_trained, run_twice, saved

C, LAYERS, KEYS = 32, 2, 2 * 8  # width, layers, keys of a layer (heads times their width)
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "prompt_tuning": ({"num_virtual_tokens": 6}, 6 * C),
    "prompt_tuning random": ({"num_virtual_tokens": 6, "prompt_init": "random"}, 6 * C),
    "prefix_tuning": ({"num_virtual_tokens": 6}, 6 * 2 * LAYERS * KEYS),
    "prefix_tuning projected": (
        {"num_virtual_tokens": 6, "prefix_projection": True, "prompt_encoder_size": 24},
        6 * KEYS + 24 * (KEYS + 1) + 2 * LAYERS * KEYS * (24 + 1),
    ),
    "p_tuning": ({"num_virtual_tokens": 6, "prompt_encoder_size": 24}, 6 * C + 24 * (C + 1) + 24 * 25 + C * 25),
    # two layers of two directions with four gates each, two biases a gate; then two linear layers
    "p_tuning lstm": (
        {"num_virtual_tokens": 6, "prompt_encoder_size": 8, "p_tuning_encoder": "lstm"},
        6 * C + 2 * 4 * 8 * (C + 8 + 2) + 2 * 4 * 8 * (16 + 8 + 2) + 16 * 17 + C * 17,
    ),
}  # fmt: skip


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def plan(case: str) -> TunerPlan:
    return plan_of(case)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def plan_of(case: str) -> TunerPlan:
    row = TUNER_MAPPING[case.split()[0]]
    return TunerPlan(sft_type=row.name, code=row.tuner, options=CASES[case][0])


def padded() -> dict[str, Any]:
    """Three samples of unlike length, with prompts that are not trained, as the loop gets them."""
    samples = []
    for start, length in ((3, 9), (20, 5), (30, 12)):
        ids = np.arange(start, start + length, dtype=np.int32)
        samples.append(Encoded(input_ids=ids, trained=np.arange(length) >= 3))
    return Collator(padding_free=False, pad_token_id=0)(samples)


def logits(model: Any) -> torch.Tensor:
    batch = padded()
    with torch.no_grad():
        found = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return found[:, -12:]  # without those of the tokens before


def test_the_loss_and_its_gradient_are_plain_pefts(plan: TunerPlan, make_model: Callable[..., Any]) -> None:
    model = move(swift.tuners.attach(plan, loud(make_model())))
    batch = padded()
    losses = SelectedLoss(model, tokens_per_chunk=4)
    found = losses(model, batch)
    assert losses.is_chunked
    num = int((batch["labels"] != -100).sum())
    assert found.num_tokens == num
    (found.total / num).backward()
    ours = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    output = model(**batch)
    output.loss.backward()
    assert torch.allclose(found.total.detach() / num, output.loss.detach(), rtol=1e-5)
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert ours.keys() == grads.keys() == {name for name, p in model.named_parameters() if p.requires_grad}
    assert all(torch.allclose(ours[name], grad, rtol=1e-3, atol=1e-6) for name, grad in grads.items())
    alone = sum(
        losses(model, {name: value[row : row + 1] for name, value in batch.items()}).total.item() for row in range(3)
    )
    assert alone == pytest.approx(found.total.item(), rel=1e-5)  # padding and neighbours have no say


def test_only_the_tokens_learn(case: str, plan: TunerPlan, make_model: Callable[..., Any]) -> None:
    size = CASES[case][1]
    torch.manual_seed(0)
    model = swift.tuners.attach(plan, loud(make_model()))
    assert num_trained(model) == size
    with torch.device("meta"):
        empty = type(make_model())(make_model().config)
    shown = preview(plan, lambda: empty)
    assert (shown.num_trainable, shown.modules) == (size, ())
    first, last, changed = memorise(model, rate=1e-2 if "p_tuning" in plan.sft_type else 1e-1)
    assert last < 0.7 * first
    assert changed == {name for name, p in model.named_parameters() if p.requires_grad}
    assert all(name.startswith("prompt_encoder.") for name in changed)


def test_saved_loaded_and_plain_peft_agree(
    case: str, plan: TunerPlan, make_model: Callable[..., Any], tmp_path: Path
) -> None:
    model = move(swift.tuners.attach(plan, loud(make_model())))
    wanted = logits(model)
    assert not torch.allclose(wanted, logits(loud(make_model())))
    folder = saved(plan, model, tmp_path / "one")
    for loaded in (
        swift.tuners.load(plan, loud(make_model()), folder),
        swift.tuners.load(plan, loud(make_model()), folder, trainable=True).eval(),
        PeftModel.from_pretrained(loud(make_model()), str(folder)).eval(),
    ):
        # an LSTM rounds otherwise for one row than for three
        assert torch.allclose(logits(loaded), wanted, atol=1e-5 if "lstm" in case else 0, rtol=0)
    again = swift.tuners.load(plan, loud(make_model()), folder, trainable=True)
    assert num_trained(again) == num_trained(model)
    assert (
        saved(plan, again, tmp_path / "two").joinpath("adapter_model.safetensors").read_bytes()
        == (folder / "adapter_model.safetensors").read_bytes()
    )
    with pytest.raises(NotBuiltError, match="cannot be merged"):
        swift.tuners.open_tuner(plan).merge(again)
    if (folder / "tuner_state.safetensors").exists():
        (folder / "tuner_state.safetensors").unlink()
        with pytest.raises(CheckpointError, match="the network that made the virtual tokens"):
            swift.tuners.load(plan, make_model(), folder, trainable=True)


def test_pefts_own_adapter_is_read(make_model: Callable[..., Any], tmp_path: Path) -> None:
    from peft import PromptTuningConfig, get_peft_model

    theirs = move(get_peft_model(make_model(), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)))
    theirs.save_pretrained(str(tmp_path))
    plan = plan_of("prompt_tuning")
    for trainable in (False, True):
        loaded = swift.tuners.load(plan, make_model(), tmp_path, trainable=trainable)
        assert torch.equal(logits(loaded.eval()), logits(theirs))
    with pytest.raises(CheckpointError, match="PREFIX_TUNING was expected"):
        swift.tuners.load(plan_of("prefix_tuning"), make_model(), tmp_path)


def test_beside_half_precision_the_tokens_stay_in_full(plan: TunerPlan, make_model: Callable[..., Any]) -> None:
    model = swift.tuners.attach(plan, make_model(dtype=torch.bfloat16))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert logits(model).dtype == torch.bfloat16


def test_no_prefix_before_compressed_keys() -> None:
    config = DeepseekV3Config(
        vocab_size=61, hidden_size=32, intermediate_size=48, moe_intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=4, n_routed_experts=4, n_group=1, topk_group=1, num_experts_per_tok=2,
        first_k_dense_replace=1, q_lora_rank=8, kv_lora_rank=8, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
        n_shared_experts=1, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.device("meta"):
        model = DeepseekV3ForCausalLM(config)
    with pytest.raises(PlanError, match="prefix_tuning: DeepseekV3ForCausalLM has compressed keys and values"):
        swift.tuners.attach(plan_of("prefix_tuning"), model)
    swift.tuners.attach(plan_of("prompt_tuning"), model)


@pytest.mark.parametrize("case", ["prompt_tuning", "prefix_tuning", "p_tuning"], indirect=True)
def test_a_run_goes_on_exactly_and_answers(case: str, model_folder: Path, tmp_path: Path) -> None:
    options = {**CASES[case][0], **({"prompt_init_text": "What is the sum?"} if case == "prompt_tuning" else {})}
    straight, again = run_twice(model_folder, tmp_path, sft_type=case, **options)
    check_the_same(straight, again)
    assert json.loads((straight / "plan.json").read_text())["data"]["padding_free"] is False
    if case == "prompt_tuning":
        assert load_file(straight / "adapter_model.safetensors")["prompt_embeddings"].shape == (6, 32)
    infer_main(
        InferArguments(
            ckpt_dir=str(straight), val_dataset=(str(tmp_path / "rows.jsonl"),), max_new_tokens=6, do_sample=False,
            result_dir=str(tmp_path / "answers"),
        )
    )  # fmt: skip
    (result,) = (tmp_path / "answers").rglob("*.jsonl")
    answers = [json.loads(line)["response"] for line in result.read_text().splitlines()]
    assert answers == [naive(straight, model_folder, query) for query in ("What is one?",) * 4 + ("The cat?",) * 4]


def naive(checkpoint: Path, base: Path, query: str) -> str:
    """Plain peft, one token at a time, without a cache."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(base))
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(str(base)), str(checkpoint)).eval()
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": query}], tokenize=False, add_generation_prompt=True
    )
    ids = tokenizer(text, return_tensors="pt").input_ids
    start = ids.shape[1]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while ids.shape[1] < start + 6 and (ids.shape[1] == start or int(ids[0, -1]) != tokenizer.eos_token_id):
            chosen = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0, -1].argmax()
            ids = torch.cat([ids, chosen[None, None]], dim=1)
    return str(tokenizer.decode(ids[0, start:], skip_special_tokens=True))
