"""The MCP server, asked by the SDK's own client over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.hmt_ui.service.conftest import SAYS, Service

T = TypeVar("T")


def agent(service: Service, work: Callable[[Client], Awaitable[T]], *, token: str = "") -> T:
    """What `work` comes to with a connected client."""

    async def connected() -> T:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(f"{service.address}mcp", http_client=http)
            async with Client(transport) as client:
                return await work(client)

    with asyncio.Runner() as runner:
        return runner.run(connected())


def test_an_agent_finds_three_tools_that_say_what_they_do(live: Service) -> None:
    tools = agent(live, lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == {"list", "search", "ask"}
    assert all(tool.description and tool.output_schema for tool in tools)


def test_an_agent_lists_searches_and_asks(live: Service) -> None:
    async def work(client: Client) -> list[dict[str, object]]:
        listed = await client.call_tool("list", {})
        found = await client.call_tool("search", {"question": "Odile", "top": 2})
        told = await client.call_tool("ask", {"question": "Who keeps the mill?"})
        return [result.structured_content for result in (listed, found, told)]

    listed, found, told = agent(live, work)
    assert {"mill.txt", "The report"} <= {document["title"] for document in listed["documents"]}  # type: ignore[attr-defined]
    assert len(found["results"]) == 2  # type: ignore[arg-type]
    assert told["answer"] == "".join(SAYS)
    assert "Odile" in told["citations"][0]["quote"]  # type: ignore[index]


def test_an_agent_is_told_what_went_wrong(live: Service) -> None:
    result = agent(live, lambda client: client.call_tool("ask", {"question": "Who?", "document": "ffffffffffff"}))
    assert result.is_error
    assert "No document" in result.content[0].text


def test_an_agent_sees_what_its_token_may_see(guarded: Service) -> None:
    for user, titles in {"alice": ["Alice's plan"], "bob": []}.items():
        listed = agent(guarded, lambda client: client.call_tool("list", {}), token=guarded.token(user))
        assert [document["title"] for document in listed.structured_content["documents"]] == titles


def test_an_agent_without_a_token_is_turned_away(guarded: Service) -> None:
    with pytest.raises(BaseException) as refused:  # noqa: PT011 - the SDK wraps it in groups of its own
        agent(guarded, lambda client: client.list_tools())
    assert refused.value
