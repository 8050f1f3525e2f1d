"""``swift infer``: chat with a model in the terminal, or let it answer the rows of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swift.llm.answering.planning import make_infer_plan
from swift.llm.arguments.commands import InferArguments
from swift.llm.arguments.given import given_in_python
from swift.llm.plan.explain import print_plan, run_or_show
from swift.llm.plan.infer import sampling_of
from swift.utils.log import logger

if TYPE_CHECKING:
    from swift.llm.answering.rows import Rows, RowsResult
    from swift.llm.plan.plans import DataPlan, InferPlan

SHOWN_PROMPTS = 3


def make_plan(args: InferArguments, sources: Mapping[str, str] | None = None) -> InferPlan:
    """The frozen plan of these arguments; loads no weights. Raises PlanError with every conflict at once."""
    return make_infer_plan(args, given_in_python(args) if sources is None else sources)


def run(plan: InferPlan) -> RowsResult | None:
    """Answer the plan's rows and return what came out; without rows chat in the terminal and return None."""
    from swift.llm.answering.rows import answer_rows
    from swift.llm.answering.service import open_service
    from swift.llm.answering.terminal import Chat, open_reader

    sampling = sampling_of(plan.generate, {})
    if plan.data is not None:
        rows = _rows(plan, plan.data)  # before the weights: a wrong path is told at once
        if plan.data.test_ratio and plan.data.dataset and not plan.data.val_dataset:
            logger.info(
                "answering the %s rows that training would validate on (%.3g of --dataset); --val_dataset answers all rows",
                f"{len(rows.questions):,}", plan.data.test_ratio,
            )  # fmt: skip
        elif plan.data.dataset and plan.data.val_dataset:
            logger.info("answering the rows of --val_dataset alone: those of --dataset are for training")
        with open_service(plan, media_root=Path.cwd()) as service:
            result = answer_rows(plan, rows, service, sampling)
        print("\n".join(result.lines()), flush=True)
        return result
    reader = open_reader()
    result_path = Path(plan.result_path) if plan.result_path is not None else None
    with open_service(plan, media_root=Path.cwd()) as service:
        chat = Chat(
            service, sampling, reader, stream=plan.stream, result_path=result_path,
            adapters=[adapter.name for adapter in plan.adapters], adapter=plan.default_adapter,
        )  # fmt: skip
        chat.run()
    if result_path is not None and chat.num_answers:
        print(f"the conversation: {result_path}", flush=True)
    return None


def _rows(plan: InferPlan, data: DataPlan) -> Rows:
    from swift.llm.answering.rows import read_rows

    return read_rows(data, plan.show_dataset_sample, images=plan.answers_images)


def show(plan: InferPlan) -> None:
    """Print the plan, and of a data set the number of rows and the first prompts; no weight is loaded."""
    print_plan(plan)
    if plan.data is None:
        return
    from swift.llm.answering.service import open_text

    rows = _rows(plan, plan.data)
    tokenizer, template = open_text(plan)
    print(f"\ndata\n  {len(rows.questions):,} rows to answer, {len(rows.lost):,} lost")
    for line in rows.lost[:SHOWN_PROMPTS]:
        print(f"  lost: {line}")
    print("first prompts")
    for question in rows.questions[:SHOWN_PROMPTS]:
        ids = template.encode_prompt(question.conversation)
        images = f" and what {len(question.conversation.media)} images take" if question.conversation.media else ""
        print(f"  ({len(ids):,} tokens{images}) {tokenizer.decode(ids)!r}")


def infer_main(args: InferArguments) -> RowsResult | InferPlan | None:
    """Infer with arguments built in Python: the same as ``swift infer`` with them as flags.

    Returns the answers, None after a chat, or the plan with ``dry_run=True``. Raises SwiftError where the command line
    would show a message.
    """
    return _infer(args, given_in_python(args))


def main(parsed: Any) -> int:
    """Run the command; 1 if there were rows and none could be answered."""
    result = _infer(parsed.args, parsed.sources)
    return 1 if getattr(result, "rows", None) == () else 0


def _infer(args: InferArguments, sources: Mapping[str, str]) -> RowsResult | InferPlan | None:
    return run_or_show(make_plan(args, sources), run, dry_run=args.dry_run, show=show)
