"""Puts the page into the service: nothing shared, measured or fetched from elsewhere, no file of the home served."""

from __future__ import annotations

import os
from pathlib import Path

import gradio as gr
from fastapi import FastAPI
from fastapi.responses import FileResponse

from hmt_ui.service.desk import Desk
from hmt_ui.web.page import compose

_STYLE = Path(__file__).with_name("style.css")
_SCRIPT = Path(__file__).with_name("page.js")
_HEAD = '<script src="page.js" defer></script>'
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


def mount(app: FastAPI, desk: Desk, *, home: Path) -> gr.Blocks:
    """Have `app` answer with the page whatever it does not answer itself; nothing in `home` is served as a file."""
    page = compose(desk)
    app.add_api_route("/page.js", _script, include_in_schema=False)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        app_kwargs={"openapi_url": None},
        allowed_paths=[],
        blocked_paths=[str(home)],
        show_error=False,
        max_file_size=desk.limits.upload_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        css_paths=[_STYLE],
        head=_HEAD,
    )
    return page


def _script() -> FileResponse:
    return FileResponse(_SCRIPT, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


def theme() -> gr.Theme:
    """Calm colours and the system's own fonts: no font is loaded from anywhere."""
    base = gr.themes.Base(primary_hue="teal", neutral_hue="slate", radius_size="md", font=_FONTS, font_mono=_MONOSPACE)
    return base.set(**_COLOURS)


def environment(arriving: Path) -> None:
    """What Gradio reads from the environment only, or would let it override the arguments above."""
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_ALLOWED_PATHS": "",
        "GRADIO_TEMP_DIR": str(arriving.resolve()),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
