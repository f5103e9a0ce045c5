"""The real server in a process of its own, and Debian's Chromium at its page."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
HOW_TO_INSTALL = f"{CHROMIUM} is missing: apt-get install -y chromium"
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
).split()
PATIENCE_SECONDS = 60

_SERVER = """
import sys
from pathlib import Path
from hmt_qa import DocumentQA
from hmt_ui.service.server import serve
home = Path(sys.argv[1])
serve(DocumentQA.open(home, device="cpu"), host="127.0.0.1", port=int(sys.argv[2]), uploads=home / "uploads")
"""

# Everything an element ever showed, in order: what a slow look from outside would miss.
_WATCH = """([selector, name]) => {
  window[name] = [];
  const look = () => {
    const text = (document.querySelector(selector) || {}).innerText || "";
    if (window[name].at(-1) !== text) window[name].push(text);
  };
  look();
  new MutationObserver(look).observe(document.querySelector(selector), {subtree: true, childList: true,
    characterData: true, attributes: true});
}"""


@contextmanager
def server(home: Path) -> Iterator[str]:
    """The page's address; the library and the server's log lie in `home`."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", _SERVER, str(home), str(port)], stdout=log, stderr=log)
        try:
            wait_for(address, process, home)
            yield address
        finally:
            process.terminate()
            assert process.wait(30) == 0, "the server did not go down in order"


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str, process: subprocess.Popen[bytes], home: Path) -> None:
    """Return when the page is there; the server's log says why it never came."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(address, timeout=5):  # noqa: S310 - our own http:// address
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"no page at {address}: {(home / 'server.log').read_text()}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Visit:
    """One open page, and all it did that a page of ours must not do."""

    page: Page
    address: str
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, selector: str, name: str) -> None:
        """Begin to keep every text that the element shows."""
        self.page.evaluate(_WATCH, [selector, name])

    def watched(self, name: str) -> list[str]:
        """The texts kept, in order."""
        texts: list[str] = self.page.evaluate(f"window.{name}")
        return texts

    def upload(self, files: dict[str, bytes]) -> None:
        """Drop files, name to content, all at once."""
        kind = "application/octet-stream"
        dropped = [{"name": name, "mimeType": kind, "buffer": content} for name, content in files.items()]
        self.page.set_input_files("#drop input[type=file]", dropped)  # type: ignore[arg-type]

    def wait_for_job(self, text: str, state: str) -> str:
        """The text of the job whose name holds `text` once it is in `state`."""
        row = self.page.locator(f"#jobs li.hmt-{state}", has_text=text)
        row.wait_for()
        return row.inner_text()

    def ask(self, question: str) -> None:
        """Type a question and press the button."""
        self.page.fill("#question textarea", question)
        self.page.click("#ask")

    def wait_for_sources(self) -> None:
        """Return once the answer is whole and stands on something; a problem shown in its place fails at once."""
        self.page.locator("#sources .hmt-figures, #answer [role=alert]").first.wait_for()
        assert self.page.locator("#sources li").count(), self.page.inner_text("#asking")

    def reload(self) -> None:
        """Come back as a new visitor."""
        before = len(self.complaints)
        self.page.goto("about:blank")
        self.complaints[before:] = [said for said in self.complaints[before:] if not _is_of_leaving(said)]
        self.page.goto(self.address)
        self.page.locator("#ask").wait_for()


@contextmanager
def visit(browser: Browser, address: str, **options: object) -> Iterator[Visit]:
    """A fresh session at the page; keeps requests to other hosts, dialogs and errors."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    seen = Visit(page=context.new_page(), address=address)
    own = urlsplit(address).netloc
    seen.page.on("request", lambda request: seen.foreign.extend(_foreign(request.url, own)))
    seen.page.on("console", lambda said: seen.complaints.append(said.text) if said.type == "error" else None)
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))

    def refuse(dialog: object) -> None:
        seen.complaints.append(f"dialog: {dialog}")
        dialog.dismiss()  # type: ignore[attr-defined]

    seen.page.on("dialog", refuse)
    seen.reload()
    yield seen
    context.close()


def _is_of_leaving(said: str) -> bool:
    """Gradio logs that its own streams end with the page."""
    return said.startswith("AbortError: signal is aborted") or said.rstrip().endswith("errored out.")


def _foreign(url: str, own: str) -> list[str]:
    parts = urlsplit(url)
    return [] if parts.scheme in {"data", "blob"} or parts.netloc == own else [url]
