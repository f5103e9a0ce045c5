"""Dockerfile and docker-compose.yml say the same, and say it safely; no Docker engine is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
PAGES = {name: service for name, service in OURS.items() if "ports" in service}
NODES = {name: service for name, service in OURS.items() if service.get("entrypoint") == ["ray"]}
TARGETS = ("cpu", "gpu")
every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
every_page = pytest.mark.parametrize("service", PAGES.values(), ids=PAGES)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest) pairs, continuation lines joined and comments dropped."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Each named build stage with its instructions, those of the stage it starts from first."""
    found: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for word, rest in instructions():
        if word == "FROM":
            parent, _, name = rest.partition(" AS ")
            current = found[name] = list(found.get(parent, []))
        current.append((word, rest))
    return found


def last(stage: str, word: str) -> str:
    return [rest for found, rest in stages()[stage] if found == word][-1]


def image_environment(stage: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for word, rest in stages()[stage] if word == "ENV" for pair in rest.split())


def test_the_compose_file_meets_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests/data/compose-spec.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []


def test_a_mistyped_key_would_not_meet_the_specification() -> None:
    schema = json.loads((ROOT / "tests/data/compose-spec.json").read_text())
    wrong = COMPOSE | {"services": {"cpu": SERVICES["cpu"] | {"read_onyl": True}}}
    assert list(jsonschema.Draft7Validator(schema).iter_errors(wrong))


