"""E-mails: the message with its headers, then messages and texts attached to it; other attachments are named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import default
from pathlib import Path

from hmt_ingest.readers.parts import Part, PartedText, content_of, parted
from hmt_ingest.refusals import corrupt

_HEADERS = ("From", "To", "Cc", "Date", "Subject")


class MailReader:
    """Reads e-mails as mail programs save them."""

    name = "mail"
    suffixes = frozenset({".eml"})
    libraries = ("email.policy", "hmt_ingest.readers.markup")

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[PartedText]:
        """Read `path` whole; raises `FileMissing`, or `CorruptFile` for what is no e-mail."""
        message = message_from_bytes(content_of(path), _class=EmailMessage, policy=default)
        if not any(name in message for name in _HEADERS):
            raise corrupt(path, "it is no e-mail")
        yield parted(path, _parts(message, "message"), title=_header(message, "Subject"), media_type="message/rfc822")


def _parts(message: MIMEPart, label: str) -> Iterator[Part]:
    attachments = list(message.iter_attachments()) if message.is_multipart() else []
    named = [f"Attachment: {_name(part)}" for part in attachments]
    headers = [f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))]
    yield Part(label=label, text="\n".join([*headers, "", _body(message), "", *named]))
    for part in attachments:
        if part.get_content_type() == "message/rfc822":
            for inner in part.iter_parts():
                yield from _parts(inner, f"attached message: {_header(inner, 'Subject')}")
        elif part.get_content_maintype() == "text":
            yield Part(label=_name(part), text=_content(part))


def _body(message: MIMEPart) -> str:
    """The plain text of a message, else what its HTML says."""
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        if body is not None and (text := _content(body)).strip():
            return text
    return ""


def _content(part: MIMEPart) -> str:
    try:
        text = part.get_content()
    except (LookupError, ValueError):  # an encoding that is unknown, or no text after all
        text = part.get_payload(decode=True)
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if part.get_content_subtype() == "html":
        from hmt_ingest.readers.markup import plain_text

        return plain_text(text)
    return str(text)


def _name(part: MIMEPart) -> str:
    return " ".join((part.get_filename() or part.get_content_type()).split())


def _header(message: MIMEPart, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())
