"""Options of `--engine ray` that make no sense are refused before anything starts."""

from __future__ import annotations

import pytest

from hmt_ui.cli import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ray-address", "127.0.0.1:6379"], "of --engine ray"),
        (["--engine", "ray", "--watch"], "on this machine"),
        (["--engine", "mule"], "mule"),
        (["--workers", "0"], "workers"),
    ],
)
def test_options_that_contradict_each_other_are_a_usage_error(monkeypatch, capsys, tmp_path, arguments, said):
    monkeypatch.setattr("sys.argv", ["hmt-qa", "ingest", str(tmp_path), "--home", str(tmp_path / "home"), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
