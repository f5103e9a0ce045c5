"""What docker-compose.yml starts, started without containers: the same commands, user and environment, on this machine.

Only what a container has for itself is another: hosts, ports, and the folders /data, /documents, /tmp, /run/secrets.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import postgres
from tests.test_containers import ROOT, SERVICES, image_environment, last

PATIENCE_SECONDS = 90
PROGRAMS = Path(sys.executable).parent
READING = "hmt-qa ingest /documents --engine ray --ray-address head:6379"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where the containers' folders, hosts and ports are here, and whose their processes are."""

    folder: Path
    database: int
    head: int
    page: int
    user: int | None

    def here(self, words: str) -> str:
        """A command's or a variable's words with what containers alone have replaced."""
        words = words.replace("@database/", f"@127.0.0.1:{self.database}/").replace("127.0.0.1:7860", self.address)
        words = words.replace("head:6379", f"127.0.0.1:{self.head}").replace("--port=6379", f"--port={self.head}")
        return re.sub(r"(?<![\w/])/(data|documents|tmp|run/secrets)\b", rf"{self.folder}/\1", words)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"127.0.0.1:{self.page}"

    def environment(self, service: dict[str, Any]) -> dict[str, str]:
        """The image's variables and the service's, and nothing of ours but where programs are."""
        image = image_environment(service["build"]["target"]) if "build" in service else {}
        said = {name: self.here(value) for name, value in (image | service["environment"]).items()}
        path = f"{PROGRAMS}:{os.environ['PATH']}:{postgres.programs()}"
        return said | {"PATH": path, "RAY_TMPDIR": str(self.folder / "tmp"), "PGPORT": str(self.database)}

    def command(self, service: dict[str, Any]) -> list[str]:
        """What the container would run."""
        entry = service.get("entrypoint") or json.loads(last(service["build"]["target"], "ENTRYPOINT"))
        words = [self.here(word) for word in (*entry, *service["command"])]
        if "--port" in words:
            words[words.index("--port") + 1] = str(self.page)
        return words

    def run(self, service: dict[str, Any], command: list[str]) -> subprocess.CompletedProcess[str]:
        """Another command in the container, to its end."""
        words = [self.here(word) for word in command]
        return subprocess.run(words, **self._like(service), capture_output=True, text=True, timeout=120, check=False)

    @contextmanager
    def up(self, service: dict[str, Any], name: str) -> Iterator[None]:
        """The container while it runs; healthy when this is entered."""
        log = self.folder / f"{name}.log"
        with log.open("w") as output:
            process = subprocess.Popen(self.command(service), **self._like(service), stdout=output, stderr=output)
            try:
                self._wait_until_healthy(service, process, log)
                yield
            finally:
                process.terminate()
                process.wait(30)

    def healthy(self, service: dict[str, Any]) -> bool:
        """What the service's own check says, or the image's."""
        test = service["healthcheck"].get("test")
        kind, *command = test or ["CMD", *json.loads(last(service["build"]["target"], "HEALTHCHECK").split("CMD ")[1])]
        assert kind == "CMD"
        return self.run(service, command).returncode == 0

    def _like(self, service: dict[str, Any]) -> dict[str, Any]:
        account = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        return account | {"env": self.environment(service), "cwd": self.folder / "data"}

    def _wait_until_healthy(self, service: dict[str, Any], process: subprocess.Popen[bytes], log: Path) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until and process.poll() is None:
            if self.healthy(service):
                return
            time.sleep(0.2)
        raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    if why := postgres.missing_programs():
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="hmt-", dir="/tmp"))
    for name in ("data", "documents", "tmp", "run/secrets"):
        (folder / name).mkdir(parents=True)
    for name, secret in {"database-password": "p@ss/word:1", "cluster-token": "0123456789abcdef" * 2}.items():
        (folder / "run/secrets" / name).write_text(secret)
    (folder / "documents/mill.txt").write_text("The mill is kept by Odile. " * 12)
    database, head, page = _free_ports(3)
    machine = Machine(folder=folder, database=database, head=head, page=page, user=_user_of_the_image(folder))
    for path in (folder, folder / "data", folder / "tmp") if machine.user else ():
        os.chown(path, machine.user, machine.user)
    yield machine
    shutil.rmtree(folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


def _user_of_the_image(folder: Path) -> int | None:
    """Its number, where we may become it and it may read this environment; else we stay who we are."""
    if os.geteuid() != 0:
        return None
    user = int(last("cpu", "USER").partition(":")[0])
    folder.chmod(0o755)
    like: dict[str, Any] = {"user": user, "group": user, "extra_groups": [], "cwd": "/", "env": {}}
    try:
        subprocess.run([sys.executable, "-c", "import hmt_qa"], **like, capture_output=True, check=True)
    except (OSError, subprocess.SubprocessError):  # Python's own folder may be root's alone
        return None
    return user


def test_a_cluster_reads_into_the_database_and_the_page_answers_from_it(machine: Machine) -> None:
    environment = machine.environment(SERVICES["database"])
    with ExitStack() as running:
        running.enter_context(postgres.as_its_image_runs(environment, port=machine.database))
        assert machine.healthy(SERVICES["database"])
        running.enter_context(machine.up(SERVICES["head"], "head"))
        running.enter_context(machine.up(SERVICES["worker"], "worker"))
        done = machine.run(SERVICES["head"], [*READING.split(), "--json"])
        assert done.returncode == 0, done.stderr
        (result,) = map(json.loads, done.stdout.splitlines())
        assert result["status"] == "ingested"
        running.enter_context(machine.up(SERVICES["server"], "server"))
        (listed,) = httpx.get(f"http://{machine.address}/api/v1/documents", timeout=30).json()["documents"]
        assert (listed["id"], listed["file"]) == (result["document"], "mill.txt")


def test_how_to_read_on_the_cluster_is_said_as_it_was_tested() -> None:
    for told in ("docker-compose.yml", "docs/containers.md"):
        assert f"docker compose --profile cluster exec head {READING}" in (ROOT / told).read_text()
