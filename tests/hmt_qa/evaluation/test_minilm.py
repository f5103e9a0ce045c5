from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel

from hmt_qa.evaluation.minilm import MiniLM, find
from tests.hmt_qa.evaluation.conftest import WORDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random encoder in the files that the real one comes in."""
    made = tmp_path_factory.mktemp("minilm")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    torch.manual_seed(1)
    BertModel(BertConfig(vocab_size=32, **sizes)).save_pretrained(made)
    vocabulary = {word: number for number, word in enumerate(["[UNK]", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 (a word)
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(made / "tokenizer.json"))
    return made


def test_vectors_are_unit_means_that_do_not_depend_on_their_batch(folder: Path) -> None:
    encoder = MiniLM(folder, device=torch.device("cpu"))
    texts = [" ".join(WORDS[: size % 14 + 1]) for size in range(40)]
    together = encoder.vectors(texts)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(together, np.concatenate([encoder.vectors([text]) for text in texts]), atol=1e-5)


def test_an_incomplete_folder_is_not_a_model(folder: Path, tmp_path: Path) -> None:
    assert find(folder) == folder
    assert find(tmp_path) is None
