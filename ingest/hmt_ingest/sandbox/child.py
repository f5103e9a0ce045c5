"""The process that reads one document: limits first, then pages until the end or a problem."""

from __future__ import annotations

import resource
import socket
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from hmt_ingest.refusals import corrupt
from hmt_ingest.sandbox import verdict, wire
from hmt_ingest.sandbox.limits import grant_page, impose, ran_out
from hmt_qa.errors import FileProblem
from hmt_qa.ports import Reader, SourceText
from hmt_qa.types import ParsingLimits

_CHARACTERS_AT_LEAST = 10_000_000
_BLANK_PAGES = 10_000  # in a row: until text comes, we have to keep them all
_CHARACTERS_A_BYTE = 200  # text packs to a twentieth, tables to a fiftieth; what packs better was made to


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which document to read with which reader: `reader` is the reader's class as `module:name`."""

    reader: str
    path: str
    password: str | None
    limits: ParsingLimits

    def as_json(self) -> dict[str, Any]:
        """Plain values only."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Self:
        """The inverse of `as_json`."""
        given = {field.name: said[field.name] for field in fields(cls)}
        return cls(**(given | {"limits": ParsingLimits(**said["limits"])}))


def reader_name(reader: Reader) -> str:
    """How another process finds the class of `reader`."""
    return f"{type(reader).__module__}:{type(reader).__qualname__}"


def find_reader(name: str) -> Reader:
    """The inverse of `reader_name`: a reader of that class, its own modules imported."""
    module, _, attribute = name.partition(":")
    reader: Reader = getattr(import_module(module), attribute)()
    return reader


def read(order: Order, channel: socket.socket) -> None:
    """Send the document to `channel`; whatever goes wrong is said there too."""
    path = Path(order.path)
    impose(order.limits)
    try:
        reader = find_reader(order.reader)
        with reader.open(path, password=order.password) as text:
            _send_pages(path, text, channel.sendall, order.limits)
        channel.sendall(wire.frame(b"E"))
    except BrokenPipeError:
        return  # nobody listens any more
    except FileProblem as problem:
        _send_problem(channel, problem)
    except MemoryError:
        _send_problem(channel, verdict.hunger(path, order.limits))
    except Exception as problem:  # format libraries raise whatever they stumble over
        lacking = ran_out(order.limits, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        why = verdict.hunger(path, order.limits) if lacking else corrupt(path, _stumbled(problem))
        _send_problem(channel, why)


def _stumbled(problem: Exception) -> str:
    where = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__} while parsing ({Path(where.filename).name}:{where.lineno})"


def _send_pages(path: Path, text: SourceText, send: Callable[[bytes], None], limits: ParsingLimits) -> None:
    if text.page_count > wire.MAX_PAGES:
        raise verdict.stopped(path, f"claims to have {text.page_count:,} pages")
    send(wire.header_frame(wire.Header(title=text.title, media_type=text.media_type, page_count=text.page_count)))
    left = _CHARACTERS_AT_LEAST + _CHARACTERS_A_BYTE * path.stat().st_size
    blank = 0
    for page in text:
        left -= len(page.text)
        blank = 0 if page.text else blank + 1
        if left < 0:
            raise verdict.stopped(path, "unpacks to far more text than its size allows for")
        if blank > _BLANK_PAGES:
            raise verdict.stopped(path, f"has more than {_BLANK_PAGES:,} pages in a row without text")
        if len(page.text) > wire.MAX_CHARACTERS or len(page.boxes) > wire.MAX_BOXES:
            raise verdict.stopped(path, f"has more text on page {page.number} than anybody sets on one")
        send(wire.page_frame(page))
        grant_page(limits)


def _send_problem(channel: socket.socket, problem: FileProblem) -> None:
    said = wire.Problem(kind=type(problem).__name__, message=problem.message, remedy=problem.remedy)
    with suppress(BrokenPipeError):
        channel.sendall(wire.problem_frame(said))
