"""What Prometheus is told; the one file that knows its client."""

from __future__ import annotations

from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from hmt_qa import DocumentQA
from hmt_qa.types import Answer
from hmt_ui.service.inbox import Inbox
from hmt_ui.service.line import Line

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Figures:
    """Counters of this process, and gauges that are read from library and lines when they are asked for."""

    def __init__(self, qa: DocumentQA, inbox: Inbox, line: Line) -> None:
        self._qa, self._inbox, self._line = qa, inbox, line
        self._registry = owner = CollectorRegistry()
        self._questions = Counter("hmt_qa_questions", "Questions answered, by outcome.", ["outcome"], registry=owner)
        self._first = Histogram(
            "hmt_qa_first_token_seconds", "Until the first token.", buckets=_SECONDS, registry=owner
        )
        self._whole = Histogram("hmt_qa_answer_seconds", "Until the whole answer.", buckets=_SECONDS, registry=owner)
        self._uploads = Counter("hmt_qa_uploads", "Files taken.", registry=owner)
        self._documents = Gauge("hmt_qa_documents", "Documents that can be asked.", registry=owner)
        self._tokens = Gauge("hmt_qa_tokens", "Tokens of all documents.", registry=owner)
        self._jobs = Gauge("hmt_qa_jobs", "The newest ingestions, by state.", ["state"], registry=owner)
        Gauge("hmt_qa_waiting_questions", "Questions in line.", registry=owner).set_function(lambda: self._line.waiting)
        Gauge("hmt_qa_waiting_files", "Files in line.", registry=owner).set_function(lambda: len(self._inbox.waiting))

    def answered(self, answer: Answer) -> None:
        """Count a whole answer."""
        self._questions.labels("answered" if answer.answerable else "not_in_the_documents").inc()
        self._first.observe(answer.timings_ms.first_token / 1e3)
        self._whole.observe(answer.timings_ms.total / 1e3)

    def failed(self) -> None:
        """Count a question that could not be answered."""
        self._questions.labels("failed").inc()

    def uploaded(self) -> None:
        """Count a file that was taken."""
        self._uploads.inc()

    def exposition(self) -> bytes:
        """All of it in Prometheus' text form."""
        documents = self._qa.documents()
        self._documents.set(len(documents))
        self._tokens.set(sum(document.tokens for document in documents))
        self._jobs.clear()
        for state, count in Tally(job.state for job in self._qa.jobs()).items():
            self._jobs.labels(str(state)).set(count)
        return generate_latest(self._registry)
