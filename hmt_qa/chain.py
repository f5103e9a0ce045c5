"""The hash chain over a document's segments: equal ids mean equal text read so far by the same model."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence


def first_state_id(model_id: str) -> str:
    """The chain's id before any segment (hex, 64 digits)."""
    return hashlib.sha256(b"hmt-qa state 1\0" + model_id.encode()).hexdigest()


def next_state_id(state_id: str, token_ids: Sequence[int], model_id: str) -> str:
    """H(previous state id, segment ids, model id), hex."""
    ids = struct.pack(f"<{len(token_ids)}I", *token_ids)
    return hashlib.sha256(bytes.fromhex(state_id) + ids + b"\0" + model_id.encode()).hexdigest()
