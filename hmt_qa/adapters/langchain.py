"""LangChain's retriever, loader, vector store and runnable over one `DocumentQA`; nothing of ours is written twice.

Metadata by LangChain's conventions: `source` the path, `page` counted from 0 as PyPDFLoader does, `page_label` what is
printed on it, `start_index` in that page's text. Ours beside: `document`, `title`, `page_number` counted from 1,
`char_start` and `char_end` in the document's text, and where something was ranked `segment`, `score` and `weight`.
A quote has the span of the answer that it supports, `answer_start` and `answer_end`.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, Unpack

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import AddableDict, Runnable, RunnableConfig
from langchain_core.vectorstores import VectorStore
from pydantic import ConfigDict

from hmt_qa.app import DocumentQA
from hmt_qa.citing import page_at
from hmt_qa.errors import FileProblem, NothingIngested
from hmt_qa.options import AskOptions, SearchOptions
from hmt_qa.types import Answer, Citation, IngestOptions, IngestStatus, Place, Ranking, SearchResult
from hmt_qa.types import Document as StoredDocument

GIVEN = "langchain:"  # the path of a text that came through the vector store, before its id


class HMTRetriever(BaseRetriever):
    """The `k` best places as documents, best first; empty where there is nothing to ask.

    `using` chooses who ranks; `collection` and `documents` (ids) limit what is asked.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    qa: DocumentQA
    k: int = 4
    using: Ranking = Ranking.HYBRID
    collection: str | None = None
    documents: tuple[str, ...] = ()

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        with suppress(NothingIngested):
            return [_ranked(self.qa, result) for result in self.qa.search(query, **self._options(k))]
        return []

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        with suppress(NothingIngested):
            return [_ranked(self.qa, result) for result in await self.qa.asearch(query, **self._options(k))]
        return []

    def _options(self, k: int | None) -> SearchOptions:
        return {
            "collection": self.collection,
            "documents": self.documents,
            "using": self.using,
            "top": self.k if k is None else k,
        }


class HMTLoader(BaseLoader):
    """Reads files, folders and repositories into memory and gives their pages; what was read before is only given.

    Raises `FileProblem` at the first input that cannot be read.
    """

    def __init__(self, qa: DocumentQA, paths: Sequence[Path | str], *, options: IngestOptions | None = None) -> None:
        self._qa = qa
        self._paths = paths
        self._options = options

    def lazy_load(self) -> Iterator[Document]:
        """One document a page, file after file."""
        for result in self._qa.ingest(self._paths, options=self._options):
            if result.status is IngestStatus.FAILED:
                raise FileProblem(result.error, subject=result.path)
            yield from self._pages(result.document)

    def _pages(self, identity: str) -> Iterator[Document]:
        document, pages = self._qa.document(identity), self._qa.pages(identity)
        for page in pages:
            text = self._qa.library.text(identity, page.char_start, page.char_end)
            metadata = _place(self._qa, identity, page.char_start, page.char_end)
            yield Document(page_content=text, metadata=metadata | {"total_pages": document.pages})


class HMTVectorStore(VectorStore):
    """One collection as a vector store: texts go into memory, and are found by memory and keywords together.

    There are no vectors to be had: the memory of a text depends on what was read before it, so `embeddings` is None and
    searches by vector are not implemented. Metadata must be JSON. A long text is found piece by piece, each piece
    under the id `ID#SEGMENT`.
    """

    def __init__(self, qa: DocumentQA, *, collection: str = "default") -> None:
        self._qa = qa
        self._collection = collection

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Read texts into memory and return their ids; a known id gets the new text and metadata."""
        _refuse(kwargs)
        given = list(texts)
        metadatas = metadatas or [{}] * len(given)
        names = [one or str(uuid.uuid4()) for one in ids or [""] * len(given)]
        for text, metadata, name in zip(given, metadatas, names, strict=True):
            self._qa.ingest_text(text, name=GIVEN + name, collection=self._collection, metadata=metadata)
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool | None:
        """Remove texts by their ids; those that nobody has are no error. Without ids nothing is removed."""
        _refuse(kwargs)
        for name in ids or ():
            if (found := self._document(name)) is not None:
                self._qa.remove(found.id)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Texts by the ids that `add_texts` or a search gave; those that nobody has are left out."""
        return [document for name in ids if (document := self._by_id(name)) is not None]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """The `k` best places, best first; `using` chooses who ranks."""
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, using: Ranking = Ranking.HYBRID, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The same with their scores; those of the hybrid are shares, from 0 to 1."""
        _refuse(kwargs)
        with suppress(NothingIngested):
            results = self._qa.search(query, collection=self._collection, top=k, using=using)
            return [(self._given(result), result.score) for result in results]
        return []

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A store over the keyword argument `qa`, with these texts in `collection`; `embedding` is not used."""
        store = cls(kwargs.pop("qa"), collection=kwargs.pop("collection", "default"))
        store.add_texts(texts, metadatas, ids=ids, **kwargs)
        return store

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return float  # the hybrid's shares are relevances already

    def _document(self, name: str) -> StoredDocument | None:
        known = self._qa.library.known(collection=self._collection, path=GIVEN + name)
        return None if known is None else known.document

    def _by_id(self, name: str) -> Document | None:
        whole, _, number = name.rpartition("#")
        found = self._document(name)
        if found is not None:
            text = self._qa.library.text(found.id, 0, found.characters)
            return Document(id=name, page_content=text, metadata=dict(self._qa.library.metadata(found.id) or {}))
        found = self._document(whole)
        if found is None or not number.isdecimal() or int(number) >= found.segments:
            return None
        (segment,) = self._qa.library.segments([Place(document=found.id, segment=int(number))])
        return Document(id=name, page_content=segment.text, metadata=dict(self._qa.library.metadata(found.id) or {}))

    def _given(self, result: SearchResult) -> Document:
        """A result as it was put in; documents that came as files have our metadata."""
        document = self._qa.document(result.document)
        metadata = self._qa.library.metadata(document.id)
        if metadata is None or not document.path.startswith(GIVEN):
            return _ranked(self._qa, result)
        name = document.path.removeprefix(GIVEN)
        identity = name if document.segments == 1 else f"{name}#{result.segment}"
        return Document(id=identity, page_content=result.text, metadata=dict(metadata))


