"""A conversation on the command line: questions from an argument or from standard input, line by line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Unpack

from hmt_qa import DocumentQA
from hmt_qa.errors import HmtQaError, UnknownConversation
from hmt_qa.options import ChatOptions
from hmt_qa.types import Conversation
from hmt_ui import printing

LAST = "last"


def chosen(qa: DocumentQA, asked: str) -> Conversation:
    """The conversation of that id, or the latest for `last`; raises `UnknownConversation`."""
    if asked != LAST:
        return qa.conversation(asked)
    if latest := qa.conversations():
        return latest[0]
    raise UnknownConversation("There is no conversation yet.", subject=asked, remedy="Begin one: hmt-qa chat QUESTION.")


def talk(
    qa: DocumentQA, conversation: Conversation, question: str, *, as_json: bool, **options: Unpack[ChatOptions]
) -> bool:
    """Ask the question, or without one each line of standard input; whether all were answered.

    A line that cannot be answered is one line on stderr and the next goes on; a single question raises. Whatever
    happens, what was answered is kept and how to go on is said; a conversation without an answer is not kept.
    """
    well = True
    try:
        for asked in [question] if question else _questions():
            told = {"conversation": conversation.id, "turn": qa.conversation(conversation.id).turns + 1}
            try:
                printing.answered(qa.chat(conversation.id, asked, **options), as_json=as_json, told=told)
            except HmtQaError as problem:
                if question:
                    raise
                well = False
                print(f"hmt-qa: {printing.printable(str(problem))}", file=sys.stderr)
    finally:
        if qa.conversation(conversation.id).turns:
            print(f"Go on: hmt-qa chat --continue {conversation.id}", file=sys.stderr)
        else:
            qa.remove_conversation(conversation.id)
    return well


def _questions() -> Iterator[str]:
    """Lines of standard input that are not blank; a person at a terminal is prompted."""
    while True:
        if sys.stdin.isatty():
            print("> ", end="", file=sys.stderr, flush=True)
        if not (line := sys.stdin.readline()):
            return
        if line.strip():
            yield line.strip()
