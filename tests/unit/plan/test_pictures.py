"""Which engines read a model's images: what keeps vLLM from it, and how many go into one prompt."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swift.environments.locate import Located
from swift.llm.arguments.commands import DeployArguments, InferArguments
from swift.llm.arguments.given import given_in_python
from swift.llm.catalog.registries import ENGINE_MAPPING
from swift.llm.plan.checkpoint import InferFacts
from swift.llm.plan.deploy import resolve_deploy, resolve_http
from swift.llm.plan.infer import resolve_infer
from swift.llm.plan.plans import InferPlan
from swift.llm.plan.problems import Reasons
from swift.utils.errors import PlanError

sys.path.insert(0, str(Path(__file__).parent))
import world

SEEN, UNSEEN = "Qwen2VLForConditionalGeneration", "LlavaNextForConditionalGeneration"
ROW = replace(world.ROW, modality=("text", "image"))


def made(build: str = "cuda", taken_out: tuple[str, ...] = ()) -> Located:
    return Located(
        name="vllm", state="ready", why="made today", python="/envs/vllm/bin/python", folder="/envs/vllm", build=build,
        record={"taken_out": list(taken_out)},
    )  # fmt: skip


def resolve(
    vllm: Located, architecture: str = SEEN, row: Any = ROW, kind: Any = InferArguments, **given: Any
) -> InferPlan:
    absent = Located(name="x", state="absent", why="there is none", build="cuda")
    config = {**world.MODEL.model_config, "vision_config": {}, "architectures": [architecture]}
    facts = InferFacts(
        machine=world.CPU, model=replace(world.MODEL, architecture=architecture, model_config=config), stamp="20250101-000000",
        environments={"vllm": vllm, "lmdeploy": absent, "sglang": absent},
    )  # fmt: skip
    return resolve_infer(
        kind(**given), {name: f"flag --{name}" for name in given}, facts, row, "named",
        templates=world.TEMPLATES, tuners=world.TUNERS, engines=ENGINE_MAPPING,
    )  # fmt: skip


def pictures(plan: InferPlan) -> int:
    assert plan.engine is not None
    return plan.engine.pictures


def test_auto_takes_vllm_for_images_where_it_was_seen_to_read_them_as_pt_does() -> None:
    plan = resolve(made())
    assert (plan.backend, pictures(plan), plan.answers_images) == ("vllm", 999, True)
    plan = resolve(made(), UNSEEN)
    assert (plan.backend, plan.answers_images) == ("pt", True)
    assert "was not tried; --infer_backend vllm checks each prompt" in plan.reasons["backend"]
    assert pictures(resolve(made(), UNSEEN, infer_backend="vllm")) == 999


def test_a_text_model_has_no_pictures() -> None:
    plan = resolve(made(), row=world.ROW)
    assert (plan.backend, pictures(plan), plan.answers_images) == ("vllm", 0, False)


@pytest.mark.parametrize(
    ("limit", "most"), [({"image": 4}, 4), ({"image": {"count": 3}}, 3), ({"video": 1}, 999), ({"image": 0}, 0)]
)
def test_the_limit_is_that_of_the_argument(limit: dict[str, Any], most: int) -> None:
    plan = resolve(made(), limit_mm_per_prompt=limit)
    assert (pictures(plan), plan.answers_images) == (most, most > 0)


@pytest.mark.parametrize("limit", [{"image": -1}, {"image": "many"}, 4])
def test_a_limit_that_is_none_is_refused(limit: Any) -> None:
    with pytest.raises(PlanError, match=r'--limit_mm_per_prompt .*: is a count by kind, as \{"image": 4\}'):
        resolve(made(), limit_mm_per_prompt=limit)


def test_a_build_without_torchvision_loads_few_of_them() -> None:
    bare = made("cpu", taken_out=("torchvision",))
    with pytest.raises(PlanError, match=rf"--infer_backend vllm: its class {SEEN} needs torchvision"):
        resolve(bare, infer_backend="vllm")
    assert pictures(resolve(bare, "Idefics3ForConditionalGeneration", infer_backend="vllm")) == 999
    assert pictures(resolve(bare, row=world.ROW, infer_backend="vllm")) == 0


def test_images_shrink_for_vllm_too() -> None:
    assert resolve(made(), rescale_image=5000).max_pixels == 5000
    with pytest.raises(PlanError, match="--rescale_image: the engine vllm is given no images"):
        resolve(made(), rescale_image=5000, limit_mm_per_prompt={"image": 0})


def test_a_request_to_the_server_has_no_more_images_than_the_engine_takes() -> None:
    def most(**given: Any) -> int:
        plan = resolve(made(), kind=DeployArguments, **given)
        args = DeployArguments(**given)
        http, _, reasons = resolve_http(args, given_in_python(args), {})
        assert isinstance(reasons, Reasons)
        return resolve_deploy(plan, args, http, reasons).http.max_images

    assert [most(), most(limit_mm_per_prompt={"image": 3}), most(max_images=2)] == [16, 3, 2]
