"""Readers that misbehave in one way each; they run in children of the fork server, never in the tests' own process."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hmt_qa.errors import EncryptedFile
from hmt_qa.types import Page, TextBox


@dataclass
class Said:
    """A document of these texts."""

    texts: Iterator[str]
    title: str = "A title"
    media_type: str = "text/odd"
    page_count: int = 0

    def __iter__(self) -> Iterator[Page]:
        for number, text in enumerate(self.texts, start=1):
            yield Page(number=number, label=f"p{number}", text=text)


class OddReader:
    """Reads nothing: its pages are made up."""

    name = "odd"
    suffixes = frozenset({".odd"})

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[Said]:
        yield Said(self.texts(path))

    def texts(self, path: Path) -> Iterator[str]:
        raise NotImplementedError


class Echoing(OddReader):
    """Opens the file itself, password and all."""

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[Said]:
        if password != "sesame":  # noqa: S105
            raise EncryptedFile(f"{path.name} is encrypted.", subject=path, remedy="Give the word.")
        lines = path.read_text().splitlines(keepends=True)
        yield Said(iter(lines), page_count=len(lines))


class Telling(OddReader):
    """Tells about the process it runs in."""

    def texts(self, path: Path) -> Iterator[str]:
        about = {
            "modules": sorted({"torch", "transformers", "sqlalchemy", "numpy", "hmt_storage"} & set(sys.modules)),
            "environment": dict(os.environ),
            "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if "RLIMIT" in name},
            "pid": os.getpid(),
            "group": os.getpgid(0),
            "files": sorted(int(file.name) for file in Path("/proc/self/fd").iterdir()),
        }
        yield json.dumps(about) + "\n"


class Sleeping(OddReader):
    """Gives a page, its process's id and that of a program it started; then nothing."""

    def texts(self, path: Path) -> Iterator[str]:
        other = subprocess.Popen(["sleep", "1000"])
        yield f"{os.getpid()} {other.pid}\n"
        time.sleep(1_000)


class Spinning(OddReader):
    """Gives two pages, then computes for ever."""

    def texts(self, path: Path) -> Iterator[str]:
        yield "one\n"
        yield "two\n"
        while True:
            pass


class Diligent(OddReader):
    """Works a while for each of its pages: more than one page may take, though not one page does."""

    def texts(self, path: Path) -> Iterator[str]:
        for number in range(4):
            until = time.process_time() + 0.7
            while time.process_time() < until:
                pass
            yield f"{number}\n"


class Hungry(OddReader):
    """Takes memory until there is none."""

    def texts(self, path: Path) -> Iterator[str]:
        held = []
        while True:
            held.append(bytearray(10_000_000))
        yield ""


class Stumbling(OddReader):
    """Gives a page and raises what no reader should."""

    def texts(self, path: Path) -> Iterator[str]:
        yield "one\n"
        raise KeyError("/Resources")


class Crashing(OddReader):
    """Gives a page and dies as a broken library dies."""

    def texts(self, path: Path) -> Iterator[str]:
        yield "one\n"
        os.kill(os.getpid(), signal.SIGSEGV)


class Leaving(OddReader):
    """Gives a page and is gone, without a word."""

    def texts(self, path: Path) -> Iterator[str]:
        yield "one\n"
        os._exit(3)


class Abandoning(OddReader):
    """Starts a program, tells its id, and is gone."""

    def texts(self, path: Path) -> Iterator[str]:
        yield f"{subprocess.Popen(['sleep', '1000']).pid}\n"
        os._exit(0)


class Babbling(OddReader):
    """Gives a page, then what is no frame."""

    def texts(self, path: Path) -> Iterator[str]:
        yield "one\n"
        socket.socket(fileno=os.dup(3)).sendall(b"Z\xff\xff\xff\xff and so on")
        time.sleep(1_000)


class Skipping(OddReader):
    """Gives page 1, then page 3."""

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[Said]:
        said = Said(iter(()))
        pages = [Page(number=number, label="", text="x\n") for number in (1, 3)]
        said.__class__ = type("Skipped", (Said,), {"__iter__": lambda self: iter(pages)})
        yield said


class Writing(OddReader):
    """Tries to write over the file it reads."""

    def texts(self, path: Path) -> Iterator[str]:
        with path.open("r+") as file:
            file.write("mine now")
        yield "done\n"


class Endless(OddReader):
    """Pages without end, each with how many there were before it and when it was made."""

    def texts(self, path: Path) -> Iterator[str]:
        count = 0
        while True:
            yield f"{count} {time.monotonic()} " + "x" * 1_000 + "\n"
            count += 1


class Blank(OddReader):
    """As many pages without text as the file says, then one with text."""

    def texts(self, path: Path) -> Iterator[str]:
        yield from [""] * int(path.read_text())
        yield "text\n"


class Swelling(OddReader):
    """A page as long as the file says."""

    def texts(self, path: Path) -> Iterator[str]:
        yield "x" * int(path.read_text())


class Boasting(OddReader):
    """Claims two billion pages."""

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[Said]:
        yield Said(iter(()), page_count=2_000_000_000)


class Boxed(OddReader):
    """One page with everything a page may have."""

    PAGE = Page(
        number=1,
        label="iv \udce9",
        text="Größe \ud800 und \0 Maß 😀\n",
        width=612.5,
        height=792.25,
        boxes=(TextBox(char_start=0, char_end=5, left=1.01, bottom=2.5, right=33.33, top=14.75),),
        borders=(0, 6),
        unread="a picture",
    )

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[Said]:
        said = Said(iter(()), title="half \ud800 a title", page_count=1)
        said.__class__ = type("Boxes", (Said,), {"__iter__": lambda self: iter((Boxed.PAGE,))})
        yield said
