"""Jupyter notebooks: cells and what they printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nbformat import v4

from hmt_qa.errors import CorruptFile, EmptyFile
from tests.hmt_ingest.opened import read, texts


def saved(path: Path, *cells) -> Path:
    path.write_text(json.dumps(v4.new_notebook(cells=list(cells))))
    return path


def test_a_cell_is_a_page_with_what_running_it_printed(tmp_path):
    outputs = [
        v4.new_output("stream", text="counting\nowls\n"),
        v4.new_output("execute_result", data={"text/plain": "12", "text/html": "<b>12</b>"}),
        v4.new_output("display_data", data={"image/png": "iVBORw0KGgo="}),
        v4.new_output("display_data", data={"text/html": "<table><tr><td>a<td>b</table>"}),
        v4.new_output("error", ename="ValueError", evalue="no owl", traceback=["\x1b[31mlong\x1b[0m"]),
    ]
    source, pages = read(
        saved(
            tmp_path / "a.ipynb",
            v4.new_markdown_cell("# Counting owls\nin the wood"),
            v4.new_code_cell(""),
            v4.new_code_cell("count(owls)", outputs=outputs),
        )
    )
    assert [(page.label, page.text) for page in pages] == [
        ("cell 1", "# Counting owls\nin the wood\n"),
        ("cell 3", "count(owls)\n\ncounting\nowls\n\n12\n\na | b\n\nValueError: no owl\n"),
    ]
    assert (source.title, source.media_type) == ("Counting owls", "application/x-ipynb+json")


def test_older_notebooks_are_read_too(tmp_path):
    path = tmp_path / "a.ipynb"
    cell = {"cell_type": "code", "language": "python", "input": ["a = 1\n", "a"], "outputs": [], "collapsed": False}
    path.write_text(
        json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [cell]}]})
    )
    assert texts(path) == [("cell 1", "a = 1\na\n")]


def test_what_is_no_notebook_and_what_is_empty_are_told_apart(tmp_path):
    path = tmp_path / "a.ipynb"
    for content in (b"words", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(CorruptFile, match="no notebook"):
            read(path)
    with pytest.raises(EmptyFile):
        read(saved(path, v4.new_code_cell(" \n")))
