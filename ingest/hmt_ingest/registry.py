"""Which reader a file gets: by its first bytes, then by its suffix, else it is tried as text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from hmt_ingest.fingerprint import missing
from hmt_ingest.naming import shown
from hmt_qa.errors import UnsupportedFile
from hmt_qa.ports import Reader

PDF_MAGIC = b"%PDF-"
_GROUP = "hmt_qa.readers"


@dataclass(frozen=True, slots=True)
class Registry:
    """The readers that are installed, by name."""

    readers: dict[str, Reader]

    def reader_for(self, path: Path) -> Reader:
        """The reader for `path`; raises `FileMissing` or `UnsupportedFile`.

        What begins like a PDF is one whatever its suffix. An unknown suffix, or none, is tried as text: the text reader
        itself refuses binary content.
        """
        try:
            with path.open("rb") as stream:
                begins_as_pdf = stream.read(len(PDF_MAGIC)) == PDF_MAGIC
        except OSError as problem:
            raise missing(path, problem) from problem
        name = "pdf" if begins_as_pdf else self._name_by_suffix(path.suffix.lower())
        if (reader := self.readers.get(name)) is None:
            raise UnsupportedFile(
                f"No reader named {name!r} is installed for {shown(path)}.",
                subject=shown(path),
                remedy="Reinstall hmt-qa.",
            )
        return reader

    def claims(self, suffix: str) -> bool:
        """Whether a reader other than the one for text says that files with `suffix` (lower case) are its own."""
        return self._name_by_suffix(suffix) != "text"

    def _name_by_suffix(self, suffix: str) -> str:
        claiming = (name for name, reader in self.readers.items() if name != "text" and suffix in reader.suffixes)
        return next(claiming, "text")


@cache
def installed_readers() -> Registry:
    """The readers of all installed packages (entry point group `hmt_qa.readers`), in the order of their names."""
    found = sorted(entry_points(group=_GROUP), key=lambda point: point.name)
    return Registry({point.name: point.load()() for point in found})
