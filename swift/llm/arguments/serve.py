"""Servers and pages: address, key, name."""

from dataclasses import dataclass

from swift.llm.arguments.fields import arg


@dataclass(frozen=True, kw_only=True)
class HttpArguments:
    """The HTTP server."""

    host: str = arg("0.0.0.0", "Address to listen on; 127.0.0.1 is this machine only.", "server")
    port: int = arg(8000, "Port to listen on.", "server")
    api_key: str | None = arg(None, "Key that clients must send; left out, none is asked for.", "server")
    ssl_keyfile: str | None = arg(None, "File of the TLS key.", "server", path="always")
    ssl_certfile: str | None = arg(None, "File of the TLS certificate.", "server", path="always")
    log_interval: int = arg(10, "Seconds between lines of statistics; 0 is off.", "server")
    owned_by: str = arg("swift", "Owner that the list of models names.", "server")
    served_model_name: str | None = arg(
        None, "Name of the model for clients; left out, its model_type.", "server",
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


@dataclass(frozen=True, kw_only=True)
class WebArguments:
    """The page for all commands."""

    host: str = arg(
        "127.0.0.1", "Address to listen on; 0.0.0.0 opens the page to the network.", "server", starred=True,
    )  # fmt: skip
    port: int = arg(7860, "Port to listen on.", "server")
    lang: str = arg("zh", "Language of the page.", "server", choices=("zh", "en"))
    share: bool = arg(False, "Make a public link to the page, through Gradio's servers.", "server")
