"""Folders and zipped repositories, file by file in line, withdrawn from it, and after a restart."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from hmt_qa.engine import LocalEngine
from hmt_qa.types import IngestOptions, ParsingLimits
from hmt_ui.service.limits import Limits
from tests.hmt_ui.service.conftest import MILL, PATIENCE_SECONDS, Service, service, upload

FILES = {
    "mill/.gitignore": "*.log\n",
    "mill/README.md": "# The mill\n\nIt is kept by Odile.\n",
    "mill/src/mill.py": "def grind():\n    return 'flour'\n",
    "mill/src/notes/mill.py": "def rest():\n    return 'quiet'\n",
    "mill/debug.log": "noise\n",
    "mill/.env": "PASSWORD=hunter2\n",
    "mill/.git/config": "[core]\n",
}
READ = ["mill/.gitignore", "mill/README.md", "mill/src/mill.py", "mill/src/notes/mill.py"]


def sent(client: httpx.Client, files: dict[str, str], **form: str) -> httpx.Response:
    """A folder as a browser sends it."""
    parts = [("file", (name, content.encode())) for name, content in files.items()]
    return client.post("/api/v1/folders", files=parts, data=form)


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def listed(client: httpx.Client, collection: str) -> dict[str, str]:
    """File to document id, of what can be asked."""
    documents = client.get("/api/v1/documents", params={"collection": collection}).json()["documents"]
    return {one["file"]: one["id"] for one in documents}


def forget(client: httpx.Client, collection: str) -> None:
    for document in listed(client, collection).values():
        assert client.delete(f"/api/v1/documents/{document}").status_code == 204


@pytest.mark.parametrize("how", ["file by file", "zipped"])
def test_a_folder_is_read_as_the_tree_it_is_and_sent_again_it_is_brought_up_to_date(
    client: httpx.Client, live: Service, how: str
) -> None:
    def send(files: dict[str, str]) -> dict[str, object]:
        packed = {"file": ("mill-1.zip", zipped(files))}
        answer = (
            client.post("/api/v1/folders", files=packed, data={"collection": how})
            if how == "zipped"
            else sent(client, files, collection=how)
        )
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    taken = send(FILES)
    assert (taken["name"], [one["file"] for one in taken["files"]]) == ("mill", READ)  # type: ignore[union-attr, index]
    assert taken["left_out"] == {".env": "may hold secrets, by its name"}
    until(lambda: sorted(listed(client, how)) == READ)
    before = listed(client, how)
    text = client.get(f"/api/v1/documents/{before['mill/src/notes/mill.py']}/pages/1").json()["text"]
    assert text == FILES["mill/src/notes/mill.py"]

    again = send(FILES | {"mill/README.md": "# The mill\n\nIt is kept by Ines.\n"})
    assert [one["known"] for one in again["files"]] == [True, False, True, True]  # type: ignore[union-attr, index]
    until(lambda: not client.get("/api/v1/jobs").json()["waiting"])
    after = listed(client, how)
    assert sorted(after) == READ
    readme = client.get(f"/api/v1/documents/{after['mill/README.md']}/pages/1").json()
    assert "Ines" in readme["text"]
    forget(client, how)
    assert not list((live.home / "uploads").rglob("+mill"))


def test_hostile_and_empty_folders_are_refused_with_a_reason(client: httpx.Client, live: Service) -> None:
    for files, says in [
        ({"mill/a.txt": "words", "../../evil.txt": "words"}, "no place inside it"),
        ({"a": "a file", "a/b.txt": "words"}, "Two files are called"),
        ({"mill/.env": "PASSWORD=hunter2"}, "may hold secrets"),
        ({"evil.zip": "PK no zip"}, "evil.zip is damaged"),
    ]:
        refused = sent(client, files)
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
        assert says in refused.json()["detail"] + refused.json()["remedy"]
        assert str(live.home) not in refused.text
    assert not list(live.home.rglob("evil*"))


def test_a_folder_that_does_not_fit_the_one_of_its_name_is_refused(client: httpx.Client) -> None:
    assert sent(client, {"gate/part/a.txt": "The gate is red."}, collection="fit").status_code == 202
    until(lambda: listed(client, "fit"))
    refused = sent(client, {"gate/part": "The gate is a file."}, collection="fit")
    assert refused.status_code == 422
    assert "another name" in refused.json()["remedy"]
    forget(client, "fit")


def test_uploads_are_parsed_within_the_settings_limits(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ParsingLimits] = []

    def ingest(*_: object, options: IngestOptions, **__: object) -> Iterator[None]:
        seen.append(options.limits)
        return iter(())

    with service(engine, tmp_path, parsing=ParsingLimits(memory_mb=77)) as one, one.client() as client:
        monkeypatch.setattr(one.qa, "ingest", ingest)
        client.post("/api/v1/documents", files={"file": ("lamp.txt", b"The lamp is green.")})
        until(lambda: seen)
    assert seen == [ParsingLimits(memory_mb=77)]


def test_a_folder_above_the_quota_is_refused(engine: LocalEngine, tmp_path: Path) -> None:
    with service(engine, tmp_path, limits=Limits(upload_mb=1)) as small, small.client() as client:
        assert sent(client, {f"a/{number}.txt": "x" * 700_000 for number in range(2)}).status_code == 413


def test_a_file_in_line_is_withdrawn_and_no_restart_reads_it(engine: LocalEngine, tmp_path: Path) -> None:
    with service(engine, tmp_path) as one, one.client() as client:
        assert sent(client, {f"many/{number}.txt": f"{number} {MILL * 40}" for number in range(8)}).status_code == 202
        waiting = client.get("/api/v1/jobs").json()["waiting"]
        gone = waiting[-1]
        assert client.post("/api/v1/jobs/withdraw", json={"file": gone}).json() == {"files": [gone]}
        assert client.post("/api/v1/jobs/withdraw", json={"file": gone}).status_code == 404
        assert not (tmp_path / "uploads" / f"+{gone}").exists()
        left = client.post("/api/v1/jobs/withdraw-all").json()["files"]
        assert gone not in left
        assert len(left) >= 3
        until(lambda: not client.get("/api/v1/jobs").json()["waiting"])
        read = listed(client, "default")
        assert not set(read) & {gone, *left}
    with service(engine, tmp_path) as one, one.client() as client:
        assert client.get("/api/v1/jobs").json()["waiting"] == []
        assert listed(client, "default") == read


def test_one_that_was_begun_is_withdrawn_as_a_cancelled_job_that_can_go_on(engine: LocalEngine, tmp_path: Path) -> None:
    with service(engine, tmp_path) as one, one.client() as client:
        file = client.post("/api/v1/documents", files={"file": ("long.txt", (MILL + "\f") * 200)}).json()["file"]
        jobs: list[dict[str, object]] = []

        def reading() -> bool:
            jobs[:] = [job for job in client.get("/api/v1/jobs").json()["jobs"] if job["file"] == file]
            return any(job["segments_done"] for job in jobs)

        until(reading)
        assert client.post("/api/v1/jobs/withdraw", json={"file": file}).status_code == 202
        until(lambda: client.get(f"/api/v1/jobs/{jobs[0]['id']}").json()["state"] == "cancelled")
    with service(engine, tmp_path) as one, one.client() as client:
        assert client.get("/api/v1/jobs").json()["waiting"] == []
        assert client.post(f"/api/v1/jobs/{jobs[0]['id']}/resume").status_code == 202


def test_nobody_withdraws_what_is_another_users(guarded: Service) -> None:
    with guarded.client(guarded.token("alice")) as alice, guarded.client(guarded.token("bob")) as bob:
        sent(alice, {f"slow/{number}.txt": f"{number} {MILL * 40}" for number in range(4)})
        waiting = alice.get("/api/v1/jobs").json()["waiting"]
        assert waiting
        assert bob.get("/api/v1/jobs").json()["waiting"] == []
        assert bob.post("/api/v1/jobs/withdraw", json={"file": waiting[-1]}).status_code == 404
        assert bob.post("/api/v1/jobs/withdraw-all").json() == {"files": []}
        alice.post("/api/v1/jobs/withdraw-all")
        until(lambda: not alice.get("/api/v1/jobs").json()["waiting"])
        for document in alice.get("/api/v1/documents").json()["documents"]:
            if document["file"].startswith("slow/"):
                alice.delete(f"/api/v1/documents/{document['id']}")


def test_a_single_upload_beside_folders_keeps_its_own_place(client: httpx.Client) -> None:
    made = upload(client, "mill.py", "def single():\n    return 1\n", collection="beside")
    assert str(made["file"]).endswith("/mill.py")
    forget(client, "beside")
