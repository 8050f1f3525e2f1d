"""Servers and pages: address, key, name."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.fields import arg


@dataclass(frozen=True, kw_only=True)
class HttpArguments:
    """The HTTP server."""

    host: str = arg("0.0.0.0", "Address to listen on; 127.0.0.1 is this machine only.", "server")
    port: int = arg(8000, "Port to listen on; 0 takes a free one, and the first line names it.", "server")
    api_key: str | None = arg(None, "Key that clients must send; left out, none is asked for.", "server")
    ssl_keyfile: str | None = arg(None, "File of the TLS key.", "server", path="always")
    ssl_certfile: str | None = arg(None, "File of the TLS certificate.", "server", path="always")
    log_interval: int = arg(10, "Seconds between lines of statistics; 0 is off.", "server")
    owned_by: str = arg("swift", "Owner that the list of models names.", "server")
    served_model_name: str | None = arg(
        None, "Name of the model for clients; left out, its model_type.", "server",
    )  # fmt: skip
    model_aliases: Sequence[str] = arg(
        (), "Further names of the model for clients, such as the one a program insists on.", "server", metavar="NAME",
    )  # fmt: skip
    api_key_file: str | None = arg(
        None, "File of keys that clients may send, one a line; keeps them out of the list of processes.", "server",
        path="always",
    )  # fmt: skip
    admin_api_key_file: str | None = arg(
        None, "File of the key for loading and unloading adapters; left out, nobody may.", "server", path="always",
    )  # fmt: skip
    adapter_roots: Sequence[str] = arg(
        (), "Folders below which adapters may be loaded from while the server runs.", "server", path="always",
        metavar="FOLDER",
    )  # fmt: skip
    allowed_origins: Sequence[str] = arg(
        (), "Web pages that may use the server from a browser, as https://host; * is all of them.", "server",
        metavar="ORIGIN",
    )  # fmt: skip
    allowed_image_hosts: Sequence[str] = arg(
        (), "Hosts that images may be fetched from over https, as example.org, *.example.org or example.org:8443; * is every "
        "public one. Left out, images come as data URLs only.", "server", metavar="HOST",
    )  # fmt: skip
    max_images: int = arg(16, "Most images of one request.", "server")
    max_queue: int = arg(
        256, "Answers that may wait while others are written; further ones are refused with status 429.", "server",
    )  # fmt: skip
    max_body_mb: float = arg(16.0, "Longest request body in MiB.", "server")
    max_tokens_limit: int | None = arg(
        None, "Most tokens that a client may ask for in an answer; left out, the context is the limit.", "server",
    )  # fmt: skip
    request_timeout: float = arg(
        1800.0, "Seconds that one request may take until its answer is cut off; 0 is no limit.", "server",
    )  # fmt: skip
    drain_timeout: float = arg(
        60.0, "Seconds that running answers are given to finish when the server is asked to end.", "server",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AppArguments:
    """The chat page."""

    host: str = arg(
        "127.0.0.1", "Address to listen on; 0.0.0.0 opens the page to the network.", "server",
        aliases=("server_name",),
    )  # fmt: skip
    port: int = arg(7860, "Port to listen on.", "server", aliases=("server_port",))
    share: bool = arg(False, "Make a public link to the page, through Gradio's servers.", "server")
    api_base: str | None = arg(
        None, "Address of a server that runs already, such as http://127.0.0.1:8000/v1: the page talks to that one and no "
        "model is loaded.", "server",
    )  # fmt: skip
    api_key_file: str | None = arg(
        None, "File whose first line is the key that this server asks for.", "server", path="always",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class WebArguments:
    """The page for all commands."""

    host: str = arg(
        "127.0.0.1", "Address to listen on; 0.0.0.0 opens the page to the network.", "server", starred=True,
    )  # fmt: skip
    port: int = arg(7860, "Port to listen on.", "server")
    lang: str = arg("zh", "Language of the page.", "server", choices=("zh", "en"))
    share: bool = arg(False, "Make a public link to the page, through Gradio's servers.", "server")
