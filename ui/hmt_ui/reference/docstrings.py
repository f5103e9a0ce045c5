"""What the book says: modules, classes and functions with their signatures and docstrings; knows no layout."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import textwrap
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import ModuleType

# In the order of the library reference. They import without side effects; one that this Python lacks is left out.
MODULES = tuple(
    """
    string re difflib textwrap unicodedata struct codecs datetime calendar collections heapq bisect array weakref types
    copy pprint enum graphlib numbers math cmath decimal fractions random statistics itertools functools operator
    pathlib os.path fileinput stat filecmp tempfile glob fnmatch shutil pickle shelve sqlite3 zlib gzip bz2 lzma zipfile
    tarfile csv configparser tomllib plistlib hashlib hmac secrets os io time argparse logging logging.handlers getpass
    platform errno threading multiprocessing concurrent.futures subprocess sched queue contextvars asyncio socket ssl
    select selectors signal mmap email email.message email.policy json mailbox mimetypes base64 binascii html
    html.parser xml.etree.ElementTree xml.dom.minidom xml.sax.handler webbrowser urllib.request urllib.parse
    urllib.robotparser http http.client ftplib poplib imaplib smtplib uuid socketserver http.server http.cookies
    http.cookiejar xmlrpc.client ipaddress wave colorsys gettext locale cmd shlex typing pydoc doctest unittest
    unittest.mock bdb faulthandler pdb timeit trace tracemalloc venv zipapp sys sysconfig builtins warnings dataclasses
    contextlib abc atexit traceback gc inspect site code codeop zipimport pkgutil modulefinder runpy importlib
    importlib.metadata ast symtable token keyword tokenize tabnanny pyclbr py_compile compileall dis pickletools
    """.split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing the library documents. `kind` is "module", "class", "function" or "method"."""

    kind: str
    name: str
    signature: str
    text: str


def import_module(name: str) -> ModuleType | None:
    """The module, or None where this interpreter lacks it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated modules say so when imported
        try:
            return importlib.import_module(name)
        except ImportError:
            return None


def entries(name: str, module: ModuleType, seen: set[str]) -> Iterator[Entry]:
    """The module, then its public classes with their methods and its functions, by name.

    Docstrings in `seen` are skipped and new ones are added to it: what is inherited or shared is printed once.
    """
    yield Entry(kind="module", name=name, signature="", text=_own_text(module, seen))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated names say so when touched
        public = {public_name: getattr(module, public_name, None) for public_name in _public_names(name, module)}
    for short, thing in sorted(public.items()):
        if getattr(thing, "__name__", short) in public.keys() - {short}:
            continue  # an alias of another public name
        if inspect.isclass(thing):
            methods = list(_methods(short, thing, seen))
            text = _own_text(thing, seen)
            if text or methods:
                yield Entry(kind="class", name=short, signature=_signature(thing), text=text)
                yield from methods
        elif inspect.isroutine(thing) and (text := _own_text(thing, seen)):
            yield Entry(kind="function", name=f"{name}.{short}", signature=_signature(thing), text=text)


def _public_names(name: str, module: ModuleType) -> Iterable[str]:
    if hasattr(module, "__all__"):
        return set(module.__all__)
    root = name.split(".", maxsplit=1)[0]

    def belongs(thing: object) -> bool:  # C accelerators call themselves _bisect where the library says bisect
        return str(getattr(thing, "__module__", "")).split(".")[0].lstrip("_") == root

    return [short for short, thing in vars(module).items() if not short.startswith("_") and belongs(thing)]


def _methods(owner: str, kind: type, seen: set[str]) -> Iterator[Entry]:
    for short, raw in sorted(vars(kind).items()):
        bound = isinstance(raw, (classmethod, staticmethod))
        if short.startswith("_") or not (bound or inspect.isroutine(raw) or isinstance(raw, property)):
            continue
        thing = raw.__func__ if bound else raw
        if text := _own_text(thing, seen):
            signature = (
                "" if isinstance(raw, property) else _signature(thing, drop_first=not isinstance(raw, staticmethod))
            )
            yield Entry(kind="method", name=f"{owner}.{short}", signature=signature, text=text)


def _own_text(thing: object, seen: set[str]) -> str:
    own = vars(thing).get("__doc__") if inspect.isclass(thing) else getattr(thing, "__doc__", None)
    text = _printable(inspect.getdoc(thing) or "") if isinstance(own, str) else ""
    if text in seen:
        return ""
    seen.add(text)
    return text


def _signature(thing: Callable[..., object], *, drop_first: bool = False) -> str:
    try:
        signature = inspect.signature(thing)
    except (ValueError, TypeError):  # written in C without one: the docstring's first line has it
        return ""
    parameters = list(signature.parameters.values())[1 if drop_first else 0 :]
    shown = signature.replace(parameters=[item.replace(default=_default(item.default)) for item in parameters])
    return textwrap.shorten(_printable(str(shown)), 400, placeholder=" ...)")


class _Shown(str):
    """Text that a signature prints without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _default(value: object) -> object:
    """The value as it may be printed: live objects and paths differ from one process or machine to the next."""
    if isinstance(value, type):
        return value if value is inspect.Parameter.empty else _Shown(value.__name__)
    if not isinstance(value, (str, bytes, int, float, complex, tuple, type(None))) or isinstance(value, Enum):
        return _Shown("...")
    return _Shown("...") if str(value).startswith((sys.prefix, sys.base_prefix)) else value


def _printable(text: str) -> str:
    """The text in characters the standard PDF fonts have (Windows-1252), without addresses of objects."""
    text = re.sub(r" at 0x[0-9A-Fa-f]+", "", text)
    return "".join(_glyphs(character) for character in text.expandtabs())


@cache
def _glyphs(character: str) -> str:
    if character == "\n" or " " <= character <= "~":
        return character
    if unicodedata.category(character) in {"Cc", "Cf"}:
        return ""
    if "\u2500" <= character <= "\u257f":  # box drawings: trees and tables keep their shape
        return {"\u2500": "-", "\u2502": "|"}.get(character, "+")
    for spelling in (character, unicodedata.normalize("NFKC", character), unicodedata.normalize("NFKD", character)):
        known = spelling.encode("cp1252", "ignore").decode("cp1252").replace("\xa0", " ")
        if known:
            return known
    return f"U+{ord(character):04X}"
