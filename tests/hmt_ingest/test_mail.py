"""E-mails as programs save them."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from hmt_qa.errors import CorruptFile
from tests.hmt_ingest.opened import read, texts


def message(subject: str = "Grüße aus dem Wald") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ada <ada@example.org>", "eule@example.org", subject
    made["Date"] = "Mon, 06 Jan 2025 10:00:00 +0100"
    return made


def saved(made: EmailMessage, path: Path) -> Path:
    path.write_bytes(bytes(made))
    return path


def test_headers_stand_above_the_text(tmp_path):
    made = message()
    made.set_content("Der Käuz ruft.\n")
    source, (page,) = read(saved(made, tmp_path / "a.eml"))
    assert page.text == (
        "From: Ada <ada@example.org>\nTo: eule@example.org\nDate: Mon, 06 Jan 2025 10:00:00 +0100\n"
        "Subject: Grüße aus dem Wald\n\nDer Käuz ruft.\n"
    )
    assert (source.title, page.label) == ("Grüße aus dem Wald", "message")


def test_plain_text_wins_over_html_and_html_is_read_where_it_is_alone(tmp_path):
    made = message()
    made.set_content("plain words\n")
    made.add_alternative("<p>html words", subtype="html")
    assert "html" not in texts(saved(made, tmp_path / "a.eml"))[0][1]
    alone = message()
    alone.set_content("<p>html <b>words</b>", subtype="html")
    assert texts(saved(alone, tmp_path / "b.eml"))[0][1].endswith("\n\nhtml words\n")


def test_attached_texts_and_messages_are_read_and_others_named(tmp_path):
    inner = message("The inner one")
    inner.set_content("within\n")
    made = message()
    made.set_content("See below.\n")
    made.add_attachment("a,b\n1,2\n", filename="table.csv", subtype="csv")
    made.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="owl.png")
    made.add_attachment(inner)
    pages = texts(saved(made, tmp_path / "a.eml"))
    assert [label for label, _ in pages] == ["message", "table.csv", "attached message: The inner one"]
    assert "Attachment: table.csv\nAttachment: owl.png\n" in pages[0][1]
    assert pages[1][1] == "a,b\n1,2\n"
    assert pages[2][1].endswith("within\n")


def test_odd_encodings_and_broken_headers_are_survived(tmp_path):
    path = tmp_path / "a.eml"
    path.write_bytes(
        b"From: =?unknown-8bit?q?Ad=E4?= <a@b>\nSubject: caf\xe9 =?utf-8?b?//8=?=\nDate: never\n"
        b"Content-Type: text/plain; charset=no-such\nContent-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe\n"
    )
    assert "Grüße" in texts(path)[0][1]


def test_what_has_no_header_is_no_mail(tmp_path):
    path = tmp_path / "a.eml"
    path.write_text("just words\n")
    with pytest.raises(CorruptFile, match="no e-mail"):
        read(path)
