"""Names and passwords to log in with; the one file that knows argon2."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hmt_qa.errors import UserUnsuited
from hmt_qa.ownership import USER

SHORTEST, LONGEST = 10, 256
_hasher = PasswordHasher()  # the library's own parameters follow RFC 9106
_NOBODY = _hasher.hash("a password that nobody has")


def check_name(name: str) -> str:
    """The name itself; raises `UserUnsuited`."""
    if not USER.fullmatch(name):
        raise UserUnsuited(
            f"{name!r} is no user's name.",
            subject=name,
            remedy="Use 1 to 32 of a-z, 0-9, dot, dash and underscore, a letter or digit first.",
        )
    return name


def hashed(password: str) -> str:
    """What may be stored of a password; raises `UserUnsuited` for a short or overlong one."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UserUnsuited(f"A password has {SHORTEST} to {LONGEST} characters.", remedy="Choose another.")
    return _hasher.hash(password)


def matches(password: str, stored: str | None) -> bool:
    """Whether `stored` is the hash of `password`. It takes as long where there is none: so names cannot be probed."""
    try:
        _hasher.verify(stored or _NOBODY, password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None
