"""How long the page takes to be there, and how much later than the core an answer's first word is on it.

    python benchmarks/page.py [--rounds 9] [--json]

The real server in a process of its own, Debian's Chromium at its page. A *view* is a new browser without a cache,
from the address to a button that can be pressed. An answer comes from a writer that says a word every 50 ms and notes
when: what is measured is the way from there to a painted frame. Medians over rounds, with the load, and the
processor time of server and browser: on a machine that others use, that is what can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from hmt_qa.writers.contract import Request  # noqa: E402 - found by the line above
from tests.hmt_ui import browser as web  # noqa: E402 - the same

WORD_SECONDS = 0.05
WORDS = 24
DOCUMENT = "The mill at Skerry Point is kept by Odile. " * 40

# When the word was in the document, and a frame with it had been painted; milliseconds since 1970.
_WATCH = """(word) => {
  window.seen = new Promise((resolve) => {
    const look = () => {
      if (!document.querySelector("#answer .hmt-answer")?.textContent.includes(word)) return;
      watcher.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.timeOrigin + performance.now())));
    };
    const watcher = new MutationObserver(look);
    watcher.observe(document.querySelector("#answer"), {subtree: true, childList: true, characterData: true});
  });
}"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
_SENT = (
    "['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind)).map((one) => one.transferSize)"
)


class Metronome:
    """A writer whose words come at a steady pace; the moment of each answer's first one goes to a file."""

    name = "metronome"

    def __init__(self, notes: Path) -> None:
        self._notes = notes
        self._answers = 0

    def write(self, request: Request) -> Generator[str]:
        self._notes.write_text(str(time.time()))
        yield f"answer{self._answers}. "
        self._answers += 1
        for number in range(WORDS):
            time.sleep(WORD_SECONDS)
            yield f"word{number} "


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the page's first view and an answer's first word on it.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    parser.add_argument("--serve", nargs=2, metavar=("HOME", "PORT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(Path(chosen.serve[0]), int(chosen.serve[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), chosen.rounds)
    lines = (f"{name:32} {value:,.4g}" for name, value in figures.items())
    print(json.dumps(figures) if chosen.json else "\n".join(lines))


def serve(home: Path, port: int) -> None:
    from hmt_qa import DocumentQA
    from hmt_ui.service.server import serve as run

    qa = DocumentQA.open(home, device="cpu", reader=Metronome(home / "first-word"))
    qa.ingest_text(DOCUMENT, name="mill")
    run(qa, host="127.0.0.1", port=port, uploads=home / "uploads")


def measure(home: Path, rounds: int) -> dict[str, float]:
    figures = {"load_at_start": os.getloadavg()[0], "rounds": float(rounds)}
    with served(home) as (address, server), web.chromium() as browser:
        loading, *views = [first_view(browser, address, server) for _ in range(rounds + 1)]
        with web.visit(browser, address) as seen:
            delays = [ask(seen, home, number) for number in range(rounds + 1)][1:]  # the first loads the model
    figures["view_while_model_loads_ms"] = loading["usable_ms"]
    for name in loading:
        figures[f"view_{name}"] = statistics.median(view[name] for view in views)
    figures |= {"word_after_core_ms": statistics.median(delays), "word_after_core_worst_ms": max(delays)}
    return figures | {"load_at_end": os.getloadavg()[0]}


@contextmanager
def served(home: Path) -> Iterator[tuple[str, psutil.Process]]:
    port = web.free_port()
    address = f"http://127.0.0.1:{port}/"
    with (home / "server.log").open("w") as log:
        started = subprocess.Popen([sys.executable, __file__, "--serve", home, str(port)], stdout=log, stderr=log)
        try:
            web.wait_for(address, started, home)
            yield address, psutil.Process(started.pid)
        finally:
            started.terminate()
            started.wait(30)


def first_view(browser: web.Browser, address: str, server: psutil.Process) -> dict[str, float]:
    """One visit by a browser that has nothing of the page yet."""
    before = seconds(server), browser_seconds()
    context = browser.new_context()
    page = context.new_page()
    begun = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.locator("button#ask:enabled").wait_for()
    usable = time.perf_counter() - begun
    page.locator("#summary .hmt-quiet").wait_for()
    filled = time.perf_counter() - begun
    sent = page.evaluate(_SENT)
    painted = page.evaluate(_PAINTED)
    after = seconds(server), browser_seconds()
    context.close()
    return {
        "painted_ms": painted,
        "usable_ms": usable * 1e3,
        "with_library_ms": filled * 1e3,
        "requests": len(sent),
        "sent_kb": sum(sent) / 1e3,
        "server_cpu_ms": (after[0] - before[0]) * 1e3,
        "browser_cpu_ms": (after[1] - before[1]) * 1e3,
    }


def ask(seen: web.Visit, home: Path, number: int) -> float:
    """Milliseconds from the core's first word of its answer of that number to a frame that shows it."""
    seen.page.evaluate(_WATCH, f"answer{number}.")
    seen.ask("Who keeps the mill?")
    shown: float = seen.page.evaluate("window.seen")
    seen.page.locator("#sources .hmt-strip").wait_for()
    seen.page.locator("button#ask:enabled").wait_for()
    return shown - float((home / "first-word").read_text()) * 1e3


def seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def browser_seconds() -> float:
    """Of all of this process's Chromium."""
    found = 0.0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # of a page that was closed
            found += seconds(child) if "chrom" in child.name() else 0.0
    return found


if __name__ == "__main__":
    main()
