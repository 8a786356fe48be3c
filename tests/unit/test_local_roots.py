"""The cache of base roots: what makes a root another one, who makes it, what is kept."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local import roots

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "aws-parallelizer" / "roots"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The targets of mmdebstrap, which writes a host key and no more."""
    targets: list[Path] = []

    def stand_in(target: Path, release: str, arch: str) -> None:
        (target / "etc/ssh").mkdir(parents=True)
        (target / "etc/ssh/ssh_host_rsa_key").touch()
        targets.append(target)

    monkeypatch.setattr(roots, "_run_mmdebstrap", stand_in)
    monkeypatch.setattr(roots, "_check_tools", lambda: None)
    return targets


def test_a_root_is_made_once_and_then_found(made: list[Path]) -> None:
    first = roots.base("13")
    assert roots.base("13") == first
    assert len(made) == 1
    assert roots.base("12") != first
    assert len(made) == 2


def test_a_root_holds_nothing_of_the_computer_that_made_it(made: list[Path]) -> None:
    root = roots.base("13")
    assert list((root / "etc/ssh").iterdir()) == []
    assert (root / "etc/machine-id").read_text() == ""
    assert (root / "etc/hostname").read_text() == "debian\n"


def test_half_a_root_is_never_taken_for_one(
    made: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(target: Path, release: str, arch: str) -> None:
        target.mkdir()
        raise roots.RootFailed("the mirror is gone")

    with monkeypatch.context() as patch:
        patch.setattr(roots, "_run_mmdebstrap", fails)
        with pytest.raises(roots.RootFailed, match="the mirror is gone"):
            roots.base("13")
    assert [one.name for one in cache.iterdir()] == ["lock"]
    assert roots.base("13").is_dir()


def test_another_week_release_or_architecture_is_another_root() -> None:
    name = roots.name_of("13", "amd64", today=MONDAY)
    assert name.startswith("debian-13-amd64-2026w48-")
    assert roots.name_of("13", "amd64", today=MONDAY + timedelta(days=6)) == name
    others = {
        roots.name_of("13", "amd64", today=MONDAY + timedelta(days=7)),
        roots.name_of("12", "amd64", today=MONDAY),
        roots.name_of("13", "arm64", today=MONDAY),
    }
    assert len(others | {name}) == 4


def test_another_list_of_packages_is_another_root(monkeypatch: pytest.MonkeyPatch) -> None:
    name = roots.name_of("13", "amd64", today=MONDAY)
    monkeypatch.setattr(roots, "COMMON", (*roots.COMMON, "hello"))
    assert roots.name_of("13", "amd64", today=MONDAY) != name


def test_an_unknown_release_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(roots.RootFailed, match="'11': allowed are 12, 13"):
        roots.base("11")


def test_what_nobody_asked_for_in_weeks_goes_when_another_is_made(
    made: list[Path], cache: Path
) -> None:
    kept, old, left = (cache / name for name in ("debian-12-new", "debian-12-old", ".new-killed"))
    for folder in (kept, old, left):
        folder.mkdir(parents=True)
    long_ago = (datetime.now(UTC) - roots.KEPT - timedelta(days=1)).timestamp()
    os.utime(old, (long_ago, long_ago))
    root = roots.base("13")
    assert {one.name for one in cache.iterdir()} == {"lock", kept.name, root.name}


def test_the_sources_are_the_mirrors_of_this_machine_for_the_release_asked_for() -> None:
    mirrors = ["http://mirror/debian/", "http://mirror/security/"]
    assert roots.sources("trixie", mirrors) == [
        "deb http://mirror/debian/ trixie main",
        "deb http://mirror/debian/ trixie-updates main",
        "deb http://mirror/security/ trixie-security main",
    ]
    assert roots.sources("trixie", []) == []
