"""Wraps a trained backbone as a checkpoint with an untrained memory: the start of training, and the first default.

    python -m hmt_qa.training.embedded BACKBONE OUT --texts TEXTS.jsonl.zst --questions QUESTIONS.jsonl.zst

T becomes the embedding of the question mark: the backbone was trained to write a question behind it, so the state
there already says what could be asked. Wq and Wk become one whitening transform, measured on text and questions:
raw states share a few large directions that drown what differs between segments.

Shapes: R rows · D hidden size.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import cast

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModelForCausalLM

from hmt_qa.model.hmt import HMTForCausalLM, Segments
from hmt_qa.model.weights import save_int8, wrap

SHRINKAGE = 1.0  # of the mean eigenvalue; 0.1 and 1.0 were tried, 1.0 found more of 400 development questions
APART = 0.1  # standard deviation of what tells the initial memories of a segment's places from each other
SCORE_SPREAD = 2.0  # standard deviation of recall scores: soft enough for P, sharp enough to point
BATCH = 8


def whitening(rows_RD: Tensor) -> Tensor:
    """Symmetric W, (D, D), such that rows W have near unit second moments; shrunk towards the identity's multiple."""
    moment_DD = rows_RD.T @ rows_RD / rows_RD.shape[0]
    values_D, vectors_DD = torch.linalg.eigh(moment_DD.double())
    scale_D = (values_D + SHRINKAGE * values_D.mean()).rsqrt()
    transform_DD: Tensor = vectors_DD * scale_D @ vectors_DD.T
    return transform_DD.to(rows_RD.dtype)


@torch.inference_mode()
def initialise_recall(
    model: HMTForCausalLM, tokenizer: Tokenizer, texts: Iterable[str], questions: Iterable[str]
) -> None:
    """Set T, the initial memory, Wq and Wk from the backbone's own states on sample `texts` and `questions`."""
    embeddings_VD = cast(Tensor, model.get_input_embeddings().weight)
    model.memory.summary_prompt_D.copy_(embeddings_VD[tokenizer.token_to_id("<|question|>")])
    initial_MD = model.memory.initial_memory_MD
    noise_MD = torch.randn(initial_MD.shape, generator=torch.Generator().manual_seed(0))
    initial_MD.copy_(embeddings_VD[tokenizer.token_to_id("<|memory|>")] + APART * noise_MD)
    segments_RD, memories_RD, questions_RD = _states(model, tokenizer, texts, questions)
    transform_DD = whitening(torch.cat([segments_RD, memories_RD, questions_RD]))
    scores = (questions_RD @ transform_DD) @ (memories_RD @ transform_DD).T / transform_DD.shape[0] ** 0.5
    transform_DD = transform_DD * (SCORE_SPREAD / scores.std(dim=1).mean()).sqrt()
    model.memory.query.weight.copy_(transform_DD)
    model.memory.key.weight.copy_(transform_DD)


def _states(
    model: HMTForCausalLM, tokenizer: Tokenizer, texts: Iterable[str], questions: Iterable[str]
) -> tuple[Tensor, Tensor, Tensor]:
    """S of segments, their M read on their own, and S of questions, each (R, D)."""
    size = model.config.segment_length
    segments = [ids[:size] for text in texts if len(ids := _encode(tokenizer, text)) >= size]
    asked = [_encode(tokenizer, question) for question in questions]
    summaries, memories, askings = [], [], []
    for group in _groups(segments):
        batch = _padded(group)
        summaries.append(model.represent(batch))
        state = model.initial_state(len(group))
        memories.append(model.read(batch, summaries[-1], state).memory_BMD.flatten(0, 1))
    for group in _groups(asked):
        batch = _padded(group)
        askings.append(model.represent(batch, length=batch.ids_BW.shape[1]))
    return torch.cat(summaries), torch.cat(memories), torch.cat(askings)


def _encode(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def _groups(rows: list[list[int]]) -> Iterator[list[list[int]]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def _padded(rows: list[list[int]]) -> Segments:
    width = max(map(len, rows))
    ids_BW = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    return Segments(ids_BW, torch.tensor([len(row) for row in rows]))


def _field(path: Path, name: str, count: int) -> list[str]:
    """One field of the first `count` lines of a zstd-compressed JSON Lines file."""
    import zstandard

    with path.open("rb") as file:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(file), "utf-8")
        return [json.loads(line)[name] for line in islice(lines, count)]


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("backbone", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--texts", type=Path, required=True, help="JSON Lines, zstd, field `text`")
    parser.add_argument("--questions", type=Path, required=True, help="JSON Lines, zstd, field `question`")
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--memories", type=int, default=4, help="memory embeddings a segment")
    arguments = parser.parse_args()
    causal_lm = AutoModelForCausalLM.from_pretrained(arguments.backbone, dtype=torch.float32, local_files_only=True)
    causal_lm.config.name_or_path = ""  # a folder of the machine that made it says nothing to others
    tokenizer = Tokenizer.from_file(str(arguments.backbone / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    model = wrap(causal_lm, memories_per_segment=arguments.memories)
    model.train(False)
    initialise_recall(
        model,
        tokenizer,
        _field(arguments.texts, "text", arguments.count),
        _field(arguments.questions, "question", arguments.count),
    )
    save_int8(model, arguments.out)
    shutil.copy(arguments.backbone / "tokenizer.json", arguments.out / "tokenizer.json")


if __name__ == "__main__":
    main()
