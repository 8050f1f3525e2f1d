"""Evaluation by generation: answer the validation prompts with the model as it is, score them against their labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from swift.llm.chat.service import ChatService
from swift.llm.core import Conversation
from swift.llm.dataset import read_conversations
from swift.llm.engine.pt import PtEngine
from swift.llm.plan.infer import sampling_of
from swift.llm.plan.plans import TrainPlan
from swift.llm.template import Template
from swift.llm.tokenizer import TextTokenizer
from swift.utils.log import logger
from swift.utils.text_metrics import text_scores


def split_label(conversation: Conversation) -> tuple[Conversation, str] | None:
    """A conversation without its last answer, and that answer; None where it does not end with one."""
    if len(conversation.messages) < 2 or conversation.messages[-1].role != "assistant":
        return None
    return replace(conversation, messages=conversation.messages[:-1]), conversation.messages[-1].content


def predictor(plan: TrainPlan, template: Template, tokenizer: TextTokenizer) -> Callable[[Any], dict[str, float]]:
    """A function of the model that gives ROUGE, BLEU and exact match over the validation rows."""
    pairs = [
        pair
        for row in read_conversations(plan.data, which="val")
        if isinstance(row, Conversation) and (pair := split_label(row))
    ]
    sampling = sampling_of(plan.generate, {})

    def predict(model: Any) -> dict[str, float]:
        was_training = model.training
        model.eval()
        with PtEngine(model) as engine:
            service = ChatService(template, tokenizer, engine)
            answers = list(service.answers((prompt for prompt, _ in pairs), sampling))
        model.train(was_training)
        given = [
            (answer.text, label) for answer, (_, label) in zip(answers, pairs, strict=True) if answer.error is None
        ]
        if len(given) < len(pairs):
            first = next(answer.error for answer in answers if answer.error is not None)
            logger.warning(
                "%d of %d validation rows cannot be answered: %s", len(pairs) - len(given), len(pairs), first
            )
        return text_scores([answer for answer, _ in given], [label for _, label in given])

    return predict
