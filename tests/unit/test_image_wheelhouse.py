"""What the builder installs from: wheels for its own Python and architecture, with their hashes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from image import __main__ as program
from image import wheelhouse
from image.saying import REPOSITORY, ImageFailed
from image.targets import Target


class Pip:
    """Stands for pip: notes how it is called, and leaves the wheels that it would."""

    def __init__(self, *, fails_at: str = "") -> None:
        self.calls: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self._fails_at = fails_at

    def __call__(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert list(command[:3]) == [sys.executable, "-m", "pip"]
        arguments = list(command[5:])
        self.calls.append(arguments)
        self.environments.append(options["env"])
        if arguments[0] == self._fails_at:
            return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: no such wheel\n")
        if arguments[0] == "wheel":
            folder = Path(arguments[arguments.index("--wheel-dir") + 1])
            _wheel(folder, "aws_parallelizer-0.1.0-py3-none-any.whl")
        else:
            [folder] = [Path(each[7:]) for each in arguments if each.startswith("--dest=")]
            _wheel(folder, "Some_Thing-2.0-cp313-cp313-manylinux_2_17_x86_64.whl")
        return subprocess.CompletedProcess(command, 0, "", "")


def _wheel(folder: Path, name: str) -> None:
    with zipfile.ZipFile(folder / name, "w") as made:
        made.writestr("empty", name)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    made = Pip()
    monkeypatch.setattr(subprocess, "run", made)
    return made


def test_every_wheel_is_named_with_the_hash_of_its_bytes(pip: Pip, tmp_path: Path) -> None:
    to = tmp_path / "wheels"
    made = wheelhouse.build("13", "amd64", to)
    assert [each.name for each in made] == ["aws-parallelizer", "some-thing"]
    lines = (to / "requirements.txt").read_text().splitlines()
    for wheel, line in zip(made, lines, strict=True):
        digest = hashlib.sha256((to / wheel.file).read_bytes()).hexdigest()
        assert line == f"{wheel.name}=={wheel.version} --hash=sha256:{digest}"


@pytest.mark.parametrize(
    ("release", "arch", "abi", "newest", "machine"),
    [
        ("12", "amd64", "cp311", "manylinux_2_36", "x86_64"),
        ("12", "arm64", "cp311", "manylinux_2_36", "aarch64"),
        ("13", "amd64", "cp313", "manylinux_2_41", "x86_64"),
        ("13", "arm64", "cp313", "manylinux_2_41", "aarch64"),
    ],
)
def test_wheels_are_fetched_for_the_images_python_and_not_for_this_machines(
    pip: Pip, tmp_path: Path, release: str, arch: str, abi: str, newest: str, machine: str
) -> None:
    wheelhouse.build(release, arch, tmp_path / "wheels")
    download = pip.calls[1]
    platforms = [each[11:] for each in download if each.startswith("--platform=")]
    assert platforms[0] == f"{newest}_{machine}"
    assert all(each.endswith(machine) for each in platforms)
    assert {f"--abi={abi}", "--abi=abi3", "--abi=none"} < set(download)
    assert "--only-binary=:all:" in download


def test_our_own_wheel_has_one_date_for_all_that_it_holds(pip: Pip, tmp_path: Path) -> None:
    wheelhouse.build("13", "amd64", tmp_path / "wheels")
    assert {each["SOURCE_DATE_EPOCH"] for each in pip.environments} == {"315532800"}


def test_a_fetch_that_fails_leaves_the_wheels_of_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    to = tmp_path / "wheels"
    to.mkdir()
    (to / "of-before").touch()
    monkeypatch.setattr(subprocess, "run", Pip(fails_at="download"))
    with pytest.raises(ImageFailed, match=r"fetch the wheels for debian-13-amd64:\nERROR: no such"):
        wheelhouse.build("13", "amd64", to)
    assert [path.name for path in tmp_path.iterdir()] == ["wheels"]
    assert (to / "of-before").exists()


def test_a_wheel_that_is_no_longer_wanted_goes(pip: Pip, tmp_path: Path) -> None:
    to = tmp_path / "wheels"
    wheelhouse.build("13", "amd64", to)
    (to / "old-1.0-py3-none-any.whl").touch()
    wheelhouse.build("13", "amd64", to)
    assert not (to / "old-1.0-py3-none-any.whl").exists()


@pytest.mark.parametrize(("release", "arch"), [("11", "amd64"), ("13", "x86_64"), ("", "")])
def test_what_no_image_is_made_for_is_named_with_what_may_be(release: str, arch: str) -> None:
    with pytest.raises(ImageFailed, match=r"12 or 13|amd64 or arm64"):
        Target(release=release, arch=arch)


def test_the_command_fetches_them_to_where_the_roles_are_said_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str, Path]] = []
    monkeypatch.setattr(wheelhouse, "build", lambda *given: asked.append(given) or ())
    assert program.main(["wheelhouse", "--release", "12"]) == 0
    assert asked == [("12", "amd64", Path("build/wheelhouse"))]
    assert "wheelhouse=$PWD/build/wheelhouse" in (REPOSITORY / "ansible/README.md").read_text()
