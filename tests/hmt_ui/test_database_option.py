"""The library of a command may be on a server: one option of the program, or a setting."""

from __future__ import annotations

import json

import pytest

from hmt_ui import settings
from hmt_ui.cli import main

LONG = "The whale surfaced at dawn. " * 40


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["hmt-qa", *map(str, arguments)])
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return code, [json.loads(line) for line in said.out.splitlines() if line.startswith("{")], said.err

    yield call
    settings.before_the_command()


def test_a_document_is_read_into_a_library_on_a_server_and_listed_and_removed(run, postgres_url, tmp_path):
    file = tmp_path / "whale.txt"
    file.write_text(LONG)
    here = ("--database", postgres_url)
    home = ("--home", tmp_path / "home", "--json")
    code, (result,), _ = run(*here, "ingest", file, *home)
    assert (code, result["status"]) == (0, "ingested")
    assert [row["id"] for row in run(*here, "ls", *home)[1]] == [result["document"]]
    assert run("ls", *home)[1] == []  # the home's own library
    assert run(*here, "search", "whale", "--using", "keyword", *home)[1][0]["document"] == result["document"]
    assert all(row["ok"] for row in run(*here, "doctor", *home)[1])
    assert run(*here, "rm", result["document"], *home)[0] == 0
    assert run(*here, "ls", *home)[1] == []


def test_the_url_comes_from_the_environment_and_is_shown_without_its_password(run, monkeypatch, tmp_path):
    monkeypatch.setenv("HMT_QA_DATABASE", "postgresql+psycopg://me:hunter2@nowhere/name")
    _, rows, _ = run("config", "show", "--home", tmp_path, "--json")
    (shown,) = [row for row in rows if row["setting"] == "database"]
    assert (shown["value"], shown["origin"]) == ("postgresql+psycopg://me:***@nowhere/name", "environment")


def test_a_server_that_is_not_there_is_one_line_and_exit_code_one(run, tmp_path):
    code, _, said = run("--database", "postgresql+psycopg://me:hunter2@127.0.0.1:1/name", "ls", "--home", tmp_path)
    assert code == 1
    assert len(said.splitlines()) == 1
    assert "hunter2" not in said


def test_a_kind_of_database_that_nobody_keeps_libraries_in_is_named(run, tmp_path):
    code, _, said = run("--database", "mongodb://host/name", "ls", "--home", tmp_path)
    assert code == 1
    assert "'mongodb'" in said


def test_a_password_comes_from_a_file_as_containers_have_it(run, monkeypatch, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("p@ss/word\n")
    monkeypatch.setenv("HMT_QA_DATABASE", "postgresql+psycopg://me@nowhere/name")
    monkeypatch.setenv("HMT_QA_DATABASE_PASSWORD_FILE", str(secret))
    loaded = settings.load(home=tmp_path)
    assert loaded.library_url == "postgresql+psycopg://me:p%40ss%2Fword@nowhere/name"
    assert "p%40ss" not in repr(loaded) + loaded.place


@pytest.mark.parametrize("written", [None, " \n"], ids=["missing", "empty"])
def test_a_password_file_without_a_password_is_one_line_and_exit_code_one(run, monkeypatch, tmp_path, written):
    secret = tmp_path / "secret"
    if written is not None:
        secret.write_text(written)
    monkeypatch.setenv("HMT_QA_DATABASE_PASSWORD_FILE", str(secret))
    code, _, said = run("--database", "postgresql+psycopg://me@127.0.0.1:1/name", "ls", "--home", tmp_path)
    assert (code, len(said.splitlines())) == (1, 1)
    assert str(secret) in said
