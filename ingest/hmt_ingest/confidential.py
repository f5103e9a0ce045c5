"""Files that hold keys and passwords: left out of folders, for what is read may be quoted."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

_NAMES = (
    *".env .env.* *.env .envrc id_rsa* id_dsa* id_ecdsa* id_ed25519* *.pem *.key *.p12 *.pfx *.p8 *.ppk *.jks "
    "*.keystore *.kdbx *.kdb *.gpg *.ovpn client_secret*.json service-account*.json service_account*.json "
    "*credentials.json .netrc _netrc .pgpass .my.cnf .pypirc .npmrc .htpasswd .git-credentials .dockercfg kubeconfig "
    ".s3cfg .boto .vault-token *.tfstate *.tfstate.backup *.tfvars .terraformrc wallet.dat .bash_history .zsh_history "
    ".python_history".split(),
    # As data; `secrets.py` is a program.
    *map("".join, product("credential credentials secret secrets passwords".split(),
                          ("", *".json .yaml .yml .toml .ini .cfg .txt .csv .xml .properties".split()))),
)  # fmt: skip
_FOLDERS = frozenset(".ssh .gnupg .aws .azure .kube .docker .password-store".split())
# Meant to be shared: examples, and the public half of a key.
_SHARED = ("*.example", "*.sample", "*.template", "*.dist", "*.defaults", "*.pub", "*.md", "*.rst")
_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")


def named_like_secrets(path: Path) -> bool:
    """Whether a file's name, or that of its folder, says that it holds secrets."""
    name = path.name.lower()
    if any(fnmatchcase(name, pattern) for pattern in _SHARED):
        return False
    return path.parent.name.lower() in _FOLDERS or any(fnmatchcase(name, pattern) for pattern in _NAMES)


def holds_a_key(head: bytes) -> bool:
    """Whether a file that begins so holds a private key."""
    return _KEY.search(head) is not None
