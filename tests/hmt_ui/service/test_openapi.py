"""The OpenAPI document is true: whatever it allows is answered as it says, and never by a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hmt_qa.engine import LocalEngine
from tests.hmt_ui.service.conftest import MILL, Service, service, upload

EXAMPLES = 6  # an operation
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture(scope="module")
def fuzzed(engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server of this module's own: what is sent to it is nonsense."""
    with service(engine, tmp_path_factory.mktemp("fuzzed")) as running_one:
        with running_one.client() as client:
            upload(client, "mill.txt", MILL)
        yield running_one


@pytest.fixture(scope="module")
def document(fuzzed: Service) -> dict[str, object]:
    with fuzzed.client() as client:
        return dict(client.get("/api/v1/openapi.json").json())


def test_what_the_document_allows_is_answered_as_it_says(fuzzed: Service, document: dict[str, object]) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=fuzzed.address.rstrip("/"))
    for found in schema.get_all_operations():
        as_documented(found.ok())


def as_documented(operation: schemathesis.APIOperation) -> None:
    """Ask the operation a few things that the document allows."""

    @given(case=operation.as_strategy())
    @settings(max_examples=EXAMPLES, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS, timeout=60)

    check()


def test_every_route_says_what_it_is_for_and_shows_an_example(document: dict[str, object]) -> None:
    operations = [one for path in document["paths"].values() for one in path.values()]  # type: ignore[attr-defined]
    assert len(operations) > 15
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
    shown = document["components"]["schemas"]  # type: ignore[index]
    for name in ("Question", "Answer", "Document", "Job"):
        assert any("examples" in field for field in shown[name]["properties"].values()), name
