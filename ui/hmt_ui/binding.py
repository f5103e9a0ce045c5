"""Which addresses `serve` may bind, and by which names: loopback always, others where the user says so."""

from __future__ import annotations

import ipaddress

from hmt_qa.errors import HmtQaError

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def require_safe(host: str, *, allow_unauthenticated: bool) -> None:
    """Raise `HmtQaError` for an address that others can reach: this version has no login."""
    if allow_unauthenticated or host in LOOPBACK_NAMES:
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise HmtQaError(
            f"{host} can be reached by others and this version has no login.",
            subject=host,
            remedy="Bind 127.0.0.1, or set HMT_QA_ALLOW_UNAUTHENTICATED=1 where something in front decides who may.",
        )
