"""Wherever in an image somebody leaves a secret, the audit of its files finds it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from image.audit import tree
from planted import AWS_SECRET, KEY_ID

PASSWORD = b"DB_PASSWORD=correct-horse\n"

# A well-known shape: found in every file.
FILES = (
    *("etc/environment", "etc/default/mine", "etc/systemd/system/mine.service.d/env.conf"),
    *("usr/lib/systemd/system/mine.service", "etc/pip.conf", "etc/apt/apt.conf.d/99mine"),
    *("opt/mine/.git/config", "srv/backup/.aws.bak", "var/tmp/x", "var/spool/cron/crontabs/root"),
    *("usr/local/share/x", "usr/share/doc/x/README", "usr/bin/tool", "boot/grub/grub.cfg"),
    *("var/lib/cloud/instances/i-1/user-data.txt", "var/lib/postgresql/.psqlrc", "root/notes.txt"),
    *("root/.local/share/x", "var/backups/x.bak", "var/lib/mine/state.db-wal", "lost+found/#12"),
    *("data/x", ".hidden", "usr/lib/python3/dist-packages/x.py", "etc/skel/.profile", "swap.img"),
)
# A word and a value: found where people keep settings.
SETTINGS = (
    *("etc/environment", "opt/mine/app.ini", "srv/app/.env.production", "var/lib/mine/config"),
    *("usr/local/lib/mine/settings.py", "usr/local/share/mine/x.conf", "data/app.yaml", "x.conf"),
    *("var/spool/cron/crontabs/root", "usr/lib/systemd/system/mine.service", "root/run.sh"),
)
# Nothing but the place betrays these.
TRACES = (
    *("root/.bash_history", "root/.python_history", "root/.mysql_history", "root/.lesshst"),
    *("home/a/.psql_history", "home/a/.viminfo", "home/a/.local/state/less/history"),
    *("home/a/.local/share/fish/fish_history", "home/a/.zhistory", "root/.node_repl_history"),
    *("etc/ssh/ssh_host_rsa_key", "etc/dropbear/dropbear_rsa_host_key", "root/.gnupg/pubring.kbx"),
    *("var/lib/systemd/random-seed", "var/lib/dhcp/dhclient.eth0.leases", "var/log/syslog.2.gz"),
    *("var/log/cloud-init-output.log", "var/log/journal/x/system.journal", "var/log/old.log.xz"),
    *("home/a/.ssh/authorized_keys", "srv/.ssh/known_hosts", "opt/x/.docker/config.json"),
    *("opt/x/.kube/config", "var/opt/x/.aws/credentials", "opt/x/.netrc", "opt/x/.pgpass"),
    *(
        "etc/apt/auth.conf.d/x.conf",
        "opt/.m2/settings.xml",
        "run/containers/0/containers/auth.json",
    ),
    *("var/backups/shadow.bak", "var/cache/debconf/passwords.dat", "var/mail/root"),
)


def plant(root: Path, path: str, content: bytes) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def refused(root: Path) -> set[str]:
    return {finding.where for finding in tree.audit(root).refused}


def test_a_known_shape_is_found_in_every_file(tmp_path: Path) -> None:
    for path in FILES:
        plant(tmp_path, path, b"some words and " + KEY_ID + b"\n")
    assert refused(tmp_path) == set(FILES)


def test_a_password_by_its_name_is_found_where_settings_are(tmp_path: Path) -> None:
    for path in SETTINGS:
        plant(tmp_path, path, PASSWORD)
    plant(tmp_path, "usr/lib/python3/dist-packages/x.py", PASSWORD)
    plant(tmp_path, "usr/share/doc/x", PASSWORD)
    plant(tmp_path, "opt/mine/wheels/x-1.0-py3-none-any.whl", PASSWORD)
    assert refused(tmp_path) == set(SETTINGS)


def test_an_aws_secret_key_alone_is_found_where_settings_are(tmp_path: Path) -> None:
    plant(tmp_path, "srv/key", AWS_SECRET + b"\n")
    plant(tmp_path, "srv/sums", b"0123456789abcdef0123456789abcdef01234567\n")
    assert refused(tmp_path) == {"srv/key"}


def test_a_trace_is_found_by_its_place(tmp_path: Path) -> None:
    for path in TRACES:
        plant(tmp_path, path, b"x")
    assert refused(tmp_path) == set(TRACES)


def test_who_needs_no_password_for_sudo_is_found_but_for_the_images_own_user(
    tmp_path: Path,
) -> None:
    plant(tmp_path, "etc/sudoers", b"# NOPASSWD in a comment\n%sudo ALL=(ALL:ALL) ALL\n")
    plant(tmp_path, "etc/sudoers.d/90-cloud-init-users", b"admin ALL=(ALL) NOPASSWD:ALL\n")
    assert refused(tmp_path) == set()
    plant(tmp_path, "etc/sudoers.d/x", b"eve ALL=(ALL) NOPASSWD: ALL\n")
    assert refused(tmp_path) == {"etc/sudoers.d/x"}


def database(secret: bytes) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table notes (text)")
    connection.execute("insert into notes values (?)", [secret.decode()])
    return connection.serialize()


def tar(secret: bytes, mode: str) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("inside")
        member.size = len(secret)
        archive.addfile(member, io.BytesIO(secret))
    return held.getvalue()


def zipped(secret: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", secret)
    return held.getvalue()


@pytest.mark.parametrize(
    "pack",
    [
        *(gzip.compress, bz2.compress, lzma.compress, zipped, database),
        *((lambda secret, mode=mode: tar(secret, mode)) for mode in ("w", "w:gz", "w:bz2", "w:xz")),
    ],
)
def test_a_secret_is_found_in_what_holds_files(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    plant(tmp_path, "var/lib/mine/blob", pack(b"a few words, " * 9 + KEY_ID + b"\n"))
    assert refused(tmp_path) == {"var/lib/mine/blob"}


def test_a_file_of_many_names_is_told_once_and_a_large_one_is_read_to_its_end(
    tmp_path: Path,
) -> None:
    file = plant(tmp_path, "a", b"x" * (5 << 20) + b"\n" + KEY_ID)
    os.link(file, tmp_path / "b")
    report = tree.audit(tmp_path)
    assert (len(report.refused), report.files) == (1, 1)


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "a", b"x").chmod(0)
    plant(tmp_path, "b", KEY_ID)
    opened = Path.open

    def refuse(path: Path, *arguments: object, **named: object) -> object:
        if path.name == "a":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)  # for root may read all
    report = tree.audit(tmp_path)
    assert [each.where for each in report.unread] == ["a"]
    assert [each.where for each in report.refused] == ["b"]
