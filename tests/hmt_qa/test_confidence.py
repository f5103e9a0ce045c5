"""The regression, its file, and what an impossible one says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.confidence import FILE, Confidence, Signs
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import InvalidCheckpoint

SURE = Signs(refusals=(0.01, 0.02), log_probabilities=(-0.1, -0.2), share=0.9)
UNSURE = Signs(refusals=(0.4, 0.3), log_probabilities=(-2.0, -3.0), share=0.1)
JUDGE = Confidence(weights=(-0.2, -0.2, 1.0, 0.5, 0.3), bias=0.5, threshold=0.3)


def test_a_reader_that_is_surer_of_itself_has_the_higher_confidence():
    assert 0 < JUDGE.of(UNSURE) < JUDGE.of(SURE) < 1


@pytest.mark.parametrize("refusal", [0.0, 1.0])
def test_impossible_certainties_have_a_confidence_too(refusal):
    assert 0 <= JUDGE.of(Signs(refusals=(refusal, refusal), log_probabilities=(0.0, -1e9), share=0.0)) <= 1


@pytest.mark.parametrize(
    "worse",
    [
        replace(SURE, refusals=(0.5, 0.02)),
        replace(SURE, refusals=(0.01, 0.5)),
        replace(SURE, log_probabilities=(-1.0, -0.2)),
        replace(SURE, log_probabilities=(-0.1, -1.0)),
        replace(SURE, share=0.1),
    ],
)
def test_each_sign_of_doubt_lowers_it(worse):
    assert JUDGE.of(worse) < JUDGE.of(SURE)


def test_it_is_read_as_it_was_written_and_is_none_where_there_is_no_file(tmp_path):
    assert Confidence.read(tmp_path / FILE, fingerprint="ab") is None
    JUDGE.write(tmp_path / FILE, fingerprint="ab")
    assert Confidence.read(tmp_path / FILE, fingerprint="ab") == JUDGE


def test_what_was_measured_of_other_weights_is_not_used(tmp_path):
    JUDGE.write(tmp_path / FILE, fingerprint="ab")
    assert Confidence.read(tmp_path / FILE, fingerprint="cd") is None


def test_the_packaged_model_has_a_confidence_of_its_own():
    """After a new checkpoint: hmt-qa eval confidence --fit, on questions set apart."""
    assert LocalEngine(EMBEDDED_MODEL).confidence is not None


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"weights": [1], "bias": 0, "threshold": 0, "model": "ab"}',
     '{"weights": "x", "bias": 0, "threshold": 0, "model": "ab"}',
     '{"weights": [1, 2, 3, 4], "bias": 0, "threshold": 0, "model": "ab"}',
     json.dumps({"weights": [1, 2, 3, 4, float("nan")], "bias": 0, "threshold": 0, "model": "ab"})],
)  # fmt: skip
def test_a_file_that_holds_no_confidence_is_told_with_the_remedy(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(InvalidCheckpoint, match="fit it again"):
        Confidence.read(tmp_path / FILE, fingerprint="ab")
