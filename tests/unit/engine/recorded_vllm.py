"""A server that speaks vLLM's token interface with answers in the shapes that vLLM 0.32 was seen to send."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="base"} 2.0
vllm:num_requests_waiting{engine="0",model_name="base"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="base",reason="capacity"} 7.0
vllm:kv_cache_usage_perc{engine="0",model_name="base"} 0.25
vllm:prompt_tokens_total{engine="0",model_name="base"} 16.0
vllm:prompt_tokens_cached_total{engine="0",model_name="base"} 4.0
vllm:generation_tokens_total{engine="0",model_name="base"} 9.0
"""


def chunk(ids: list[int], finish: str | None = None, logprobs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """One event of a stream."""
    choice = {
        "index": 0, "finish_reason": finish, "stop_reason": None, "token_ids": ids, "routed_experts": None, "sampling_mask": None,
        "weight_versions": None, "logprobs": None if logprobs is None else {"content": logprobs},
    }  # fmt: skip
    return {"request_id": "generate-tokens-r1", "usage": None, "output_mode": "tokens", "choices": [choice]}


def usage(cached: int) -> dict[str, Any]:
    """The last event, after the answer."""
    return {
        "request_id": "generate-tokens-r1",
        "usage": {"prompt_tokens": 4, "total_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": cached}},
        "output_mode": "tokens",
        "choices": [],
    }  # fmt: skip


class RecordedVllm:
    """``events`` are streamed for every request, with ``pause_s`` between them; what was asked is in ``asked``."""

    def __init__(self, events: list[dict[str, Any]], *, pause_s: float = 0.0, status: int = 200) -> None:
        self.events, self.pause_s, self.status = events, pause_s, status
        self.asked: list[tuple[str, dict[str, Any], str | None]] = []
        self.gone = threading.Event()
        outer = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                self._whole(METRICS.encode(), "text/plain")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append((self.path, body, self.headers.get("authorization")))
                if outer.status != 200:
                    error = {
                        "error": {
                            "message": "top_p must be in (0, 1], got 3.0.",
                            "type": "BadRequestError",
                            "code": outer.status,
                        }
                    }
                    self._whole(json.dumps(error).encode(), "application/json")
                elif body.get("stream"):
                    self._stream()
                elif "token_ids" in body:
                    scores = [
                        None,
                        *(
                            {str(one): {"logprob": -float(one), "rank": 5}, "9": {"logprob": -0.5, "rank": 1}}
                            for one in body["token_ids"][1:]
                        ),
                    ]
                    self._whole(json.dumps({"prompt_logprobs": scores}).encode(), "application/json")
                else:
                    self._whole(b"Success", "text/plain")

            def _whole(self, content: bytes, kind: str) -> None:
                self.send_response(outer.status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def _stream(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                try:
                    for event in [*outer.events, None]:
                        text = "data: [DONE]\n\n" if event is None else f": alive\n\ndata: {json.dumps(event)}\n\n"
                        # Cut in the middle: pieces of the network are no events.
                        for piece in (text[:9].encode(), text[9:].encode()):
                            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                            self.wfile.flush()
                        time.sleep(outer.pause_s)
                    self.wfile.write(b"0\r\n\r\n")
                except OSError:
                    self.close_connection = True
                    outer.gone.set()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> RecordedVllm:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
