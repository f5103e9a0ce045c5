"""Other readers and other backbones by the real command line; keys stay where they are."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import NoKeyringError
from transformers import AutoModelForCausalLM

from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.types import OPENAI_URL
from hmt_ui.keys import reader_key
from tests.hmt_qa.endpoint import Endpoint, serving
from tests.hmt_qa.models import FAMILIES, backbone_config
from tests.hmt_ui.calling import Run, one_line

KEY = "sk-a-key-that-nobody-may-see"
TEXT = "The ferry Corisande carries wool to Lerwick. Its captain, Tobias Wren, was born in Bergen.\n"


class DictionaryKeyring(KeyringBackend):
    """Keeps passwords as long as the test."""

    priority = 1

    def __init__(self, passwords: dict[tuple[str, str], str]) -> None:
        super().__init__()
        self.passwords = passwords

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password


class LockedKeyring(DictionaryKeyring):
    """As on a server: there is none."""

    def get_password(self, service: str, username: str) -> str | None:
        raise NoKeyringError


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    with serving() as started:
        monkeypatch.setenv("HMT_QA_READER_URL", started.url)
        started.pieces = ["Tobias ", "Wren"]
        yield started


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No key but what a test gives."""
    for name in ("HMT_QA_READER_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(DictionaryKeyring({}))
    yield
    keyring.set_keyring(before)


@pytest.fixture
def ferry(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "ferry.txt"
    path.write_text(TEXT)
    run("ingest", path)
    return path


def test_an_endpoint_answers_with_our_citations(run: Run, ferry: Path, endpoint: Endpoint) -> None:
    (answer,) = run("ask", "Who was born in Bergen?", "--reader", "openai:local", "--json").rows
    assert (answer["answer"], answer["model"]) == ("Tobias Wren", "openai:local")
    (citation,) = answer["citations"]
    assert citation["quote"] == TEXT[citation["char_start"] : citation["char_end"]]
    assert "Tobias Wren" in citation["quote"]


def test_a_failing_endpoint_is_one_line_and_the_key_is_in_no_output(
    run: Run, ferry: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HMT_QA_READER_KEY", KEY)
    endpoint.status = 401
    with caplog.at_level(logging.DEBUG):
        outcome = run("--verbose", "ask", "Who?", "--reader", "openai:local")
    assert (outcome.code, outcome.out) == (1, "")
    assert one_line(outcome.err)
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    assert KEY not in outcome.err + caplog.text
    shown = run("config", "show", "--json")
    assert "reader_url" in shown.out
    assert KEY not in shown.out


def test_a_key_in_the_configuration_file_is_refused_without_repeating_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text(f'reader_key = "{KEY}"\n')
    outcome = run("config", "show")
    assert outcome.code == 1
    assert "reader_key" in outcome.err
    assert KEY not in outcome.err + outcome.out


def test_the_key_comes_from_the_environment_or_the_keyring_of_that_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reader_key("http://local/v1") == ""
    keyring.set_password("hmt-qa", "http://local/v1", "from the keyring")
    assert reader_key("http://local/v1") == "from the keyring"
    assert reader_key("http://other/v1") == ""
    monkeypatch.setenv("HMT_QA_READER_KEY", "from the environment")
    assert reader_key("http://local/v1") == "from the environment"


def test_openais_own_key_goes_to_openai_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert reader_key(OPENAI_URL) == KEY
    assert reader_key("http://local/v1") == ""


def test_openais_own_key_is_not_sent_to_another_address(
    run: Run, ferry: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert run("ask", "Who?", "--reader", "openai:local").code == 0
    assert KEY not in str(endpoint.headers)


def test_a_machine_without_a_keyring_has_no_key() -> None:
    keyring.set_keyring(LockedKeyring({}))
    assert reader_key("http://local/v1") == ""


@pytest.mark.parametrize(
    ("reader", "says"), [("oracle", "hf:FOLDER"), ("hf:/nowhere", "/nowhere"), ("openai:", "openai:MODEL")]
)
def test_a_reader_that_cannot_be_opened_is_one_line(run: Run, ferry: Path, reader: str, says: str) -> None:
    outcome = run("ask", "Who?", "--reader", reader)
    assert (outcome.code, outcome.out) == (1, "")
    assert one_line(outcome.err)
    assert says in outcome.err


def test_doctor_opens_the_reader_and_shows_no_key(
    run: Run, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMT_QA_READER", "openai:local")
    monkeypatch.setenv("HMT_QA_READER_KEY", KEY)
    (found,) = [row for row in run("doctor", "--json").rows if row["check"] == "reader"]
    assert found["ok"]
    assert found["detail"] == f"openai:local at {endpoint.url}, with a key; not called"
    assert endpoint.asked == []
    monkeypatch.setenv("HMT_QA_READER", "oracle")
    outcome = run("doctor", "--json")
    assert outcome.code == 1
    assert [row["check"] for row in outcome.rows if not row["ok"]] == ["reader"]


@pytest.fixture(params=FAMILIES)
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A random causal language model as Hugging Face saves it, with a tokenizer."""
    folder = tmp_path / request.param
    changes = {} if request.param == "mamba" else {"max_position_embeddings": 1024}
    AutoModelForCausalLM.from_config(backbone_config(request.param, vocab_size=16384, **changes)).save_pretrained(
        folder
    )
    shutil.copy(EMBEDDED_MODEL / "tokenizer.json", folder)
    return folder


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_any_causal_language_model_is_a_backbone_and_a_reader(
    run: Run, plain: Path, tmp_path: Path, dtype: str
) -> None:
    """Five segments of 256 tokens: more than the 1,024 positions that OPT has."""
    path = tmp_path / "long.txt"
    path.write_text(TEXT * 50)
    own = ("--model", plain, "--dtype", dtype, "--json")
    (row,) = run("ingest", path, *own).rows
    assert (row["status"], row["error"]) == ("ingested", "")
    assert row["segments"] >= 4
    for options in ((), ("--mode", "memory"), ("--reader", f"hf:{plain}")):
        (answer,) = run("ask", "Who was born in Bergen?", "--top", 12, *options, *own).rows
        assert answer["model"].startswith(plain.name)
        assert answer["citations"]
