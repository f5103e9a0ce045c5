"""The documents say what is true: commands, snippets, the tree and links are checked against the product."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from hmt_ui.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
PAGES = sorted(
    path
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("hmt_qa/**/*.md")]
)


def commands() -> dict[str, set[str]]:
    """Every command of the program with its long options."""
    group = typer.main.get_command(app)
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        for sub, leaf in getattr(command, "commands", {"": command}).items():
            options = {option for parameter in leaf.params for option in parameter.opts if option.startswith("--")}
            found[f"{name} {sub}".strip()] = options
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_is_documented_and_explains_itself(name: str) -> None:
    assert re.search(rf"`{name}[ `\[]", CLI)
    command = typer.main.get_command(app)
    for part in name.split():
        command = command.commands[part]  # type: ignore[attr-defined]
    assert command.help


@pytest.mark.parametrize("written", sorted(set(re.findall(r"--[a-z][a-z-]+", CLI))))
def test_every_documented_option_exists(written: str) -> None:
    program = {option for parameter in typer.main.get_command(app).params for option in parameter.opts}
    known = set().union(program, *commands().values()) | {"--no-recursive", "--help"}
    assert written in known


def test_the_tree_in_the_readme_is_the_tree_on_disk() -> None:
    block = README.split("## What is where", 1)[1].split("```")[1]
    parent = ""
    for line in filter(None, block.splitlines()):
        name = line.split()[0]
        parent = parent if line.startswith("  ") else name
        path = ROOT / (parent + name if line.startswith("  ") else name)
        assert path.is_dir(), line
        assert len(line.split()) > 2, f"{name} has no purpose"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = {name.split("/")[0] for name in tracked if "/" in name and not name.startswith(".")}
    assert folders == {re.split("/", line)[0] for line in block.splitlines() if line and not line.startswith(" ")}


def test_the_python_example_of_the_readme_runs(tmp_path: Path) -> None:
    snippet = README.split("```python", 1)[1].split("```", 1)[0]
    (tmp_path / "README.md").write_text(README[:1500], encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "ingested" in done.stdout
    assert "page 1" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_decisions_are_numbered_without_gaps_and_say_why() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        assert "**Decision.**" in path.read_text(encoding="utf-8")
        assert "**Why.**" in path.read_text(encoding="utf-8")


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "$ make test" in README
    assert "$ make demo" in README


def test_the_makefile_has_its_verbs() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert targets >= {"install", "check", "test", "demo", "bench", "docs"}


def test_tracked_files_fit_the_machines_that_carry_them() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    sizes = [(ROOT / name.decode()).stat().st_size for name in listed if name and (ROOT / name.decode()).exists()]
    assert sum(sizes) < 60_000_000
