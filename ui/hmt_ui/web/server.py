"""Runs the page on this machine: nothing shared, measured or fetched from elsewhere."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from hmt_qa import DocumentQA
from hmt_qa.errors import HmtQaError
from hmt_ui.binding import LOOPBACK_NAMES, require_safe
from hmt_ui.web.guard import Guard
from hmt_ui.web.inbox import Inbox
from hmt_ui.web.page import compose
from hmt_ui.web.warming import Warming

_log = logging.getLogger(__name__)

LARGEST_UPLOAD = "200mb"
_STYLE = Path(__file__).with_name("style.css")
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_COLOURS = {  # where the base theme's contrast is below 4.5 to 1
    "body_text_color_subdued": "*neutral_600",
    "body_text_color_subdued_dark": "*neutral_400",
    "button_primary_background_fill": "*primary_700",
    "button_primary_background_fill_hover": "*primary_800",
    "button_primary_background_fill_dark": "*primary_700",
    "button_cancel_background_fill": "#b91c1c",
    "button_cancel_background_fill_dark": "#b91c1c",
    "button_cancel_background_fill_hover": "#991b1b",
    "button_cancel_background_fill_hover_dark": "#991b1b",
    "button_cancel_text_color": "white",
    "button_cancel_text_color_dark": "white",
    "checkbox_label_background_fill": "transparent",
    "checkbox_label_background_fill_dark": "transparent",
    "checkbox_label_background_fill_hover": "*neutral_100",
    "checkbox_label_background_fill_hover_dark": "*neutral_800",
    "checkbox_label_border_width": "1px",
    "checkbox_label_border_width_dark": "1px",
    "checkbox_background_color_selected": "*primary_700",
    "checkbox_background_color_selected_dark": "*primary_600",
    "slider_color": "*primary_700",
    "slider_color_dark": "*primary_600",
}
_MONOSPACE = ("ui-monospace", "Consolas", "monospace")


def serve(
    qa: DocumentQA,
    *,
    host: str,
    port: int,
    uploads: Path,
    allow_unauthenticated: bool = False,
    names: Iterable[str] = (),
) -> None:
    """Serve the page until Ctrl+C or SIGTERM; uploaded files are kept under `uploads`, a folder in the library's home.

    `names` are hosts that browsers may call this server by, beside loopback's own. Raises `HmtQaError` where `host`
    can be reached by others and `allow_unauthenticated` is not set, or where `port` is taken.
    """
    require_safe(host, allow_unauthenticated=allow_unauthenticated)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is an orderly one too
    with running(qa, host=host, port=port, uploads=uploads, names=names) as address:
        print(f"hmt-qa is at {address} (Ctrl+C ends it)", file=sys.stderr)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # said once is enough: the orderly end has begun
            _log.info("server_interrupted")


@contextmanager
def running(qa: DocumentQA, *, host: str, port: int, uploads: Path, names: Iterable[str] = ()) -> Iterator[str]:
    """The page's address while the server is up; what is being read is kept when it goes down."""
    with tempfile.TemporaryDirectory(prefix="hmt-qa-uploads-", ignore_cleanup_errors=True) as arriving:
        _environment(Path(arriving))
        warming = Warming(qa)
        inbox = Inbox(qa, uploads, warming)
        page = compose(qa, inbox, warming)
        try:
            address = _launch(
                page, host=host, port=port, home=uploads.resolve().parent, names=LOOPBACK_NAMES.union(names)
            )
            warming.start()
            _log.info("server_up address=%s taken_up=%d", address, inbox.take_up())
            yield address
        finally:
            page.close(verbose=False)
            inbox.stop()


def theme() -> gr.Theme:
    """Calm colours and the system's own fonts: no font is loaded from anywhere."""
    base = gr.themes.Base(primary_hue="teal", neutral_hue="slate", radius_size="md", font=_FONTS, font_mono=_MONOSPACE)
    return base.set(**_COLOURS)


def _environment(arriving: Path) -> None:
    """What Gradio reads from the environment only, or would let it override the arguments below."""
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_ALLOWED_PATHS": "",
        "GRADIO_TEMP_DIR": str(arriving.resolve()),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def _launch(page: gr.Blocks, *, host: str, port: int, home: Path, names: Iterable[str]) -> str:
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            inbrowser=False,
            share=False,
            show_error=False,
            footer_links=[],
            run_history=False,
            allowed_paths=[],
            blocked_paths=[str(home)],
            max_file_size=LARGEST_UPLOAD,
            enable_monitoring=False,
            strict_cors=True,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            app_kwargs={"middleware": [Middleware(Guard, hosts=names)], "openapi_url": None},
            theme=theme(),
            css_paths=[_STYLE],
        )
    except OSError as exc:
        raise HmtQaError(f"Port {port} is taken.", subject=port, remedy="Choose another with --port.") from exc
    return str(address)
