"""Evaluation by generation: answer the validation prompts with the model as it is, score them against their labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from swift.llm.chat.service import ChatService
from swift.llm.core import Conversation, Message
from swift.llm.dataset import read_conversations
from swift.llm.engine.pt import PtEngine
from swift.llm.plan.infer import sampling_of
from swift.llm.plan.plans import TrainPlan
from swift.llm.template import Template
from swift.llm.tokenizer import TextTokenizer
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
        engine = PtEngine(model)
        try:
            answers: list[Message] = ChatService(template, tokenizer, engine).chat_batch(
                [prompt for prompt, _ in pairs], sampling
            )
        finally:
            engine.shutdown()
            model.train(was_training)
        return text_scores([answer.content for answer in answers], [label for _, label in pairs])

    return predict
