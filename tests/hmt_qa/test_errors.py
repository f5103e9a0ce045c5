"""The error tree: drawn as it is, one line each, whole after a trip between processes."""

from __future__ import annotations

import inspect
import multiprocessing
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from hmt_qa import errors
from hmt_qa.errors import HmtQaError

CLASSES = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, HmtQaError)]
every_class = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)


def make(kind: type[HmtQaError]) -> HmtQaError:
    return kind("Something\nbroke.", subject=Path("/a/b"), remedy="Mend  it.")


def fail(kind: type[HmtQaError]) -> None:
    raise make(kind)


@every_class
def test_an_error_keeps_its_kind_message_subject_and_remedy_through_pickling(kind):
    problem = pickle.loads(pickle.dumps(make(kind)))  # noqa: S301 (our own bytes)
    assert type(problem) is kind
    assert (problem.message, problem.subject, problem.remedy) == ("Something\nbroke.", Path("/a/b"), "Mend  it.")


def test_an_error_raised_in_another_process_arrives_whole():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        problem = pool.submit(fail, errors.QuestionTooLong).exception(timeout=60)
    assert type(problem) is errors.QuestionTooLong
    assert (str(problem), problem.subject) == (str(make(errors.QuestionTooLong)), Path("/a/b"))


@every_class
def test_an_error_reads_as_one_line_that_ends_with_the_remedy(kind):
    assert str(make(kind)) == "Something broke. Mend it."
    assert str(kind("Something broke.")) == "Something broke."


def test_the_tree_in_the_docstring_is_the_tree_of_classes():
    assert re.findall(r"^[│├└─ ]*(\w+)", errors.__doc__.partition("\n\n")[2], re.MULTILINE) == [
        kind.__name__ for kind in in_tree_order(HmtQaError)
    ]


@every_class
def test_the_tree_draws_each_class_below_its_parent(kind):
    depths = {name: len(lead) // 4 for lead, name in re.findall(r"^([│├└─ ]*)(\w+)", errors.__doc__, re.MULTILINE)}
    assert depths[kind.__name__] == len(kind.__mro__) - len(HmtQaError.__mro__)


def in_tree_order(kind: type[HmtQaError]) -> list[type[HmtQaError]]:
    ours = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return [kind, *(below for child in ours for below in in_tree_order(child))]
