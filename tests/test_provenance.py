"""The commit that results name, found without writing to the repository."""

import subprocess

import pytest

from longpanda import provenance as module


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A source tree with one commit, as the code's own."""
    (tmp_path / "code.py").write_text("x = 1")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init"], ["add", "code.py"], [*who, "commit", "-m", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "longpanda" / "provenance.py"))
    return tmp_path


def test_the_commit_and_whether_the_tree_was_changed(tree):
    name = module.commit()
    assert len(name) == 40
    (tree / "new.txt").write_text("of no commit")
    assert module.commit() == name
    (tree / "code.py").write_text("x = 2")
    assert module.commit() == f"{name}-dirty"


def test_nothing_is_written_and_a_lock_is_no_hindrance(tree):
    """A file that only looks changed would have git renew its index."""
    (tree / "code.py").touch()
    before = (tree / ".git" / "index").read_bytes()
    (tree / ".git" / "index.lock").touch()
    assert len(module.commit()) == 40
    (tree / ".git" / "index.lock").unlink()
    assert len(module.commit()) == 40
    assert (tree / ".git" / "index").read_bytes() == before


def test_an_installed_package_has_none(tree):
    (tree / ".git").rename(tree / "elsewhere")
    assert module.commit() is None
