"""The terminal chat: commands, history, multi-line questions, interruption."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from swift.llm.answering.terminal import HELP, Chat
from swift.llm.chat.service import ChatService
from swift.llm.core import Sampling
from swift.llm.engine.fake import FakeEngine
from swift.llm.engine.protocol import Limits
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer


class Script:
    """Questions from a list; a raised type stands for a key."""

    def __init__(self, lines: Sequence[str | type[BaseException]]) -> None:
        self.lines = list(lines)
        self.prompts: list[str] = []

    def read(self, prompt: str) -> str:
        self.prompts.append(prompt)
        line = self.lines.pop(0) if self.lines else EOFError
        if isinstance(line, str):
            return line
        raise line


class Talk:
    """A chat whose answers count the turns of the prompt: `n` user turns give `turn n`."""

    def __init__(self, model_folder: Path, lines: Sequence[str | type[BaseException]], **settings: object) -> None:
        tokenizer = load_tokenizer(model_folder)
        end = tokenizer.special_tokens["<|im_end|>"]

        def script(prompt: Sequence[int]) -> list[int]:
            self.prompts.append(tokenizer.decode(prompt))
            return [*tokenizer.encode(f"turn {self.prompts[-1].count('user' + chr(10))}"), end]

        self.prompts: list[str] = []
        self.written: list[str] = []
        self.reader = Script(lines)
        template = open_template("chatml", tokenizer, TemplatePlan(template_type="chatml"))
        service = ChatService(template, tokenizer, FakeEngine(script, context=120))
        self.chat = Chat(
            service,
            Sampling(max_new_tokens=50),
            self.reader,
            write=self.written.append,
            **settings,  # type: ignore[arg-type]
        )
        self.chat.run()

    @property
    def text(self) -> str:
        return "".join(self.written)


def test_history_grows_and_clear_forgets_it(model_folder: Path) -> None:
    talk = Talk(model_folder, ["a", "b", "clear", "c", "exit", "never"])
    assert [line for line in talk.text.splitlines() if line.startswith("turn")] == ["turn 1", "turn 2", "turn 1"]
    assert "turn 1<|im_end|>" in talk.prompts[1]
    assert talk.reader.lines == ["never"]


@pytest.mark.parametrize("end", [["quit"], [EOFError], [KeyboardInterrupt], []])
def test_all_ways_out(model_folder: Path, end: list[str | type[BaseException]]) -> None:
    talk = Talk(model_folder, ["a", *end])
    assert talk.chat.num_answers == 1


def test_reset_system_asks_and_forgets(model_folder: Path) -> None:
    talk = Talk(
        model_folder, ["a", "reset-system", "Be brief.", "b", "reset-system", "", "c", "reset-system", EOFError, "d"]
    )
    assert "<|im_start|>system\nBe brief.<|im_end|>" in talk.prompts[1]
    assert talk.prompts[1].count("user\n") == 1
    assert "Be brief." not in talk.prompts[2]
    assert talk.prompts[3].count("user\n") == 2  # given up: nothing changed


def test_multi_line_questions_end_with_a_hash(model_folder: Path) -> None:
    talk = Talk(model_folder, ["multi-line", "line 1", "line 2 #", "single-line", "one", "exit"])
    assert "user\nline 1\nline 2 <|im_end|>" in talk.prompts[0]
    assert "user\none<|im_end|>" in talk.prompts[1]


def test_help_and_blank_lines_are_no_questions(model_folder: Path) -> None:
    talk = Talk(model_folder, ["help", "", "   ", "exit"])
    assert HELP in talk.text
    assert talk.prompts == []


def test_a_conversation_that_is_too_long_says_what_to_do(model_folder: Path) -> None:
    talk = Talk(model_folder, ["a", "b " * 200, "c"])
    assert "context holds 120" in talk.text
    assert "`clear` forgets the conversation" in talk.text
    assert talk.prompts[-1].count("user\n") == 2  # the question that had no answer is not kept


def test_without_streaming_an_answer_comes_whole(model_folder: Path) -> None:
    talk = Talk(model_folder, ["a"], stream=False)
    assert "turn 1\n" in talk.written


def test_answers_are_written_line_by_line(model_folder: Path, tmp_path: Path) -> None:
    result = tmp_path / "deep" / "r.jsonl"
    Talk(model_folder, ["reset-system", "S", "a", "b"], result_path=result)
    rows = [json.loads(line) for line in result.read_text().splitlines()]
    assert [row["query"] for row in rows] == ["a", "b"]
    assert rows[1] == {"system": "S", "query": "b", "response": "turn 2", "label": None, "history": [["a", "turn 1"]]}


def test_ctrl_c_stops_the_answer_and_keeps_the_program(model_folder: Path) -> None:
    tokenizer = load_tokenizer(model_folder)
    end = tokenizer.special_tokens["<|im_end|>"]
    prompts: list[str] = []
    written: list[str] = []
    keys = [KeyboardInterrupt]

    def script(prompt: Sequence[int]) -> list[int]:
        prompts.append(tokenizer.decode(prompt))
        return [*tokenizer.encode("tttttttt"), end]

    def write(text: str) -> None:
        written.append(text)
        if text.startswith("t") and keys:
            raise keys.pop()

    engine = FakeEngine(script, context=200)
    template = open_template("chatml", tokenizer, TemplatePlan(template_type="chatml"))
    service = ChatService(template, tokenizer, engine)
    chat = Chat(service, Sampling(max_new_tokens=50), Script(["stop me", "go on"]), write=write)
    chat.run()
    assert "[stopped]" in "".join(written)
    assert len(engine.aborted) == 1
    assert chat.num_answers == 2
    assert "assistant\nt<|im_end|>" in prompts[1]  # what was said until then is remembered


def test_adapters_are_switched_between(model_folder: Path) -> None:
    tokenizer = load_tokenizer(model_folder)
    engine = FakeEngine(
        lambda prompt: [*tokenizer.encode("yes"), tokenizer.special_tokens["<|im_end|>"]],
        limits=Limits(context=4096, adapters=True),
    )
    engine.adapters.update(calm="/a", loud="/b")
    written: list[str] = []
    template = open_template("chatml", tokenizer, TemplatePlan(template_type="chatml"))
    chat = Chat(
        ChatService(template, tokenizer, engine),
        Sampling(max_new_tokens=50),
        Script(["one", "/adapter loud", "two", "/adapter base", "three", "/adapter soft", "/adapter"]),
        write=written.append,
        adapters=("calm", "loud"),
        adapter="calm",
    )
    chat.run()
    assert [request.adapter for request in engine.requests] == ["calm", "loud", None]
    text = "".join(written)
    assert "From now on: loud." in text
    assert "There is no adapter 'soft'. Now: base. There are: calm, loud, base." in text


def test_no_adapters_to_switch_between(model_folder: Path) -> None:
    talk = Talk(model_folder, ["/adapter x"])
    assert "No adapters are loaded by name" in "".join(talk.written)
