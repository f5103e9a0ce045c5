"""Which addresses `serve` may bind, and by which names: loopback always, others where everyone logs in."""

from __future__ import annotations

import ipaddress

from hmt_qa.errors import AddressRefused

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def require_safe(host: str, *, login: bool, allow_unauthenticated: bool) -> None:
    """Raise `AddressRefused` for an address that others can reach, where nobody has to log in."""
    if login or allow_unauthenticated or host in LOOPBACK_NAMES:
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise AddressRefused(
            f"{host} can be reached by others and there are no users.",
            subject=host,
            remedy="Add one by `hmt-qa user add NAME`, or bind 127.0.0.1; HMT_QA_ALLOW_UNAUTHENTICATED=1 is for where "
            "something in front decides who may.",
        )
