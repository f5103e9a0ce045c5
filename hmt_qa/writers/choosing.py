"""From a reader's name to who writes the answers; loads what that one needs and nothing else."""

from __future__ import annotations

from pathlib import Path

from hmt_qa.engine import LocalEngine
from hmt_qa.errors import ReaderUnknown
from hmt_qa.types import ReaderOptions
from hmt_qa.writers.contract import Writer


def open_writer(options: ReaderOptions, engine: LocalEngine) -> Writer:
    """The writer that `options.reader` names; local ones run on the engine's machine.

    Raises `ReaderUnknown`, and `ModelProblem` for a folder that holds no model.
    """
    kind, colon, name = options.reader.partition(":")
    match kind:
        case "" if not colon:
            from hmt_qa.writers.memory import MemoryWriter

            return MemoryWriter(engine)
        case "hf" if name:
            from hmt_qa.writers.causal import CausalWriter

            return CausalWriter(Path(name).expanduser(), engine.machine)
        case "openai" if name:
            from hmt_qa.writers.chat import openai_writer

            return openai_writer(name, options)
    raise ReaderUnknown(
        f"There is no reader {options.reader!r}.",
        subject=options.reader,
        remedy="Write hf:FOLDER for a local model, openai:MODEL for an endpoint, or leave it out.",
    )
