"""The facade that command line, web page and library users call: ingest documents, ask, search, keep house."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from threading import Event
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from hmt_qa import awaiting, plugins
from hmt_qa.conversing import Conversing
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import JobEnded, NothingIngested, UnknownDocument
from hmt_qa.following import together
from hmt_qa.options import AskOptions, ChatOptions, SearchOptions
from hmt_qa.ports import Ingestor, Library, ProgressObserver
from hmt_qa.prompt import question_ids
from hmt_qa.retrieval import Found, RankedPlace, Retriever
from hmt_qa.spanning import spanned
from hmt_qa.types import (
    Answer,
    ClusterOptions,
    Collected,
    Conversation,
    Document,
    Imported,
    IngestOptions,
    IngestResult,
    Job,
    JobState,
    Mode,
    PageChange,
    PageSpan,
    PageWeight,
    Place,
    Ranking,
    ReaderOptions,
    SearchResult,
    StoredSegment,
    TextBox,
    Turn,
    Verdict,
)

if TYPE_CHECKING:
    from hmt_qa.answering import Answerer
    from hmt_qa.asking import FollowUp
    from hmt_qa.comparing import Content
    from hmt_qa.writers.contract import Writer

EMBEDDED_MODEL = Path(__file__).parent / "assets" / "hmt-small"
EVIDENCE_PLACES = 4
WHOLE_DOCUMENT = 2**31  # more places than any document has
UNTRAINED_KEYWORD_TRUST = 5.0  # a memory that was never trained is mostly noise: keywords lead
TRAINED_KEYWORD_TRUST = 0.5  # measured: docs/decisions/0006


class DocumentQA:
    """Question answering over one library of documents with one model.

    >>> qa = DocumentQA.open("~/hmt-qa")                     # doctest: +SKIP
    >>> list(qa.ingest(["report.pdf"]))                      # doctest: +SKIP
    >>> qa.ask("What was the revenue in 2023?").text         # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        library: Library,
        engine: LocalEngine,
        ingestor: Ingestor,
        reader: ReaderOptions | Writer | Callable[[], Writer] = ReaderOptions(),  # noqa: B008 (frozen)
    ) -> None:
        self.library = library
        self.engine = engine
        self._ingestor = ingestor
        self._reader = reader

    @classmethod
    def open(
        cls,
        home: Path | str,
        *,
        model: Path | str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        attention: str = "auto",
        reader: ReaderOptions | Writer = ReaderOptions(),  # noqa: B008 (frozen)
        database: str = "",
        cluster: ClusterOptions | None = None,
    ) -> Self:
        """Open (or create) the library in the folder `home`; everything it keeps lives under it.

        `database` is the URL of a library kept elsewhere, `postgresql+psycopg://…`, which several machines may share.
        With a `cluster` files are read by its workers, any number at once; questions are answered here as ever.
        `model` is a checkpoint's folder, the embedded hmt-small by default. `dtype` is `auto`, `float32` or
        `bfloat16`. `reader` writes the answers, the model of the memory by default; it is opened by the first question.
        Raises `LibraryUnusable`, `ModelMissing` and `InvalidCheckpoint`.
        """
        directory = Path(home).expanduser()
        engine = LocalEngine(
            Path(model).expanduser() if model else EMBEDDED_MODEL, device=device, dtype=dtype, attention=attention
        )
        library = plugins.open_library(directory, database)
        ingestor = plugins.load("hmt_qa.ingestors", "files")()
        if cluster is not None:
            from hmt_qa.ray_engine import Opening, RayIngestor

            choice = {"device": device, "dtype": dtype, "attention": attention, "database": database}
            opening = Opening(home=directory.resolve(), model=engine.checkpoint.directory.resolve(), **choice)
            ingestor = RayIngestor(ingestor, opening, address=cluster.address)
        return cls(library=library, engine=engine, ingestor=ingestor, reader=reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the database."""
        self.library.close()

    def owned_by(self, owner: str) -> DocumentQA:
        """The same model and reader over what belongs to one user of the library alone (`hmt_qa.ownership`)."""
        return DocumentQA(
            library=self.library.owned_by(owner),
            engine=self.engine,
            ingestor=self._ingestor,
            reader=lambda: self._writer,
        )

    def ingest(
        self,
        paths: Sequence[Path | str],
        *,
        options: IngestOptions | None = None,
        on_progress: ProgressObserver = lambda job: None,
    ) -> Iterator[IngestResult]:
        """Read files, folders and repositories into memory, several at once, yielding a result as each file ends.

        An interrupted file goes on where it stopped; an unchanged one is left alone; a bad one is reported and the
        rest goes on. `on_progress` sees the stored job after each segment. `engine.meter` says how fast it was.
        """
        yield from self._ingestor.ingest(
            [Path(path) for path in paths],
            options=options or IngestOptions(),
            library=self.library,
            engine=self.engine,
            on_progress=on_progress,
        )

    def ingest_text(
        self,
        text: str,
        *,
        name: str,
        title: str = "",
        collection: str = "default",
        metadata: Mapping[str, object] | None = None,
        on_progress: ProgressObserver = lambda job: None,
    ) -> Document:
        """Read a text that is no file; `name` is its path in the collection, under which the same text is left alone.

        `metadata` (JSON) is kept beside it. Raises `NoTextFound` for a blank text, TypeError for no JSON.
        """
        document = self._ingestor.ingest_text(
            text,
            name=name,
            title=title or name,
            collection=collection,
            library=self.library,
            engine=self.engine,
            on_progress=on_progress,
        )
        if metadata is not None:
            self.library.set_metadata(document.id, metadata)
        return document

    def ask(
        self,
        question: str,
        *,
        collection: str | None = None,
        documents: Sequence[str] = (),
        mode: Mode = Mode.EVIDENCE,
        top: int = EVIDENCE_PLACES,
        as_of_page: int | None = None,
        verify: bool = False,
        budget: int | None = None,
    ) -> Answer:
        """The whole answer; `stream` gives it as it is written."""
        for item in self.stream(
            question,
            collection=collection,
            documents=documents,
            mode=mode,
            top=top,
            as_of_page=as_of_page,
            verify=verify,
            budget=budget,
        ):
            if isinstance(item, Answer):
                return item
        raise AssertionError("a stream ends with an Answer")

    def stream(
        self,
        question: str,
        *,
        collection: str | None = None,
        documents: Sequence[str] = (),
        mode: Mode = Mode.EVIDENCE,
        top: int = EVIDENCE_PLACES,
        as_of_page: int | None = None,
        verify: bool = False,
        budget: int | None = None,
    ) -> Iterator[str | Answer]:
        """Text pieces of the answer as they are written, then the `Answer` itself.

        `documents` are ids; without them all of `collection`, or of the library, is asked. `top` segments are
        recalled and, in evidence mode, re-read: as many as the reader's context holds, and with a `budget` those after
        the best one only as far as they are within so many tokens. With `as_of_page` every document is asked as if it
        ended with that page (from 1): its memory then, and no word after. With `verify` the question is asked once more
        without the places that support the answer, for `Answer.verified`. Raises `NothingIngested`, `UnknownDocument`,
        `EmptyQuestion`, `QuestionTooLong`, `ModelMismatch` and `ReaderUnsuited` before the first piece, `ReaderFailed`
        at any.
        """
        from hmt_qa.asking import Asking

        begun = perf_counter()
        ids = self._question_ids(question)
        chosen = self._chosen(collection, documents)
        retriever, answerer = (
            (self._retriever, self._answerer) if as_of_page is None else self._at_page(as_of_page, chosen)
        )
        asking = Asking(
            retriever=retriever,
            answerer=answerer,
            question=question,
            ids=ids,
            documents=chosen,
            spanned=self._spanned(question, chosen, by_user=bool(documents)),
            mode=mode,
            top=top,
            begun=begun,
            budget=budget,
        )
        yield from asking.stream(asking.find(), verify=verify)

    async def aask(self, question: str, **options: Unpack[AskOptions]) -> Answer:
        """`ask` without blocking the event loop; cancelled, the model stops within a token."""
        async with aclosing(self.astream(question, **options)) as stream:
            async for item in stream:
                if isinstance(item, Answer):
                    return item
        raise AssertionError("a stream ends with an Answer")

    def astream(self, question: str, **options: Unpack[AskOptions]) -> AsyncGenerator[str | Answer]:
        """`stream` without blocking the event loop; closed or cancelled, the model stops within a token."""
        return awaiting.items(self.stream(question, **options))

    async def asearch(self, question: str, **options: Unpack[SearchOptions]) -> list[SearchResult]:
        """`search` without blocking the event loop."""
        return await asyncio.to_thread(self.search, question, **options)

    def aingest(
        self,
        paths: Sequence[Path | str],
        *,
        options: IngestOptions | None = None,
        on_progress: ProgressObserver = lambda job: None,
    ) -> AsyncGenerator[IngestResult]:
        """`ingest` without blocking the event loop; cancelled, it stops after a segment and can go on later.

        `on_progress` is called in the thread that reads.
        """
        stopping = Event()

        def observe(job: Job) -> None:
            if stopping.is_set():
                raise awaiting.Stopped
            on_progress(job)

        return awaiting.items(self.ingest(paths, options=options, on_progress=observe), stopping=stopping)

    async def aingest_text(
        self,
        text: str,
        *,
        name: str,
        title: str = "",
        collection: str = "default",
        metadata: Mapping[str, object] | None = None,
    ) -> Document:
        """`ingest_text` without blocking the event loop."""
        return await asyncio.to_thread(
            self.ingest_text, text, name=name, title=title, collection=collection, metadata=metadata
        )

    def search(
        self,
        question: str,
        *,
        collection: str | None = None,
        documents: Sequence[str] = (),
        top: int = 10,
        using: Ranking = Ranking.HYBRID,
    ) -> list[SearchResult]:
        """Ranked places, best first, with the memory's weight and both ranks; no answer is written."""
        ids = self._question_ids(question)
        chosen = self._chosen(collection, documents)
        return self._results(self._retriever.find(question, ids, documents=chosen, using=using, top=top))

    def new_conversation(self, *, collection: str | None = None, documents: Sequence[str] = ()) -> Conversation:
        """Begin a conversation about a collection, chosen documents (ids), or everything."""
        chosen = self._chosen(collection, documents) if documents else ()
        return self.library.chats.begin(title="", collection=collection, documents=chosen)

    def conversations(self) -> Sequence[Conversation]:
        """All conversations, the latest first."""
        return self.library.chats.all()

    def conversation(self, conversation_id: str) -> Conversation:
        """One conversation by id; raises `UnknownConversation`."""
        return self.library.chats.one(conversation_id)

    def turns(self, conversation_id: str) -> Sequence[Turn]:
        """What was asked and answered in a conversation, in order."""
        return self.library.chats.turns(conversation_id)

    def remove_conversation(self, conversation_id: str) -> Conversation:
        """Delete a conversation and all that was said in it; returns what it was."""
        return self.library.chats.remove(conversation_id)

    def chat(
        self,
        conversation_id: str,
        question: str,
        *,
        mode: Mode = Mode.EVIDENCE,
        top: int = EVIDENCE_PLACES,
        verify: bool = False,
        budget: int | None = None,
    ) -> Iterator[str | Answer]:
        """`stream` in a conversation: a follow-up is understood with the turn it goes with.

        The turn is kept before its `Answer` is yielded; one that is closed before leaves nothing behind.
        Raises `UnknownConversation` and `ConversationMoved` beside what `stream` raises.
        """
        from hmt_qa.asking import Asking

        begun = perf_counter()
        ids = self._question_ids(question)
        talk = self._conversing.resume(conversation_id)
        chosen = self._chosen(talk.conversation.collection, talk.conversation.documents)
        by_user = bool(talk.conversation.documents)
        turn = self._conversing.goes_with(talk, ids)
        asking = Asking(
            retriever=self._retriever,
            answerer=self._answerer,
            question=question,
            ids=ids,
            documents=chosen,
            spanned=self._spanned(question, chosen, by_user=by_user),
            mode=mode,
            top=top,
            begun=begun,
            budget=budget,
            follows=None if turn is None else self._follow_up(turn, question, chosen, by_user=by_user),
        )
        found = asking.find()
        for item in asking.stream(found, verify=verify):
            if isinstance(item, Answer):
                self._conversing.add(talk, question, asking.about(found), item)
            yield item

    def achat(
        self, conversation_id: str, question: str, **options: Unpack[ChatOptions]
    ) -> AsyncGenerator[str | Answer]:
        """`chat` without blocking the event loop; closed or cancelled, the model stops within a token."""
        return awaiting.items(self.chat(conversation_id, question, **options))

    def heat(self, question: str, *, document: str) -> list[PageWeight]:
        """How much a question attends to each page of one document, in the order of pages; the weights sum to 1."""
        from hmt_qa.heat import page_weights

        identity = self.library.document(document).id
        ids = self._question_ids(question)
        found = self._retriever.find(question, ids, documents=[identity], using=Ranking.MEMORY, top=WHOLE_DOCUMENT)
        segments = self.library.segments([ranked.place for ranked in found.places])
        weights = [ranked.weight for ranked in found.places]
        return page_weights(identity, self.library.pages(identity), segments, weights)

    def compare(self, old: str, new: str) -> list[PageChange]:
        """Pages that are not the same in two documents, the most changed in meaning first.

        Both are named by id or path. Raises `UnknownDocument` and `ModelMismatch`.
        """
        from hmt_qa.comparing import compare  # loads torch

        before, after = (self._content(self._named(name)) for name in (old, new))
        return compare(before, after)

    def documents(self, *, collection: str | None = None) -> Sequence[Document]:
        """All readable documents, oldest first."""
        return self.library.documents(collection=collection)

    def document(self, document_id: str) -> Document:
        """One document by id; raises `UnknownDocument`."""
        return self.library.document(document_id)

    def pages(self, document_id: str) -> Sequence[PageSpan]:
        """Its pages: number, printed label and characters."""
        return self.library.pages(document_id)

    def text(self, document_id: str, char_start: int, char_end: int) -> str:
        """The document's text at a span, which is cut to the document."""
        return self.library.text(document_id, char_start, char_end)

    def boxes(self, document_id: str, page: int) -> Sequence[TextBox]:
        """Word boxes of a page, points from its lower left; empty where the format has none."""
        return self.library.boxes(document_id, page)

    def rename(self, document_id: str, title: str) -> Document:
        """Give a document another title."""
        return self.library.rename(document_id, title)

    def remove(self, document_id: str) -> Document:
        """Delete a document with its text, memory and index rows; returns what it was."""
        return self.library.remove(document_id)

    def export(
        self, file: Path | str, *, collection: str | None = None, documents: Sequence[str] = (), with_text: bool = True
    ) -> Sequence[Document]:
        """Write documents to one new file that `take_in` reads elsewhere, with their text or their memories alone.

        `documents` are ids; without them all of `collection` is written. Raises `BundleNotWritten`.
        """
        return self.library.export(self._chosen(collection, documents), Path(file), with_text=with_text)

    def take_in(self, file: Path | str, *, collection: str | None = None) -> Sequence[Imported]:
        """Store what an exported file holds, all of it or nothing, without reading a document again.

        The file may come from anyone. Raises `InvalidBundle` and `DocumentExists`.
        """
        return self.library.take_in(Path(file), shape=self.engine.shape, collection=collection)

    def verify(self) -> Iterator[Verdict]:
        """Look at every stored byte: a verdict on the library's file, then one on each document."""
        return self.library.verify()

    def collect_garbage(self) -> Sequence[Collected]:
        """Remove what nothing refers to, and say what it was."""
        return self.library.collect_garbage()

    def jobs(self, *, limit: int | None = 100) -> Sequence[Job]:
        """Ingestions, newest first, as any process may observe them."""
        return self.library.jobs(limit=limit)

    def job(self, job_id: int) -> Job:
        """One ingestion; raises `UnknownJob`."""
        return self.library.job(job_id)

    def cancel(self, job_id: int) -> Job:
        """Have an ingestion stop at its next segment, in whichever process it runs; `resume` goes on with it.

        Returns at once: a job that is still `running` has `cancel_requested`, and is `cancelled` in a moment. Raises
        `UnknownJob`, and `JobEnded` for one that is done or failed.
        """
        return self.library.cancel(job_id)

    def discard(self, job_id: int) -> Job:
        """Delete an ingestion that nobody works on, with what it has read; raises `UnknownJob`, `AlreadyIngesting`."""
        return self.library.discard(job_id)

    def resume(
        self,
        job_ids: Sequence[int] = (),
        *,
        options: IngestOptions | None = None,
        on_progress: ProgressObserver = lambda job: None,
    ) -> Iterator[IngestResult]:
        """Go on with ingestions that were interrupted or cancelled, all of them where none is named.

        Of `options` the collection is the job's own. Raises `UnknownJob`, and `JobEnded` for one named that is done or
        failed, before any of them goes on.
        """
        chosen = [self.library.job(job_id) for job_id in job_ids] or [
            job for job in self.library.jobs(limit=None) if job.is_resumable
        ]
        for job in chosen:
            if not job.is_resumable and job.state is not JobState.RUNNING:
                raise JobEnded(
                    f"Job {job.id} ({job.path}) is {job.state}.",
                    subject=job.id,
                    remedy="Only interrupted and cancelled ones go on; ingest the file again.",
                )
        in_order = sorted(chosen, key=lambda job: (job.collection, job.id))
        for collection, jobs in groupby(in_order, key=lambda job: job.collection):
            own = replace(options or IngestOptions(), collection=collection)
            yield from self.ingest([job.path for job in jobs], options=own, on_progress=on_progress)

    def warm_up(self) -> None:
        """Load the model now, so that the first question does not wait for it."""
        self.engine.summarise(self.engine.encode("warm up").ids)

    def forget_cached(self) -> None:
        """Drop memories kept from earlier questions; the next question resumes from disk."""
        self._retriever.forget()

    @cached_property
    def _retriever(self) -> Retriever:
        return Retriever(self.library, self.engine, keyword_trust=self._keyword_trust)

    @property
    def _keyword_trust(self) -> float:
        return TRAINED_KEYWORD_TRUST if self.engine.checkpoint.memory_trained else UNTRAINED_KEYWORD_TRUST

    @cached_property
    def _conversing(self) -> Conversing:
        return Conversing(self.library.chats, self.engine)

    def _follow_up(self, turn: Turn, question: str, documents: Sequence[str], *, by_user: bool) -> FollowUp:
        """A question behind the earlier one; of both together the last tokens that one segment holds."""
        from hmt_qa.asking import FollowUp

        both = together(turn.topic, question)
        ids = list(self.engine.encode(both).ids)[-self.engine.segment_length :]
        return FollowUp(turn=turn, joined_ids=ids, spanned=self._spanned(both, documents, by_user=by_user))

    def _spanned(self, question: str, documents: Sequence[str], *, by_user: bool) -> list[str]:
        return spanned(question, self.library.titles(documents), chosen=by_user)

    @cached_property
    def _answerer(self) -> Answerer:
        from hmt_qa.answering import Answerer

        return Answerer(self.library, self._writer)

    @cached_property
    def _writer(self) -> Writer:
        from hmt_qa.writers.choosing import open_writer

        reader = self._reader
        if callable(reader):
            return reader()
        return open_writer(reader, self.engine) if isinstance(reader, ReaderOptions) else reader

    def _at_page(self, page: int, documents: Sequence[str]) -> tuple[Retriever, Answerer]:
        from hmt_qa.answering import Answerer
        from hmt_qa.as_of import AsOfPage

        library = AsOfPage(self.library, self.engine, page)
        if not any(library.length(document) for document in documents):
            raise NothingIngested(
                f"There is no text up to page {page}.", subject=page, remedy="Ask as of a later page, or of the whole."
            )
        return Retriever(library, self.engine, keyword_trust=self._keyword_trust), Answerer(library, self._writer)

    def _named(self, name: str) -> str:
        """The id of a document by its id, or by its path where only one collection has it."""
        path = str(Path(name).expanduser().resolve())
        found = [document.id for document in self.library.documents() if document.path in {name, path}]
        if len(found) > 1:
            raise UnknownDocument(
                f"{name} is in several collections: {', '.join(found)}.", subject=name, remedy="Name one by its id."
            )
        return found[0] if found else self.library.document(name).id

    def _content(self, document: str) -> Content:
        from hmt_qa.comparing import Content

        rows_NMD = self._retriever.bank(document)
        places = [Place(document=document, segment=number) for number in range(len(rows_NMD))]
        return Content(
            rows_NMD=rows_NMD,
            segments=self.library.segments(places),
            state_ids=self.library.state_ids(document),
            pages=self.library.pages(document),
        )

    def _question_ids(self, question: str) -> list[int]:
        return question_ids(self.engine.tokenizer, question, limit=self.engine.segment_length)

    def _chosen(self, collection: str | None, documents: Sequence[str]) -> list[str]:
        if documents:
            return list(dict.fromkeys(self.library.document(document).id for document in documents))
        chosen = list(self.library.document_ids(collection=collection))
        if not chosen:
            where = f"collection {collection!r}" if collection else "the library"
            raise NothingIngested(
                f"There is no document in {where} to ask.",
                subject=collection,
                remedy="Ingest one first: hmt-qa ingest FILE.",
            )
        return chosen

    def _results(self, found: Found) -> list[SearchResult]:
        segments = self.library.segments([ranked.place for ranked in found.places])
        titles = self.library.titles([ranked.place.document for ranked in found.places])
        return [
            self._result(rank, ranked, titles.get(ranked.place.document, ""), segment)
            for rank, (ranked, segment) in enumerate(zip(found.places, segments, strict=True), 1)
        ]

    @staticmethod
    def _result(rank: int, ranked: RankedPlace, title: str, segment: StoredSegment) -> SearchResult:
        return SearchResult(
            rank=rank,
            document=ranked.place.document,
            title=title,
            segment=ranked.place.segment,
            page_first=segment.page_first,
            page_last=segment.page_last,
            page_label=segment.page_label,
            char_start=segment.char_start,
            char_end=segment.char_end,
            score=ranked.score,
            weight=ranked.weight,
            memory_rank=ranked.memory_rank,
            keyword_rank=ranked.keyword_rank,
            text=segment.text,
        )
