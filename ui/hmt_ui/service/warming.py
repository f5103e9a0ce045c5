"""Loads the model in the background, once; whoever needs the model waits here."""

from __future__ import annotations

import logging
import threading

from hmt_qa import DocumentQA

_log = logging.getLogger(__name__)


class Warming:
    """The first use of the model.

    Two threads must not make it at once: transformers fails to import when another thread is in the middle of it.
    """

    def __init__(self, qa: DocumentQA) -> None:
        self._qa = qa
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> threading.Thread:
        """Begin, if that has not been done, and return at once."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._load, name="hmt-qa warm-up", daemon=True)
                self._thread.start()
            return self._thread

    def wait(self) -> None:
        """Return once the model is loaded, or could not be: then whoever uses it next is told why."""
        self.start().join()

    @property
    def over(self) -> bool:
        """`wait` returns at once."""
        return not self.start().is_alive()

    def _load(self) -> None:
        try:
            self._qa.warm_up()
        except Exception:
            _log.exception("model_not_loaded")
