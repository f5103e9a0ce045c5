"""A user's view of the library: own things under their own names, and of others' nothing, by any method."""

from __future__ import annotations

import inspect

import pytest

from hmt_qa.errors import NotYours, UnknownConversation, UnknownDocument, UnknownJob
from hmt_qa.ports import Library
from hmt_qa.types import Place
from hmt_storage.owned import OwnedLibrary


@pytest.fixture
def hers(library, sample):
    """Alice's document."""
    return sample("The vault opens at four.\n", path="/files/vault.txt", collection="alice/plans").ingest(library)


@pytest.fixture
def his(library, sample):
    """Bob's document, with other words."""
    return sample("The gate is red.\n", path="/files/gate.txt", collection="bob/plans").ingest(library)


def test_own_documents_have_the_names_their_owner_gave(library, hers, his):
    alice = library.owned_by("alice")
    (seen,) = alice.documents()
    assert (seen.id, seen.collection) == (hers.id, "plans")
    assert alice.document_ids() == alice.document_ids(collection="plans") == [hers.id]
    assert alice.documents(collection="plans") == [seen]
    assert alice.document(hers.id[:5]) == seen
    assert alice.rename(hers.id, "Plan").title == "Plan"
    assert alice.keyword_search("vault", documents=[hers.id], top=3)
    assert [job.collection for job in alice.jobs()] == ["plans"]
    assert alice.remove(hers.id).id == hers.id
    assert library.document_ids() == [his.id]


def test_a_name_that_only_begins_like_a_users_is_not_theirs(library, sample):
    for collection in ("alice", "alice2/plans", "Alice/plans", "x/alice/plans"):
        sample("Words.\n", path=f"/files/{collection}.txt", collection=collection).ingest(library)
    assert library.owned_by("alice").documents() == []
    assert library.owned_by("alice").document_ids() == []
    assert library.owned_by("alice").jobs() == []


DOCUMENT = {
    "document",
    "text",
    "pages",
    "boxes",
    "quote_boxes",
    "rename",
    "remove",
    "metadata",
    "set_metadata",
    "memory",
    "state_ids",
}
LISTS = {"titles", "memory_states", "segments", "memory_rows", "keyword_search", "nearest"}
JOBS = {"job", "cancel", "discard"}
OWN = {"documents", "document_ids", "jobs", "chats", "close"}


@pytest.mark.parametrize("method", sorted(DOCUMENT))
def test_a_foreign_document_is_unknown_to_every_method(library, hers, his, method):
    rest = {"text": (0, 4), "boxes": (1,), "quote_boxes": (0, 4), "rename": ("Mine",), "set_metadata": ({},)}.get(
        method, ()
    )
    for asked in (his.id, his.id[:5], "ffff", "%", ""):
        with pytest.raises(UnknownDocument):
            getattr(library.owned_by("alice"), method)(asked, *rest)
    assert library.document(his.id).title == his.title


def test_a_foreign_document_among_many_is_unknown_too(library, hers, his):
    alice, places = library.owned_by("alice"), [Place(document=one.id, segment=0) for one in (hers, his)]
    assert alice.titles([his.id, hers.id]) == {hers.id: hers.title}
    for call in (
        lambda: alice.memory_states([hers.id, his.id]),
        lambda: alice.segments(places),
        lambda: alice.memory_rows(places),
        lambda: alice.keyword_search("gate", documents=[his.id], top=1),
        lambda: alice.nearest(b"", parts=1, documents=[his.id], top=1),
    ):
        with pytest.raises(UnknownDocument):
            call()


def test_a_foreign_job_and_a_foreign_conversation_are_unknown(library, hers, his):
    alice, bob = library.owned_by("alice"), library.owned_by("bob")
    (job,) = bob.jobs()
    for call in (alice.job, alice.cancel, alice.discard):
        with pytest.raises(UnknownJob):
            call(job.id)
    talk = bob.chats.begin(title="", collection=None, documents=())
    for call in (alice.chats.one, alice.chats.turns, alice.chats.remove, library.chats.one):
        with pytest.raises(UnknownConversation):
            call(talk.id)
    assert bob.chats.one(talk.id) == talk


def test_whatever_is_not_checked_is_not_offered(library):
    """A method that the port gains later must be thought about here."""
    offered = {name for name, _ in inspect.getmembers(Library) if not name.startswith("_")}
    refused = offered - DOCUMENT - LISTS - JOBS - OWN - {"users"}
    alice = library.owned_by("alice")
    for name in refused:
        with pytest.raises(NotYours):
            getattr(alice, name)()
    with pytest.raises(NotYours):
        alice.users  # noqa: B018 - reading it is what is refused
    own = {name for name in dir(OwnedLibrary) if not name.startswith("_")}
    assert own | {"chats"} >= offered
