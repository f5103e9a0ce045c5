"""Folders as strangers send them: ignore rules hold, nothing leads out, and what harms is refused with a reason."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from hmt_ingest.trees import Order, tree
from hmt_ingest.unpacking import MOST_FILES, Unfit, inside
from hmt_qa.errors import TreeRefused
from tests.hmt_ingest import hostile

REPOSITORY = {
    "mill-main/.gitignore": "*.log\n/build/\n",
    "mill-main/README.md": "# The mill\n",
    "mill-main/src/mill.py": "def grind():\n    return 'flour'\n",
    "mill-main/src/empty.py": "",
    "mill-main/build/out.txt": "generated",
    "mill-main/debug.log": "noise",
    "mill-main/.env": "PASSWORD=hunter2",
    "mill-main/.git/config": "[core]\n",
    "mill-main/node_modules/left/pad.js": "1",
}


@pytest.fixture
def looked(tmp_path):
    """Unpacks an archive and says what was found in it."""

    def look(archive: Path):
        (tmp_path / "folder").mkdir(exist_ok=True)
        return tree(Order(folder=str(tmp_path / "folder"), archive=str(archive)))

    return look


def zipped(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zipped_repository_is_read_as_the_tree_it_holds(looked, tmp_path):
    found = looked(zipped(tmp_path / "mill.zip", REPOSITORY))
    assert (found.name, list(found.files)) == ("mill-main", [".gitignore", "README.md", "src/mill.py"])
    assert found.left_out == {".env": "may hold secrets, by its name", "src/empty.py": "empty"}
    assert not (Path(found.root) / ".git").exists()
    assert Path(found.root, "src/mill.py").read_text() == REPOSITORY["mill-main/src/mill.py"]


def test_a_folder_of_single_files_is_its_own_top(tmp_path):
    for name in ("a.txt", "sub/b.txt"):
        (tmp_path / "sent" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sent" / name).write_text("words")
    found = tree(Order(folder=str(tmp_path / "sent")))
    assert (found.name, list(found.files)) == ("", ["a.txt", "sub/b.txt"])


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../up.txt",
        "a/../../up.txt",
        "..\\up.txt",
        "\\\\host\\share",
        "C:\\up.txt",
        "",
        "a" * 300,
        "a/" * 900,
    ],
)
def test_a_name_that_leads_out_or_has_no_end_is_no_place(name):
    with pytest.raises(Unfit):
        inside(name)


def test_a_name_inside_keeps_its_folders_and_loses_control_characters():
    assert str(inside("./src//a\x1b[31m.py")) == "src/a_[31m.py"
    assert str(inside("src\\win.py")) == "src/win.py"


def leading_out(path: Path) -> None:
    zipped(path, {"fine.txt": "words", "../../evil.txt": "words"})


def of_too_many(path: Path) -> None:
    zipped(path, {f"{number}.txt": "" for number in range(MOST_FILES + 1)})


def with_two_of_a_name(path: Path) -> None:
    zipped(path, {"a": "a file", "a/b.txt": "a file in it"})


def locked(path: Path) -> None:
    zipped(path, {"a.txt": "words"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (leading_out, "no place inside it"),
        (of_too_many, "5,001 files; 5,000 are taken"),
        (with_two_of_a_name, "damaged"),
        (locked, "encrypted"),
        (hostile.zip_bomb, "that is a bomb"),
        (hostile.overlapping_zip, "that is a bomb"),
        (hostile.random_bytes, "damaged, or no zip"),
    ],
)
def test_a_hostile_zip_is_refused_with_one_line(looked, tmp_path, write, says):
    write(tmp_path / "sent.zip")
    with pytest.raises(TreeRefused, match=r"^sent\.zip ") as refused:
        looked(tmp_path / "sent.zip")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "evil.txt").exists()


def test_links_are_left_out_and_named(looked, tmp_path):
    with zipfile.ZipFile(zipped(tmp_path / "links.zip", {"words.txt": "words"}), "a") as archive:
        link = zipfile.ZipInfo("passwd.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    found = looked(tmp_path / "links.zip")
    assert list(found.files) == ["words.txt"]
    assert found.left_out == {"passwd.txt": "link, or no regular file"}
    assert not (tmp_path / "folder/passwd.txt").is_symlink()