class HMTQuestionAnswering(Runnable[str, dict[str, Any]]):
    """The whole as one runnable: a question in, `{"input", "answer", "answerable", "context"}` out.

    `context` holds the quotes that the answer stands on. Streamed, `answer` comes in pieces that add up.
    """

    def __init__(self, qa: DocumentQA, **options: Unpack[AskOptions]) -> None:
        self._qa = qa
        self._options = options

    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        """The whole answer."""
        return self._call_with_config(self._answer, input, config, **kwargs)

    async def ainvoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        """The whole answer, without blocking the event loop."""
        return await self._acall_with_config(self._aanswer, input, config, **kwargs)

    def stream(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[dict[str, Any]]:
        """Pieces of the answer, then the rest."""
        yield from self._transform_stream_with_config(iter([input]), self._pieces, config, **kwargs)

    async def astream(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The same without blocking the event loop."""

        async def given() -> AsyncIterator[str]:
            yield input

        async for part in self._atransform_stream_with_config(given(), self._apieces, config, **kwargs):
            yield part

    def _answer(self, question: str) -> dict[str, Any]:
        return _record(self._qa, question, self._qa.ask(question, **self._options))

    async def _aanswer(self, question: str) -> dict[str, Any]:
        return _record(self._qa, question, await self._qa.aask(question, **self._options))

    def _pieces(self, questions: Iterator[str]) -> Iterator[dict[str, Any]]:
        question = "".join(questions)
        for item in self._qa.stream(question, **self._options):
            yield _part(self._qa, question, item)

    async def _apieces(self, questions: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
        question = "".join([piece async for piece in questions])
        async for item in self._qa.astream(question, **self._options):
            yield _part(self._qa, question, item)


def _record(qa: DocumentQA, question: str, answer: Answer) -> dict[str, Any]:
    context = [_quoted(qa, citation) for citation in answer.citations]
    return {"input": question, "answer": answer.text, "answerable": answer.answerable, "context": context}


def _part(qa: DocumentQA, question: str, item: str | Answer) -> AddableDict:
    if isinstance(item, str):
        return AddableDict(answer=item)
    record = _record(qa, question, item)
    del record["answer"]  # it has come in pieces
    return AddableDict(record)


def _ranked(qa: DocumentQA, result: SearchResult) -> Document:
    ours = {"segment": result.segment, "score": result.score, "weight": result.weight}
    return Document(
        id=f"{result.document}#{result.segment}",
        page_content=result.text,
        metadata=_place(qa, result.document, result.char_start, result.char_end) | ours,
    )


def _quoted(qa: DocumentQA, citation: Citation) -> Document:
    place = _place(qa, citation.document, citation.char_start, citation.char_end)
    ours = {"weight": citation.weight, "answer_start": citation.answer_start, "answer_end": citation.answer_end}
    return Document(page_content=citation.quote, metadata=place | ours)


def _place(qa: DocumentQA, identity: str, start: int, end: int) -> dict[str, Any]:
    document = qa.document(identity)
    page = page_at(qa.pages(identity), start)
    return {
        "source": document.path,
        "page": page.number - 1,
        "page_label": page.label,
        "start_index": start - page.char_start,
        "document": document.id,
        "title": document.title,
        "page_number": page.number,
        "char_start": start,
        "char_end": end,
    }


def _refuse(options: dict[str, Any]) -> None:
    if options:
        raise TypeError(f"HMTVectorStore does not know {', '.join(sorted(options))}")
