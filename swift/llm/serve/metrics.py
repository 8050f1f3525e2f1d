"""Counts of the server as Prometheus reads them, and as a line in the log."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from statistics import median

from swift.llm.engine.protocol import EngineStats

__all__ = ["Metrics"]

FIRST_TOKEN_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
NEXT_TOKEN_S = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5)
REQUEST_S = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
RECENT = 256


class Histogram:
    """How many observations (seconds) are at most each bound."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        self.recent: deque[float] = deque(maxlen=RECENT)

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds
        self.recent.append(seconds)

    def lines(self, name: str) -> Iterator[str]:
        """As Prometheus has them: cumulative."""
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """What happened since the start. Times in seconds; tokens are those of answers that clients were given, or asked about."""

    def __init__(self) -> None:
        self.first_token = Histogram(FIRST_TOKEN_S)
        self.next_token = Histogram(NEXT_TOKEN_S)
        self.request = Histogram(REQUEST_S)
        self.prompt_tokens = 0
        self.answer_tokens = 0
        self.reused_tokens = 0
        self.responses: Counter[tuple[str, int]] = Counter()
        self.num_gone = 0
        self._last = (time.monotonic(), 0, 0, 0)

    def text(self, stats: EngineStats, num_open: int) -> str:
        """The whole page, in Prometheus' text format."""
        lines: list[str] = []

        def say(name: str, kind: str, meaning: str, *values: tuple[str, float]) -> None:
            lines.append(f"# HELP swift_{name} {meaning}")
            lines.append(f"# TYPE swift_{name} {kind}")
            lines.extend(f"swift_{name}{labels} {value}" for labels, value in values)

        say("requests_open", "gauge", "Requests that are being answered.", ("", num_open))
        say("answers_running", "gauge", "Answers that the engine is writing.", ("", stats.num_running))
        say("answers_waiting", "gauge", "Answers that wait for the engine.", ("", stats.num_waiting))
        say("cache_used_ratio", "gauge", "Share of the key/value cache in use.", ("", round(stats.cache_used, 6)))
        say("prompt_tokens_total", "counter", "Tokens of prompts, for each answer to them.", ("", self.prompt_tokens))
        say("reused_tokens_total", "counter", "Tokens of prompts found in the cache.", ("", self.reused_tokens))
        say("answer_tokens_total", "counter", "Tokens of answers.", ("", self.answer_tokens))
        say("clients_gone_total", "counter", "Clients that left before their answer ended.", ("", self.num_gone))
        responses = [
            (f'{{path="{path}",status="{status}"}}', count) for (path, status), count in sorted(self.responses.items())
        ]
        say("responses_total", "counter", "Responses by path and status.", *responses)
        for name, meaning, histogram in (
            ("first_token_seconds", "Time from the request to its first token.", self.first_token),
            ("next_token_seconds", "Time between two tokens of an answer.", self.next_token),
            ("request_seconds", "Time of a whole request.", self.request),
        ):
            say(name, "histogram", meaning)
            lines.extend(histogram.lines(f"swift_{name}"))
        return "\n".join(lines) + "\n"

    def line(self, stats: EngineStats) -> str | None:
        """What happened since the last line; None where nothing did."""
        now, total = time.monotonic(), sum(self.responses.values())
        then, prompts, answers, responses = self._last
        self._last = (now, self.prompt_tokens, self.answer_tokens, total)
        if (self.prompt_tokens, self.answer_tokens, total) == (prompts, answers, responses) and not stats.num_running:
            return None
        seconds = max(now - then, 1e-6)
        first = (
            f", first token after {median(self.first_token.recent):.2f} s (median)" if self.first_token.recent else ""
        )
        return (
            f"{stats.num_running} running, {stats.num_waiting} waiting; {total - responses} requests ended;"
            f" {(self.prompt_tokens - prompts) / seconds:,.0f} prompt and {(self.answer_tokens - answers) / seconds:,.0f} answer"
            f" tokens/s; cache {stats.cache_used:.0%}{first}"
        )