@every_page
def test_the_service_runs_a_real_command_line(service: dict[str, Any]) -> None:
    assert json.loads(last(service["build"]["target"], "ENTRYPOINT")) == ["hmt-qa"]
    # The parser refuses unknown options before it comes to --help, so this reads the command without serving.
    program = Path(sys.executable).with_name("hmt-qa")
    done = subprocess.run(
        [program, *service["command"], "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"NO_COLOR": "1", "TERM": "dumb"},
    )
    assert done.returncode == 0, done.stderr


@every_page
def test_the_image_alone_runs_the_same_command(service: dict[str, Any]) -> None:
    assert json.loads(last(service["build"]["target"], "CMD")) == service["command"]


@every_page
def test_the_port_is_published_on_loopback_only(service: dict[str, Any]) -> None:
    port = service["command"][service["command"].index("--port") + 1]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert "network_mode" not in service
    assert last(service["build"]["target"], "EXPOSE") == port


@every_page
def test_listening_without_a_login_is_allowed_by_the_compose_file_and_not_by_the_image(service: dict[str, Any]) -> None:
    assert service["command"][service["command"].index("--host") + 1] == "0.0.0.0"  # noqa: S104  # what is tested
    assert service["environment"]["HMT_QA_ALLOW_UNAUTHENTICATED"] == "1"
    assert "HMT_QA_ALLOW_UNAUTHENTICATED" not in image_environment(service["build"]["target"])


@every_page
def test_the_library_lives_on_a_declared_volume(service: dict[str, Any]) -> None:
    home = service["environment"]["HMT_QA_HOME"]
    mounts = dict(volume.split(":")[1::-1] for volume in service["volumes"] if volume.endswith(home))
    assert mounts[home] in COMPOSE["volumes"]
    target = service["build"]["target"]
    assert image_environment(target)["HMT_QA_HOME"] == home == last(target, "VOLUME")


@every_service
def test_the_service_can_do_little_beyond_its_work(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["tmpfs"][0].startswith("/tmp:")  # noqa: S108  # the container's own
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert "healthcheck" in service
    assert not {"privileged", "cap_add", "pid", "ipc", "network_mode"} & service.keys()


def test_our_processes_have_an_init_and_the_images_user_and_the_database_never_begins_as_root() -> None:
    for service in OURS.values():
        assert service["init"] is True
        assert "user" not in service
    assert int(SERVICES["database"]["user"].partition(":")[0]) > 0


def test_each_profile_has_the_services_it_needs_and_one_page() -> None:
    profiles: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for profile in service["profiles"]:
            profiles.setdefault(profile, set()).add(name)
    assert profiles == {
        "cpu": {"cpu"},
        "gpu": {"gpu"},
        "postgres": {"server", "database"},
        "cluster": {"server", "database", "head", "worker"},
    }
    assert all(len(names & PAGES.keys()) == 1 for names in profiles.values())
    for service in SERVICES.values():
        for needed in service.get("depends_on", {}):
            assert set(service["profiles"]) <= set(SERVICES[needed]["profiles"])
            assert service["depends_on"][needed] == {"condition": "service_healthy"}


def test_every_build_target_is_used_and_takes_the_extras_it_is_given() -> None:
    assert stages().keys() - {"wheel", "base"} == {service["build"]["target"] for service in OURS.values()}
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    given = {service["build"].get("args", {}).get("EXTRAS", "postgres") for service in OURS.values()}
    assert ("ARG", "EXTRAS=postgres") in instructions()
    assert given == {"postgres", "cluster"} <= offered.keys()
    assert all("psycopg" in " ".join(offered[extra]) for extra in given)
    assert any(package.startswith("ray") for package in offered["cluster"])
    for target in TARGETS:
        assert last(target, "RUN").endswith('pip install -c /constraints.txt "$(echo /wheels/*.whl)[${EXTRAS}]"')
        assert ("ARG", "EXTRAS") in stages()[target]


def test_no_password_is_written_down_and_none_is_the_default() -> None:
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"${{HMT_QA_SECRETS:-./secrets}}/{name}"}
    for service in SERVICES.values():
        for variable, value in service["environment"].items():
            secret = re.search("PASSWORD|TOKEN", variable)
            assert not secret or value.removeprefix("/run/secrets/") in service["secrets"], variable
            assert not re.search(r"://[^/@]*:[^/@]*@", value), "a password in a URL"
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_database_and_the_cluster_are_reached_from_inside_only() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for service in (SERVICES["database"], *NODES.values()):
        assert service["networks"] == ["inside"]
        assert "ports" not in service
        assert "expose" not in service


def test_every_node_and_the_page_see_the_documents_at_the_same_place() -> None:
    shared = {volume for service in (*NODES.values(), SERVICES["server"]) for volume in service["volumes"]}
    assert [volume for volume in shared if "/documents:ro" in volume] == sorted(shared - {"library:/data"})
    assert len(shared) == 2
    assert len({json.dumps(node["environment"]) for node in NODES.values()}) == 1


def test_only_the_gpu_service_reserves_a_gpu() -> None:
    devices = SERVICES["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert [name for name, service in SERVICES.items() if "deploy" in service] == ["gpu"]


@pytest.mark.parametrize("target", TARGETS)
def test_the_image_runs_as_a_fixed_user_who_is_not_root(target: str) -> None:
    user, _, group = last(target, "USER").partition(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000
    assert stages()[target][-1][0] == "USER"  # nothing after it runs as someone else
    assert f"--uid {user} " in " ".join(rest for word, rest in stages()[target] if word == "RUN")


@pytest.mark.parametrize("target", TARGETS)
def test_the_health_check_is_a_python_program_asking_the_served_port(target: str) -> None:
    python, flag, program = json.loads(last(target, "HEALTHCHECK").partition(" CMD ")[2])
    assert (python, flag) == ("python", "-c")
    compile(program, "HEALTHCHECK", "exec")
    assert f"http://127.0.0.1:{last(target, 'EXPOSE')}/" in program


@pytest.mark.parametrize("target", [*TARGETS, "wheel"])
def test_pip_installs_under_the_constraints_and_keeps_no_cache(target: str) -> None:
    commands = [
        rest for word, rest in stages()[target] if word == "RUN" and re.search(r"\bpip (install|wheel)\b", rest)
    ]
    assert commands
    for command in commands:
        assert "constraints.txt" in command or "--no-deps" in command
        assert "--no-cache-dir" in command or image_environment(target)["PIP_NO_CACHE_DIR"] == "1"


def test_the_cpu_image_takes_the_cpu_build_of_torch_and_the_gpu_image_does_not() -> None:
    cpu, gpu = (" ".join(rest for _, rest in stages()[target]) for target in TARGETS)
    assert "--index-url https://download.pytorch.org/whl/cpu torch==${TORCH}" in cpu
    assert "download.pytorch.org" not in gpu
    assert ("ARG", "TORCH=2.13.0") in instructions()


def test_everything_the_wheel_is_built_from_reaches_the_builder_and_nothing_else_does() -> None:
    copied = {name for word, rest in stages()["wheel"] if word == "COPY" for name in rest.split()[:-1]}
    ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert ignore[0] == "*"
    assert {line[1:] for line in ignore if line.startswith("!")} == copied

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {Path(path).parts[0] for path in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    files = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml", "constraints.txt"}
    assert copied == packages | files
