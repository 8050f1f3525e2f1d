"""A server that speaks vLLM's token interface with answers in the shapes that vLLM 0.32 was seen to send."""

from __future__ import annotations

import base64
import json
import struct
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


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


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
    """``events`` are streamed for every request, with ``pause_s`` between them; what was asked is in ``asked``.

    ``image``: the token that stands for an image, and how many it makes of it; ``limit``: the most images that it takes.
    """

    def __init__(
        self,
        events: list[dict[str, Any]],
        *,
        pause_s: float = 0.0,
        status: int = 200,
        image: tuple[int, int] = (-1, 1),
        limit: int = 2,
    ) -> None:
        self.events, self.pause_s, self.status, self.image, self.limit = events, pause_s, status, image, limit
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
                elif (refused := self._unread(body)) is not None:
                    code, message = refused
                    error = {"error": {"message": message, "type": "x", "param": None, "code": code}}
                    self._whole(json.dumps(error).encode(), "application/json", code)
                elif body.get("stream"):
                    self._stream(outer.expanded(body))
                elif self.path == "/v1/embeddings":
                    vectors = [
                        {"index": place, "object": "embedding", "embedding": _packed([float(sequence[0]), -0.5])}
                        for place, sequence in enumerate(body["input"])
                    ]
                    self._whole(json.dumps({"object": "list", "data": vectors[::-1]}).encode(), "application/json")
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

            def _unread(self, body: dict[str, Any]) -> tuple[int, str] | None:
                """What it says to images that it does not take."""
                parts = body.get("content_parts") or []
                if len(parts) > outer.limit:
                    return 400, f"At most {outer.limit} image(s) may be provided in one prompt. (parameter=image)"
                if any(b"PNG" not in base64.b64decode(part["url"].partition(",")[2]) for part in parts):
                    return 400, "Failed to load image: cannot identify image file <_io.BytesIO object>"
                if body.get("token_ids", []).count(outer.image[0]) < len(parts):
                    return 500, "Failed to apply prompt replacement for mm_items['image'][0]"
                return None

            def _whole(self, content: bytes, kind: str, status: int | None = None) -> None:
                self.send_response(status or outer.status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def _stream(self, prompt: dict[str, Any]) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                try:
                    first = [{**event, **prompt} if prompt else event for event in outer.events[:1]]
                    for event in [*first, *outer.events[1:], None]:
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

    def expanded(self, body: dict[str, Any]) -> dict[str, Any]:
        """What the first event says of the prompt, where that was asked for."""
        if not body.get("return_token_ids"):
            return {}
        token, count = self.image
        ids: list[int] = []
        places = []
        for one in body["token_ids"]:
            if one == token and len(places) < len(body.get("content_parts") or []):
                places.append({"offset": len(ids), "length": count})
                ids += [token] * count
            else:
                ids.append(one)
        return {"prompt_token_ids": ids, "mm_placeholders": {"image": places} if places else None}

    def __enter__(self) -> RecordedVllm:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
