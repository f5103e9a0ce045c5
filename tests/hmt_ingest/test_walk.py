"""The tree walk, checked against git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmt_ingest.gitrules import IgnoreRules
from hmt_ingest.registry import installed_readers
from hmt_ingest.suitability import MAX_BYTES, MAX_GENERATED_BYTES, Suitability
from hmt_ingest.walk import Found, Skipped, Walk

GIT_ENV = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "XDG_CONFIG_HOME": os.devnull}


def walk(*paths: Path, **settings: object) -> list[Found | Skipped]:
    return list(Walk(suitability=Suitability(installed_readers()), **settings).files(paths))


def names(root: Path, **settings: object) -> list[str]:
    return [entry.path.relative_to(root).as_posix() for entry in walk(root, **settings) if isinstance(entry, Found)]


def reasons(root: Path) -> dict[str, str]:
    return {entry.path.relative_to(root).as_posix(): entry.reason for entry in walk(root) if isinstance(entry, Skipped)}


def make(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, env=GIT_ENV
    ).stdout


def listed_by_git(root: Path) -> list[str]:
    output = git(root, "ls-files", "--others", "--cached", "--exclude-standard", "-z")
    return sorted(output.split("\0")[:-1], key=lambda name: name.split("/"))


def test_the_walk_agrees_with_git_on_a_repository(tmp_path):
    root = make(
        tmp_path,
        {
            ".gitignore": "*.log\n!keep.log\n/build/\ncache\ndocs/**/draft*\n# comment\n\\#odd\ntrailing.txt   \n"
            "deep/**\n!deep/stay.txt\na?c.txt\n[xy].txt\n!/sub/inner/\nsub/skip/*\n!sub/skip/not.txt\n**/any/one.txt\n",
            "keep.log": "x",
            "other.log": "x",
            "build/out.txt": "x",
            "sub/build/out.txt": "x",
            "sub/cache/x.txt": "x",
            "cache": "x",
            "docs/draft.md": "x",
            "docs/a/b/draft2.md": "x",
            "docs/a/final.md": "x",
            "#odd": "x",
            "trailing.txt": "x",
            "deep/stay.txt": "x",
            "deep/go.txt": "x",
            "deep/er/stay.txt": "x",
            "abc.txt": "x",
            "x.txt": "x",
            "z.txt": "x",
            "sub/.gitignore": "!other.log\n*.tmp\ninner/*.txt\n!inner/b.txt\n",
            "sub/other.log": "x",
            "sub/a.tmp": "x",
            "sub/inner/a.txt": "x",
            "sub/inner/b.txt": "x",
            "sub/skip/not.txt": "x",
            "sub/skip/yes.txt": "x",
            "p/any/one.txt": "x",
            "build.txt": "x",
            "out/.gitignore": "*\n!.gitignore\n",
            "out/x.txt": "x",
            "local.txt": "x",
            "local/keep.md": "x",
            "ünï cödé/naïve.txt": "x",
        },
    )
    git(root, "init", "-q")
    (root / ".git/info/exclude").write_text("local*\n")
    git(root, "add", "keep.log", "z.txt")
    expected = listed_by_git(root)
    assert names(root) == expected
    assert len(expected) == 13
    for below in ("sub", "docs", "out"):
        inside = [name.removeprefix(f"{below}/") for name in expected if name.startswith(f"{below}/")]
        assert names(root / below) == inside


NAMES = st.sampled_from(["a", "b", "ab", "a.c", "b.c", "é"])
GLOBS = st.sampled_from(["a", "b", "*", "a*", "*.c", "?", "[ab]", "**", "!a", "ab", "[!a]", "é", "\\a"])
PATTERNS = st.builds(
    lambda negated, anchored, parts, folder: negated + anchored + "/".join(parts) + folder,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(GLOBS, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
TREES = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(tree=TREES, top=st.lists(PATTERNS, max_size=5), deeper=st.lists(PATTERNS, max_size=3))
def test_random_ignore_files_decide_as_git_decides(tmp_path_factory, tree, top, deeper):
    root = tmp_path_factory.mktemp("repo")
    for name in tree:
        path = root / name
        if not any(parent.is_file() for parent in path.parents) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
    (root / ".gitignore").write_text("\n".join([*top, ""]))
    if (root / "a").is_dir():
        (root / "a" / ".gitignore").write_text("\n".join([*deeper, ""]))
    git(root, "init", "-q", "--template=")
    assert names(root) == [name for name in listed_by_git(root) if (root / name).stat().st_size]


def commit(root: Path) -> None:
    git(root, "add", "--all", "--force")
    git(root, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "all")


@pytest.fixture
def with_submodule(tmp_path):
    """A repository with a submodule in `vendor/part`, each with ignore files of its own."""
    part = make(tmp_path / "part", {"a.txt": "x", "b.log": "x", ".gitignore": "*.tmp\n"})
    git(part, "init", "-q")
    commit(part)
    root = make(tmp_path / "whole", {"c.txt": "x", ".gitignore": "*.log\n"})
    git(root, "init", "-q")
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(part), "vendor/part")
    commit(root)
    return root


def test_a_submodule_is_walked_by_its_own_rules(with_submodule):
    make(with_submodule, {"d.log": "x", "vendor/part/e.tmp": "x", "vendor/part/f.own": "x", "vendor/part/g.txt": "x"})
    (with_submodule / ".git/modules/vendor/part/info").mkdir(exist_ok=True)
    (with_submodule / ".git/modules/vendor/part/info/exclude").write_text("*.own\n")
    inside = listed_by_git(with_submodule / "vendor/part")
    assert inside == [".gitignore", "a.txt", "b.log", "g.txt"]
    assert names(with_submodule / "vendor/part") == inside
    own = [name for name in listed_by_git(with_submodule) if name != "vendor/part"]
    assert names(with_submodule) == sorted([*own, *(f"vendor/part/{name}" for name in inside)])


def test_a_worktree_obeys_the_exclude_file_of_its_repository(with_submodule, tmp_path):
    (with_submodule / ".git/info").mkdir(exist_ok=True)
    (with_submodule / ".git/info/exclude").write_text("*.own\n")
    tree = tmp_path / "tree"
    git(with_submodule, "worktree", "add", "--quiet", str(tree))
    make(tree, {"f.own": "x", "g.txt": "x"})
    expected = [name for name in listed_by_git(tree) if name != "vendor/part"]
    assert names(tree) == expected
    assert "g.txt" in expected
    assert "f.own" not in expected


def test_a_submodule_that_is_not_checked_out_is_named(with_submodule, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(with_submodule), str(clone))
    assert reasons(clone) == {"vendor/part": "submodule that is not checked out"}


SECRETS = (
    ".env .env.production prod.env id_rsa id_ed25519.old server.pem server.key store.p12 keys.jks passwords.kdbx "
    ".netrc .pgpass .npmrc .pypirc .htpasswd .git-credentials credentials credentials.json Credentials.CSV "
    "secrets.yaml my-credentials.json client_secret_1.json terraform.tfstate prod.tfvars .ssh/config "
    ".aws/config .kube/config"
).split()
ORDINARY = (
    ".env.example .env.sample id_rsa.pub secrets.py credentials.go secrets.md environment.txt keyboard.txt "
    "token.py password_reset.html"
).split()


def test_files_like_secrets_are_left_out_and_named_unless_they_are_given(tmp_path):
    root = make(tmp_path, dict.fromkeys([*SECRETS, *ORDINARY], "x"))
    (root / "notes.txt").write_text("Deploy with:\n-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")
    (root / "public.txt").write_text("-----BEGIN PUBLIC KEY-----\nabc\n")
    assert sorted(names(root)) == sorted([*ORDINARY, "public.txt"])
    told = reasons(root)
    assert told.pop("notes.txt") == "holds a private key"
    assert told == dict.fromkeys(SECRETS, "may hold secrets, by its name")
    assert walk(root / ".env", root / "id_rsa") == [
        Found(root / ".env", named=True),
        Found(root / "id_rsa", named=True),
    ]


def test_a_given_file_is_taken_even_if_ignored(tmp_path):
    root = make(tmp_path, {".gitignore": "*.log\n", "a.log": "x", "b.txt": "x"})
    assert names(root) == [".gitignore", "b.txt"]
    assert walk(root / "a.log") == [Found(root / "a.log", named=True)]


def test_a_file_given_twice_is_found_once(tmp_path):
    root = make(tmp_path, {"a.txt": "x", "b.txt": "x"})
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(root)
    found = walk(root / "b.txt", root, root / "." / "a.txt", link)
    assert [entry.path.name for entry in found] == ["b.txt", "a.txt"]


def test_tool_folders_are_never_entered(tmp_path):
    inside = [".git/config", ".hg/x", "node_modules/m/index.js", "__pycache__/a.txt", "s/.venv/lib.py"]
    root = make(tmp_path, dict.fromkeys([*inside, "a.py"], "x"))
    assert names(root) == ["a.py"]


def test_links_are_not_followed_and_those_to_outside_are_named(tmp_path):
    root = make(tmp_path / "in", {"a/x.txt": "x"})
    make(tmp_path / "out", {"secret.txt": "x"})
    (root / "a" / "loop").symlink_to(root)
    (root / "same.txt").symlink_to(root / "a" / "x.txt")
    (root / "file.txt").symlink_to(tmp_path / "out" / "secret.txt")
    (root / "folder").symlink_to(tmp_path / "out")
    assert names(root) == ["a/x.txt"]
    assert reasons(root) == dict.fromkeys(["file.txt", "folder"], "link to outside the folder")


def test_what_is_not_worth_reading_is_named_with_the_reason(tmp_path):
    root = make(
        tmp_path,
        {
            "fine.js": "let a = 1;\n" * 9_000,
            "a.min.js": "x",
            "a.js.map": "x",
            "bundle.js": "x" * 5_000,
            "long.txt": "x" * 5_000,
            "__init__.py": "",
            "small.json": "{}",
            "~$report.docx": "x",
            "._report.pdf": "x",
            "package-lock.json": "x" * (MAX_GENERATED_BYTES + 1),
        },
    )
    (root / "picture.png").write_bytes(b"\x89PNG\0\0")
    (root / "scan.bin").write_bytes(b"%PDF-1.7 \0\0")
    with (root / "huge.txt").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    os.mkfifo(root / "pipe")
    assert names(root) == ["fine.js", "long.txt", "scan.bin", "small.json"]
    assert reasons(root) == {
        "__init__.py": "empty",
        "._report.pdf": "left behind by another program",
        "~$report.docx": "left behind by another program",
        "a.js.map": "minified",
        "a.min.js": "minified",
        "bundle.js": "minified",
        "huge.txt": "larger than 200 MB",
        "package-lock.json": "generated data larger than 2 MB",
        "picture.png": "binary",
        "pipe": "not a regular file",
    }


def test_include_and_exclude_are_relative_to_the_given_folder(tmp_path):
    root = make(tmp_path, dict.fromkeys(["a.md", "b.py", "docs/c.md", "docs/old/d.md", "src/e.py"], "x"))
    assert names(root, include=("*.md",)) == ["a.md", "docs/c.md", "docs/old/d.md"]
    assert names(root, include=("/docs/",)) == ["docs/c.md", "docs/old/d.md"]
    assert names(root, include=("*.md",), exclude=("old/",)) == ["a.md", "docs/c.md"]
    assert names(root, exclude=("/*.md", "src")) == ["b.py", "docs/c.md", "docs/old/d.md"]
    assert names(root / "docs", include=("/c.md",)) == ["c.md"]


def test_exclude_is_stronger_than_ignore_files(tmp_path):
    root = make(tmp_path, {".gitignore": "*.log\n", "sub/.gitignore": "!*.txt\n", "a.log": "x", "sub/b.txt": "x"})
    assert names(root, exclude=("*.txt", "!a.log", ".gitignore")) == ["a.log"]


def test_not_recursive_means_the_folder_itself(tmp_path):
    root = make(tmp_path, dict.fromkeys(["a.txt", "sub/b.txt"], "x"))
    assert names(root, recursive=False) == ["a.txt"]


def test_a_name_that_is_no_unicode_is_walked_too(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("x")
    (tmp_path / ".gitignore").write_bytes(b"\xff\n*.tmp\n")
    assert len([entry for entry in walk(tmp_path) if isinstance(entry, Found)]) == 2


@pytest.mark.parametrize("line", ["", "#x", "/", "!", "!/", "[z-a]", "///", "a\\"])
def test_patterns_that_mean_nothing_ignore_nothing(tmp_path, line):
    rules = IgnoreRules().adding(tmp_path, [line])
    assert not rules.ignores(f"{tmp_path.as_posix()}/file", is_folder=False)
