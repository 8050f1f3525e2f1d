"""vLLM itself, started for vectors: the same as those of pt. Skips where `swift env add vllm` has not been run."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from swift.environments.locate import Located
from swift.llm.core import Sampling
from swift.llm.engine.protocol import GenerateRequest
from swift.utils.errors import EngineError

TEXTS = [(5,), (300, 301, 302, 17, 40), tuple(range(5, 900))]


def test_vectors_equal_those_of_pt(vllm: Located, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from swift.demo import MODEL
    from swift.llm.answering.service import open_engine
    from swift.llm.arguments.commands import DeployArguments
    from swift.llm.deploy import make_plan

    monkeypatch.setenv("SWIFT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "vectors"
    shutil.copytree(MODEL, folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_lasttoken": True}))

    def vectors(**more: object) -> list[list[float]]:
        args = DeployArguments(model_id_or_path=str(folder), model_type="demo-chat", dtype="fp32", **more)  # type: ignore[arg-type]
        with open_engine(make_plan(args)) as engine:
            if not engine.limits.answers:
                with pytest.raises(EngineError, match="answers no prompt"):
                    asyncio.run(anext(engine.generate(GenerateRequest("r1", TEXTS[0], Sampling(max_new_tokens=1)))))  # type: ignore[arg-type]
            return asyncio.run(engine.embed(TEXTS))

    served = vectors(
        infer_backend="vllm", enforce_eager=True, max_num_seqs=8, env_dir=str(Path(vllm.folder or "").parent)
    )
    for one, other in zip(served, vectors(infer_backend="pt"), strict=True):
        assert one == pytest.approx(other, abs=1e-5)
