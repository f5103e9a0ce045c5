"""Any LangChain chat model as writer, and the one that speaks to OpenAI-compatible endpoints.

Whatever goes wrong at the other end is one `ReaderFailed`, in our words: a server's may repeat the key.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from hmt_qa.errors import ReaderFailed, ReaderUnknown
from hmt_qa.types import ReaderOptions
from hmt_qa.writers.contract import Request
from hmt_qa.writers.instructions import ANSWER_TOKENS, RULES, heeding_refusal, wording

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk

BYTES_A_TOKEN = 2  # fewer than any usual vocabulary has in prose or code, so that a foreign count never surprises
ANSWER_CHARACTERS = 8_000  # an endpoint that does not stop at the tokens it was given is stopped here
NO_KEY = "none"  # local servers ask for none, the client insists on one
_REFUSALS = {
    400: ("does not take the request", "Check the model's name and its context (HMT_QA_READER_CONTEXT)."),
    401: ("refuses the key", "Set HMT_QA_READER_KEY, or store it: keyring set hmt-qa URL."),
    403: ("refuses the key", "Check what the key in HMT_QA_READER_KEY may use."),
    404: (
        "does not know this address or model",
        "Check HMT_QA_READER_URL (it often ends in /v1) and the model's name.",
    ),
    429: ("has had too many requests, or no credit is left", "Wait a moment, or look at your account."),
}


class ChatWriter:
    """Answers of a LangChain chat model over the passages.

    `context_tokens` bounds what it is sent; an answer that takes longer than `seconds` fails. Where the model
    `says_why_it_ends`, an answer without that word was cut off on its way, and fails too.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        name: str,
        context_tokens: int = 8_192,
        seconds: float = 60,
        says_why_it_ends: bool = False,
    ) -> None:
        self._model = model
        self._name = name
        self._room = context_tokens - ANSWER_TOKENS - _tokens_of(RULES)
        self._seconds = seconds
        self._says_why_it_ends = says_why_it_ends

    @property
    def name(self) -> str:
        """As it was given."""
        return self._name

    def write(self, request: Request) -> Generator[str, None, None]:
        """See `Writer`; raises `ReaderFailed` where the model or its endpoint does."""
        text = wording(request, room=self._room, tokens_of=_tokens_of)
        with closing(self._pieces(text)) as pieces:
            yield from heeding_refusal(pieces)

    def _pieces(self, text: str) -> Generator[str]:
        deadline, left, ended = monotonic() + self._seconds, ANSWER_CHARACTERS, not self._says_why_it_ends
        stream = cast("Generator[AIMessageChunk]", self._model.stream([("system", RULES), ("human", text)]))
        try:
            with closing(stream):
                for chunk in stream:
                    _require_before(deadline)
                    ended = ended or bool(chunk.response_metadata.get("finish_reason"))
                    if piece := str(chunk.text)[:left]:
                        left -= len(piece)
                        yield piece
                    if not left:
                        return
        except Exception as exc:  # every provider has errors of its own
            raise self._translated(exc) from None  # its own words may hold the key
        if not ended:
            raise self._failed("broke off in the middle", "Ask again.")

    def _translated(self, exc: Exception) -> ReaderFailed:
        kinds = {kind.__name__ for kind in type(exc).__mro__}
        status = getattr(exc, "status_code", None)
        if status in _REFUSALS:
            return self._failed(*_REFUSALS[status])
        if isinstance(status, int):
            return self._failed(f"answers with status {status}", "Try again later, or choose another reader.")
        if kinds & {"APITimeoutError", "TimeoutException", "TimeoutError"}:
            return self._failed(
                f"did not answer within {self._seconds:g} seconds", "Try again, or set HMT_QA_READER_SECONDS."
            )
        if kinds & {"APIConnectionError", "TransportError", "ConnectionError"}:
            return self._failed("cannot be reached, or broke off", "Check HMT_QA_READER_URL and the network.")
        return self._failed(
            f"answers with something that is no chat completion ({type(exc).__name__})", "Check HMT_QA_READER_URL."
        )

    def _failed(self, what: str, remedy: str) -> ReaderFailed:
        return ReaderFailed(f"The reader {self._name} {what}.", subject=self._name, remedy=remedy)


def openai_writer(model: str, options: ReaderOptions) -> ChatWriter:
    """The model of that name at the options' endpoint. Raises `ReaderUnknown` where its library or address is wrong."""
    _require_address(options.base_url)
    try:
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr
    except ImportError as exc:
        raise ReaderUnknown(
            "Endpoints need langchain-openai, which is not installed.",
            subject=model,
            remedy="Install it: pip install 'hmt-qa[reader]'.",
        ) from exc
    chat = ChatOpenAI(
        model=model,
        base_url=options.base_url,
        api_key=SecretStr(options.key or NO_KEY),
        timeout=options.seconds,
        max_retries=0,
        temperature=0,
        max_completion_tokens=ANSWER_TOKENS,
        stream_usage=False,  # a question that some servers answer with an error
        use_responses_api=False,
    )
    return ChatWriter(
        chat,
        name=f"openai:{model}",
        context_tokens=options.context_tokens,
        seconds=options.seconds,
        says_why_it_ends=True,
    )


def _require_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ReaderUnknown(
            "The reader's address is no http(s) URL.", subject=parts.hostname, remedy="Correct HMT_QA_READER_URL."
        )
    if parts.username or parts.password or parts.query:
        raise ReaderUnknown(
            "The reader's address holds a name, a password or a query.",
            subject=parts.hostname,
            remedy="Keep the key in HMT_QA_READER_KEY or the keyring, and the plain address in HMT_QA_READER_URL.",
        )


def _require_before(deadline: float) -> None:
    """A server that keeps sending is within every timeout of the connection: the whole has one too."""
    if monotonic() > deadline:
        raise TimeoutError


def _tokens_of(text: str) -> int:
    return len(text.encode()) // BYTES_A_TOKEN + 1
