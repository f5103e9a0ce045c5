"""OpenAI's form, asked by OpenAI's own client."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import openai
import pytest

from hmt_qa.writers.contract import Request
from tests.hmt_ui.service.conftest import SAYS, Parrot, Service, upload

ASKED = [
    {"role": "system", "content": "Answer briefly."},
    {"role": "user", "content": "What is the weather?"},
    {"role": "assistant", "content": "I do not know."},
    {"role": "user", "content": [{"type": "text", "text": "Who keeps the mill?"}]},
]


@pytest.fixture
def openai_client(live: Service) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{live.address}v1", api_key="none is needed", max_retries=0) as client:
        yield client


def test_the_library_and_its_collections_are_models(openai_client: openai.OpenAI) -> None:
    names = [model.id for model in openai_client.models.list()]
    assert names[:2] == ["hmt-qa", "hmt-qa/default"]
    assert openai_client.models.retrieve("hmt-qa/default").id == "hmt-qa/default"


def test_a_chats_last_question_is_answered_with_citations(openai_client: openai.OpenAI) -> None:
    done = openai_client.chat.completions.create(model="hmt-qa", messages=ASKED)  # type: ignore[arg-type]
    (choice,) = done.choices
    assert (choice.message.content, choice.finish_reason) == ("".join(SAYS), "stop")
    assert done.usage.completion_tokens > 0
    assert "Odile" in done.citations[0]["quote"]  # type: ignore[attr-defined]


def test_earlier_messages_are_the_conversation_that_a_question_is_understood_in(
    openai_client: openai.OpenAI, live: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Request] = []
    write = Parrot.write

    def heard(parrot: Parrot, request: Request) -> Generator[str]:
        asked.append(request)
        return write(parrot, request)

    monkeypatch.setattr(Parrot, "write", heard)
    with live.client() as client:
        upload(client, "ferry.txt", "The ferry leaves at noon.\n", collection="ferries")
    kept = len(live.qa.conversations())
    before = [
        {"role": "user", "content": "When does the ferry leave?"},
        {"role": "assistant", "content": "At noon."},
        {"role": "tool", "content": "nothing"},
        {"role": "user", "content": "And from where?"},
    ]
    openai_client.chat.completions.create(model="hmt-qa/ferries", messages=before)  # type: ignore[arg-type]
    openai_client.chat.completions.create(model="hmt-qa/ferries", messages=before[-1:])  # type: ignore[arg-type, list-item]
    followed, alone = asked
    assert followed.earlier is not None
    assert (followed.earlier.question, followed.earlier.answer.text) == ("When does the ferry leave?", "At noon.")
    assert alone.earlier is None
    assert len(live.qa.conversations()) == kept
    for document in live.qa.documents(collection="ferries"):
        live.qa.remove(document.id)


def test_an_answer_streams_in_chunks(openai_client: openai.OpenAI) -> None:
    stream = openai_client.chat.completions.create(model="hmt-qa/default", messages=ASKED, stream=True)  # type: ignore[arg-type]
    chunks = list(stream)
    assert [text for chunk in chunks if (text := chunk.choices[0].delta.content)] == list(SAYS)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].citations  # type: ignore[attr-defined]


def test_an_unknown_model_and_an_empty_question_are_errors_the_client_knows(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no model"):
        openai_client.chat.completions.create(model="gpt-9", messages=ASKED)  # type: ignore[arg-type]
    with pytest.raises(openai.UnprocessableEntityError, match="asks anything"):
        openai_client.chat.completions.create(model="hmt-qa", messages=[{"role": "system", "content": "x"}])


def test_a_token_opens_only_its_owners_collections(guarded: Service) -> None:
    wrong = openai.OpenAI(base_url=f"{guarded.address}v1", api_key="wrong", max_retries=0)
    with wrong as client, pytest.raises(openai.AuthenticationError, match="needs a login"):
        client.models.list()
    for user, names in {"alice": ["hmt-qa", "hmt-qa/default"], "bob": ["hmt-qa"]}.items():
        with openai.OpenAI(base_url=f"{guarded.address}v1", api_key=guarded.token(user), max_retries=0) as client:
            assert [model.id for model in client.models.list()] == names
