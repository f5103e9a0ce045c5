"""The web page of `hmt-qa serve`; this package alone knows Gradio."""

from hmt_ui.web.page import build
from hmt_ui.web.server import serve

__all__ = ["build", "serve"]
