"""The roles on a Debian root: where an older worker and a user's own lines are, and then again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import aws_parallelizer
from local import overlays, roots
from rehearsal import inside, wheels
from rehearsal.playbook import Run, play
from rehearsal.wheels import Wheels

OLD = "0.0.1"
UPGRADED = "13"  # the release on which an upgrade is tried
OWN_LINES = "#!/bin/bash\n# the user's own\nmount /data || true\necho 'ready; go' > /dev/console\n"
HOME = "/opt/aws-parallelizer"
PYTHON = f"{HOME}/venv/bin/python"
VERSION = f"{PYTHON} -c 'import aws_parallelizer as worker; print(worker.__version__)'"


@dataclass(frozen=True, kw_only=True)
class Converged:
    """A root after two runs of the playbook, on Debian 13 after one for an older worker too."""

    root: Path
    folder: Path
    wheels: Path
    version_before: str
    first: Run
    again: Run

    def run(self, command: str) -> str:
        """The output of a command that must succeed in the root."""
        return output(self.root, self.folder, command)

    def read(self, path: str) -> str:
        """A file of the root."""
        return (self.root / path).read_text()


def output(root: Path, folder: Path, command: str) -> str:
    ended = inside.run(root, folder, command)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def apply(root: Path, folder: Path, wheelhouse: Path, version: str) -> Run:
    run = play(root, folder, variables={"wheelhouse": str(wheelhouse), "worker_version": version})
    assert run.code == 0, run.said
    return run


@pytest.fixture(scope="module", params=[UPGRADED, "12"])
def converged(
    request: pytest.FixtureRequest, wheelhouses: Wheels, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Converged]:
    folder = tmp_path_factory.mktemp(f"debian-{request.param}")
    now, before = wheelhouses(request.param), ""
    with overlays.mounted([roots.base(request.param)], folder) as root:
        (root / "etc" / "rc.local").write_text(f"{OWN_LINES}exit 0\n")
        if request.param == UPGRADED:
            apply(root, folder, wheels.as_version(now, OLD, to=folder / "old"), OLD)
            before = output(root, folder, VERSION).strip()
        first = apply(root, folder, now, aws_parallelizer.__version__)
        again = apply(root, folder, now, aws_parallelizer.__version__)
        yield Converged(
            root=root,
            folder=folder,
            wheels=now,
            version_before=before,
            first=first,
            again=again,
        )


def test_a_second_run_changes_nothing(converged: Converged) -> None:
    assert converged.again.changes == []


@pytest.mark.parametrize("converged", [UPGRADED], indirect=True)
def test_an_older_worker_is_replaced_and_nothing_of_it_is_left(converged: Converged) -> None:
    assert converged.version_before == OLD
    assert converged.run(VERSION).strip() == aws_parallelizer.__version__
    assert not list((converged.root / HOME[1:]).rglob(wheels.ONLY_THEN))
    assert {name.partition(" :")[0] for name in converged.first.changes} == {"worker"}


def test_the_worker_has_the_wheels_of_the_wheelhouse_and_no_others(converged: Converged) -> None:
    lines = (converged.wheels / "requirements.txt").read_text().splitlines()
    wanted = {line.split()[0] for line in lines}
    frozen = converged.run(f"{PYTHON} -m pip --disable-pip-version-check freeze").split()
    assert {name.lower().replace("_", "-") for name in frozen} == wanted
    converged.run(f"{PYTHON} -m pip --disable-pip-version-check check")
    assert not list((converged.root / HOME[1:]).rglob("*.whl"))


def test_rc_local_keeps_the_users_own_lines_and_starts_the_worker_once(
    converged: Converged,
) -> None:
    path = converged.root / "etc" / "rc.local"
    assert path.stat().st_mode & 0o777 == 0o755
    kept, added, inside_block = "", "", False
    for line in path.read_text().splitlines(keepends=True):
        inside_block |= line == "# BEGIN aws-parallelizer\n"
        if inside_block:
            added += line
        else:
            kept += line
        inside_block &= line != "# END aws-parallelizer\n"
    assert kept == f"{OWN_LINES}exit 0\n"
    assert added.splitlines()[1:-1] == [
        "systemctl start --no-block aws-parallelizer.service || true"
    ]


def test_systemd_finds_no_fault_in_the_units(converged: Converged) -> None:
    units = [
        path.name
        for path in (converged.root / "etc" / "systemd" / "system").glob("aws-parallelizer*")
        if path.suffix in (".service", ".timer")
    ]
    assert "aws-parallelizer.service" in units
    said = inside.run(
        converged.root, converged.folder, f"systemd-analyze verify --man=no {' '.join(units)}"
    )
    assert said.returncode == 0, said.stderr
    assert "aws-parallelizer" not in said.stderr


def test_analysis_programs_have_a_user_that_can_do_nothing_else(converged: Converged) -> None:
    name, password, _uid, _gid, _, home, shell = converged.run(
        "getent passwd parallelizer-program"
    ).strip().split(":")  # fmt: skip
    assert (name, password, home) == ("parallelizer-program", "x", "/nonexistent")
    assert shell == "/usr/sbin/nologin"
    locked = converged.run("getent shadow parallelizer-program").split(":")[1]
    assert locked.startswith(("!", "*"))
    assert converged.run("id -Gn parallelizer-program").split() == ["parallelizer-program"]


def test_the_firewalls_rules_are_ones_that_nftables_takes(converged: Converged) -> None:
    rules = converged.run("nft --check --file /etc/nftables.conf && cat /etc/nftables.conf")
    rules += "".join(path.read_text() for path in (converged.root / "etc").rglob("*.nft"))
    assert "169.254.169.254" in rules
    assert "fd00:ec2::254" in rules


def test_only_root_can_change_what_the_worker_is(converged: Converged) -> None:
    places = f"{HOME} /etc/aws-parallelizer /etc/rc.local /etc/systemd/system"
    odd = converged.run(f"find {places} ! -type l '(' -perm /022 -o ! -user root ')'")
    assert odd == ""


def test_nothing_upgrades_the_machine_while_it_works(converged: Converged) -> None:
    assert converged.run("apt-config dump APT::Periodic::Enable").split() == [
        "APT::Periodic::Enable",
        '"0";',
    ]
    for unit in ("apt-daily", "apt-daily-upgrade"):
        state = inside.run(converged.root, converged.folder, f"systemctl is-enabled {unit}.timer")
        assert state.stdout.strip() == "masked"
    assert not (converged.root / "usr" / "bin" / "unattended-upgrade").exists()


def test_one_service_keeps_the_time(converged: Converged) -> None:
    asked = "systemctl is-enabled chrony.service systemd-timesyncd.service"
    states = inside.run(converged.root, converged.folder, asked).stdout.split()
    assert states.count("enabled") == 1


def test_the_journal_cannot_fill_the_disk(converged: Converged) -> None:
    told = converged.run("systemd-analyze cat-config systemd/journald.conf")
    assert [line for line in told.splitlines() if line.startswith("SystemMaxUse=")]
