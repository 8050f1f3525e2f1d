"""Arguments of `swift export`: merge, quantize, convert, upload."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.commands.answering import AnsweringArguments
from swift.llm.arguments.fields import redefault
from swift.llm.arguments.merge import ConvertArguments
from swift.llm.arguments.train import PushArguments


@dataclass(frozen=True, kw_only=True)
class ExportArguments(ConvertArguments, PushArguments, AnsweringArguments):
    """Arguments of `swift export`: merge, quantize, convert, upload."""

    quant_method: str | None = redefault(
        AnsweringArguments, "quant_method", "awq", group="export", starred=True, inherit=False, choices=("awq",
        "gptq", "bnb"), help="Method for quant_bits.",
    )  # fmt: skip
    dataset: Sequence[str] = redefault(
        AnsweringArguments, "dataset", (), group="export", help="Calibration data, written as for training. "
        "Left out, 10000 rows each of alpaca-zh and alpaca-en.",
    )  # fmt: skip
