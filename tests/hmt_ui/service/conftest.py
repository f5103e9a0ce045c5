"""The real server on a port of its own in this process, with a tiny random model; one open, one with two users."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from hmt_ingest.pipeline import FileIngestor
from hmt_qa import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.types import KeyKind, ParsingLimits
from hmt_qa.writers.contract import Request
from hmt_storage.library import SqlLibrary
from hmt_ui.passwords import hashed
from hmt_ui.service.limits import Limits
from hmt_ui.service.server import running
from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt
from tests.hmt_ui.papers import pdf
from tests.threads import one_thread  # noqa: F401 (a fixture of all tests here)

PATIENCE_SECONDS = 60.0
PASSWORD = "correct horse battery"  # noqa: S105 - of this test's users
USUAL = Limits()
SAYS = ("It is kept ", "by Odile.")
MILL = "The mill is kept by Odile. " * 12


@pytest.fixture(scope="package")
def engine(tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    model = tiny_hmt(
        "qwen3",
        backbone={"vocab_size": 16384, "max_position_embeddings": 512},
        segment_length=64,
        sensory_length=4,
        recall_window=3,
        memories_per_segment=2,
        recall_size=32,
    )
    folder = save_with_tokenizer(model, tmp_path_factory.mktemp("checkpoints") / "tiny")
    return LocalEngine(folder, device="cpu", dtype="float32")


class Parrot:
    """A writer that says the same to everything, at once: a random model would write nonsense to its last token."""

    name = "parrot"

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = pieces

    def write(self, request: Request) -> Generator[str]:
        yield from self._pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running server: its address, its home, and the library behind it."""

    address: str
    home: Path
    qa: DocumentQA

    def client(self, token: str = "", **options: object) -> httpx.Client:
        """A client, of the token's owner where one is given."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.address, headers=headers, timeout=PATIENCE_SECONDS, **options)  # type: ignore[arg-type]

    def token(self, user: str) -> str:
        return self.qa.library.users.issue(user, KeyKind.TOKEN, label="test", seconds=3600)


@contextmanager
def service(
    engine: LocalEngine,
    home: Path,
    *users: str,
    limits: Limits = USUAL,
    says: Iterable[str] = SAYS,
    parsing: ParsingLimits = ParsingLimits(),  # noqa: B008 (frozen)
) -> Iterator[Service]:
    library = SqlLibrary.open(home)
    qa = DocumentQA(library=library, engine=engine, ingestor=FileIngestor(), reader=Parrot(says))
    for user in users:
        qa.library.users.add(user, password_hash=hashed(PASSWORD))
    where = {"host": "127.0.0.1", "port": 0, "uploads": home / "uploads"}
    with qa, running(qa, **where, limits=limits, parsing=parsing) as address:  # type: ignore[arg-type]
        yield Service(address=address, home=home, qa=qa)


def upload(client: httpx.Client, name: str, content: bytes | str, **form: str) -> dict[str, object]:
    """Upload a file and wait until it can be asked; what the list says of it."""
    kept = client.post("/api/v1/documents", files={"file": (name, content)}, data=form)
    assert kept.status_code == 202, kept.text
    file = kept.json()["file"]
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        for document in client.get("/api/v1/documents").json()["documents"]:
            if document["file"] == file:
                return dict(document)
        time.sleep(0.05)
    raise AssertionError(client.get("/api/v1/jobs").text)


@pytest.fixture(scope="package")
def live(engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server without users that holds a text and a PDF."""
    with service(engine, tmp_path_factory.mktemp("live")) as running_one:
        with running_one.client() as client:
            upload(client, "mill.txt", MILL)
            upload(client, "report.pdf", pdf(3, "The report", sentence="The ferry leaves at noon."))
        yield running_one


@pytest.fixture
def client(live: Service) -> Iterator[httpx.Client]:
    with live.client() as opened:
        yield opened


@pytest.fixture(scope="package")
def guarded(engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server with the users alice, who has a document, and bob, who has none."""
    with service(engine, tmp_path_factory.mktemp("guarded"), "alice", "bob") as running_one:
        with running_one.client(running_one.token("alice")) as client:
            upload(client, "secret.pdf", pdf(2, "Alice's plan", sentence="The vault opens at four."))
        yield running_one


@pytest.fixture(autouse=True, scope="package")
def event_loops() -> Iterator[None]:
    """Closes the event loops that Gradio makes with each page and leaves behind."""
    made: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        made.append(new_event_loop())
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "new_event_loop", remembered)
        yield
    asyncio.set_event_loop(None)
    for loop in made:
        loop.close()
