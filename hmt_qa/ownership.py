"""Whose a collection is: one that belongs to a user is stored as `USER/NAME`, and seen by that user as `NAME`."""

from __future__ import annotations

import re

USER = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
"""What a user's name looks like: never with the slash that ends it."""


def stored(owner: str, collection: str) -> str:
    """The name under which a user's collection is kept; without an owner, the name itself."""
    return f"{owner}/{collection}" if owner else collection


def seen(owner: str, collection: str) -> str:
    """The inverse of `stored`, for a collection that the user owns."""
    return collection.removeprefix(f"{owner}/") if owner else collection


def owns(owner: str, collection: str) -> bool:
    """Whether a stored collection is the user's; without an owner, every one is."""
    return not owner or collection.startswith(f"{owner}/")
