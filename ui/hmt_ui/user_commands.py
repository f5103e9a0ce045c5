"""Commands about who may log in: user add, ls, rm, password, token."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hmt_qa.errors import UserUnsuited
from hmt_qa.types import KeyKind
from hmt_ui import user_printing
from hmt_ui.compose import open_with
from hmt_ui.options import Home, Json

DAY_SECONDS = 86_400.0

Name = Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9, dot, dash, underscore.")]
users = typer.Typer(help="Who may log in to `serve`. Once there are users, everyone logs in.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.add_typer(users, name="user")


@users.command("add")
def add(name: Name, home: Home = None, as_json: Json = False) -> None:
    """Add a user. The password is asked for, or read as one line from standard input."""
    from hmt_ui.passwords import check_name, hashed

    check_name(name)
    kept = hashed(_password())
    with open_with(home=home) as qa:
        user_printing.users([qa.library.users.add(name, password_hash=kept)], as_json=as_json)


@users.command("ls")
def list_users(home: Home = None, as_json: Json = False) -> None:
    """List users."""
    with open_with(home=home) as qa:
        user_printing.users(qa.library.users.all(), as_json=as_json)


@users.command("rm")
def remove(name: Name, home: Home = None, as_json: Json = False) -> None:
    """Delete a user with sessions, tokens and conversations. Documents stay, in the collections NAME/…"""
    with open_with(home=home) as qa:
        left = sum(document.collection.startswith(f"{name}/") for document in qa.documents())
        user_printing.removed(qa.library.users.remove(name), documents=left, as_json=as_json)


@users.command("password")
def password(name: Name, home: Home = None, as_json: Json = False) -> None:
    """Give a user another password, which ends the sessions there are."""
    from hmt_ui.passwords import hashed

    kept = hashed(_password())
    with open_with(home=home) as qa:
        user_printing.users([qa.library.users.set_password(name, kept)], as_json=as_json)


@users.command("token")
def token(
    name: Name,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is good for.")] = 90,
    show_list: Annotated[bool, typer.Option("--list", help="List the user's tokens, without their secrets.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Make all of the user's tokens worthless.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a token for a program, which sends it as `Authorization: Bearer TOKEN`. It is shown this once."""
    with open_with(home=home) as qa:
        known = qa.library.users
        if show_list:
            user_printing.tokens(known.keys(name, KeyKind.TOKEN), as_json=as_json)
        elif revoke:
            user_printing.revoked(name, known.revoke_all(name, KeyKind.TOKEN), as_json=as_json)
        else:
            secret = known.issue(name, KeyKind.TOKEN, label=label, seconds=days * DAY_SECONDS)
            user_printing.token(name, secret, as_json=as_json)


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UserUnsuited("No password was given.", remedy="Write it as one line to standard input.")
    return line
