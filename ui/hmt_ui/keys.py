"""Secrets from outside: an endpoint's key from environment or keyring, a database's password from a file."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from hmt_qa.errors import LibraryUnusable
from hmt_qa.types import OPENAI_URL

_log = logging.getLogger(__name__)

KEYRING_SERVICE = "hmt-qa"


def reader_key(url: str) -> str:
    """HMT_QA_READER_KEY; for OpenAI's own address OPENAI_API_KEY too; else what the keyring has for `url`, or ""."""
    names = ("HMT_QA_READER_KEY", "OPENAI_API_KEY") if url == OPENAI_URL else ("HMT_QA_READER_KEY",)
    return next((key for name in names if (key := os.environ.get(name, "").strip())), "") or _from_keyring(url)


def with_password(url: str, file: Path) -> str:
    """A database's URL with the password that `file` holds; raises `LibraryUnusable` where it holds none."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        password = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _no_password(file, "cannot be read") from error
    if not password:
        raise _no_password(file, "is empty")
    try:
        return make_url(url).set(password=password).render_as_string(hide_password=False)
    except (ArgumentError, ValueError):
        return url  # whoever opens it says what is wrong with it


def _no_password(file: Path, what: str) -> LibraryUnusable:
    return LibraryUnusable(
        f"The database's password file {file} {what}.",
        subject=file,
        remedy="Write the password into it, or unset HMT_QA_DATABASE_PASSWORD_FILE.",
    )


def _from_keyring(url: str) -> str:
    try:
        import keyring
    except ImportError:
        return ""
    try:
        return keyring.get_password(KEYRING_SERVICE, url) or ""
    except Exception as exc:  # each back end fails in its own way, and most servers have none
        _log.info("keyring_unusable reason=%s", type(exc).__name__)
        return ""
