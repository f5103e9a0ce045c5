"""The key of an endpoint: from the environment or the system's keyring, never from a file or a flag."""

from __future__ import annotations

import logging
import os

from hmt_qa.types import OPENAI_URL

_log = logging.getLogger(__name__)

KEYRING_SERVICE = "hmt-qa"


def reader_key(url: str) -> str:
    """HMT_QA_READER_KEY; for OpenAI's own address OPENAI_API_KEY too; else what the keyring has for `url`, or ""."""
    names = ("HMT_QA_READER_KEY", "OPENAI_API_KEY") if url == OPENAI_URL else ("HMT_QA_READER_KEY",)
    return next((key for name in names if (key := os.environ.get(name, "").strip())), "") or _from_keyring(url)


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
