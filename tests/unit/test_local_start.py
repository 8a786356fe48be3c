"""How the demo and its local cloud begin: whose folders they delete, and whose cloud they take."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from local import children, demo
from local.children import Child, ChildFailed
from local.up import place_in, up


def test_the_demo_does_not_take_a_killed_cloud_for_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo, "LOCAL", tmp_path)
    (tmp_path / "env").write_text("export AWS_ENDPOINT_URL=http://127.0.0.1:1\n")
    (tmp_path / "up.log").write_text("no ports")

    told_ready = []

    def ends_at_once(name: str, _command: object, **_more: object) -> Child:
        told_ready.append((tmp_path / "env").exists())
        process = subprocess.Popen([sys.executable, "-S", "-c", ""])
        process.wait()
        return Child(name=name, log=tmp_path / "up.log", process=process)

    monkeypatch.setattr(children, "start", ends_at_once)
    with (
        pytest.raises(ChildFailed, match="no ports"),
        demo.cloud(Console(file=io.StringIO())),
    ):
        raise AssertionError("there is no cloud")
    assert told_ready == [False]


@pytest.mark.parametrize("option", ["--input", "--environment"])
def test_the_demo_removes_no_outputs_that_it_is_given_as_inputs(
    option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given = tmp_path / "demo-output" / "earlier"
    given.mkdir(parents=True)
    with pytest.raises(SystemExit):
        demo.main([option, str(given)])
    assert "would be removed" in capsys.readouterr().err
    assert given.exists()


@pytest.mark.parametrize("name", ["tmp", "instances"])
def test_the_local_cloud_empties_no_folder_that_was_there_before_it(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / name).mkdir()
    said: list[str] = []

    def deploy(*_: object, **__: object) -> dict[str, str]:
        raise AssertionError("it began")

    place = place_in(tmp_path, port=None, ec2_port=None)
    assert up(place, deploy=deploy, say=said.append) == 1
    assert said == [
        f"{tmp_path / name} is no local cloud's, and would be removed: name another --directory"
    ]
    assert [each.name for each in tmp_path.iterdir()] == [name]
