"""The audit finds secrets and traces wherever they lie in an image, and nothing else in it."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from image.audit import __main__ as program
from image.audit import contents, tree, work
from image.audit.allowed import exactly
from image.audit.findings import Finding

KEY_ID = b"AKIA" + b"QWERTYUIOPASDFGH"
KEY_BODY = base64.b64encode(bytes(range(7, 200)))
PEM = b"-----BEGIN RSA PRIVATE KEY-----\n" + KEY_BODY + b"\n-----END RSA PRIVATE KEY-----\n"


def found(root: Path) -> list[Finding]:
    return list(tree.audit(root).findings)


def kinds(root: Path) -> set[str]:
    return {finding.kind for finding in found(root)}


def plant(root: Path, path: str, content: bytes) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def zipped(content: bytes, at: Path) -> None:
    with zipfile.ZipFile(at, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/inside.txt", content)


def tarred(content: bytes, at: Path) -> None:
    inner = at.with_name("inner")
    inner.write_bytes(content)
    with tarfile.open(at, "w:xz") as archive:
        archive.add(inner, "inner")
    inner.unlink()


def initrd(content: bytes, at: Path) -> None:
    early = b"070701" + b"0" * 104 + b"TRAILER!!!\x00" + b"\x00" * 300
    at.write_bytes(early + gzip.compress(content))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("aws-access-key", b"x = '" + KEY_ID + b"'"),
        ("aws-access-key", b"ASIA" + b"Q2W3E4R5T6Y7U8I9"),
        ("aws-secret-key", b"aws_secret_access_key = " + b"aB3/" * 10),
        ("aws-secret-key", b'"SecretAccessKey": "' + b"aB3/" * 10 + b'"'),
        ("aws-secret-key", b"secretKey=" + b"aB3/" * 10),
        ("aws-secret-key", b"Secret Access Key: " + b"aB3/" * 10),
        ("aws-secret-key", b"AWS_SECRET_ACCESS_KEY=" + b"aB3/" * 10),
        ("aws-session-token", b"IQoJb3JpZ2lu" + b"aB3/" * 40),
        ("private-key", PEM),
        ("private-key", PEM.replace(b"\n", b"\r\n")),
        ("private-key", json.dumps({"key": PEM.decode()}).encode()),
        ("private-key", PEM.replace(b"RSA ", b"ENCRYPTED ")),
        ("private-key", PEM.replace(b"KEY-----\n", b"KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1)),
        ("private-key", PEM.replace(b"\n", b"\n# ")),
        ("private-key", base64.b64encode(PEM)),
        ("private-key", b"b3BlbnNzaC1rZXktdjE" + KEY_BODY),
        ("private-key", b"PuTTY-User-Key-File-3: ssh-ed25519\n"),
        ("github-token", b"ghp_" + b"a1B2" * 9),
        ("github-token", b"github_pat_" + b"a1B2" * 9),
        ("gitlab-token", b"glpat-" + b"a1B2" * 5),
        ("slack-token", b"xoxb-123456789012-abcdefghij"),
        ("google-key", b"AIza" + b"a1B2C" * 7),
        ("azure-key", b"AccountKey=" + b"a1" * 43 + b"=="),
        ("npm-token", b"//registry.npmjs.org/:_authToken=abcdefgh12345678"),
        ("docker-token", b'{"auths": {"r": {"auth": "dXNlcjpwYXNzd29yZA=="}}}'),
        ("json-web-token", b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"),
        ("bearer-token", b"Authorization: Bearer abcdefghij0123456789"),
        ("basic-authorization", b"Authorization: Basic dXNlcjpwYXNz"),
        ("url-password", b"https://deploy:hunter2hunter2@git.example.net/x.git"),
        ("netrc-password", b"machine example.net login me password hunter2"),
        ("password-hash", b"$6$abcdefgh$" + b"a1B/" * 21 + b"ab"),
        ("password-hash", b"$y$j9T$abcdefgh$" + b"a1B/" * 10 + b"abc"),
    ],
)
def test_a_secret_is_found_whatever_the_file_is_called(
    tmp_path: Path, kind: str, text: bytes
) -> None:
    plant(tmp_path, "usr/share/zoneinfo/Nowhere", b"\x00\xff binary \x00" + text + b"\n\x00rest")
    [finding] = [each for each in found(tmp_path) if each.kind == kind][:1]
    assert finding.where == "usr/share/zoneinfo/Nowhere"
    assert finding.value[:20] in (base64.b64decode(text) if finding.inside else text)


@pytest.mark.parametrize(
    "pack",
    [
        lambda content, at: at.write_bytes(gzip.compress(content)),
        lambda content, at: at.write_bytes(gzip.compress(b"x") + gzip.compress(content)),
        lambda content, at: at.write_bytes(bz2.compress(content)),
        lambda content, at: at.write_bytes(lzma.compress(content)),
        zipped,
        tarred,
        initrd,
    ],
)
def test_a_secret_is_found_in_what_is_compressed(
    tmp_path: Path, pack: Callable[[bytes, Path], object]
) -> None:
    pack(b"many words, " * 99 + KEY_ID, tmp_path / "innocent.dat")
    assert KEY_ID not in (tmp_path / "innocent.dat").read_bytes()
    [finding] = found(tmp_path)
    assert (finding.kind, finding.inside) == ("aws-access-key", True)


def test_a_secret_behind_the_end_of_what_is_compressed_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "usr/share/doc/x.gz", gzip.compress(b"innocent") + KEY_ID)
    assert kinds(tmp_path) == {"aws-access-key"}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("root/.ssh/authorized_keys", "ssh-authorized-keys"),
        ("home/somebody/.ssh/config", "ssh-file"),
        ("etc/ssh/ssh_host_ed25519_key", "ssh-host-key"),
        ("opt/backup/id_rsa", "ssh-file"),
        ("root/.bash_history", "history"),
        ("root/.python_history", "history"),
        ("var/log/wtmp", "history"),
        ("root/.aws/credentials", "credentials"),
        ("opt/x/.aws/sso/cache/abc.json", "credentials"),
        ("root/.netrc", "credentials"),
        ("home/a/.pgpass", "credentials"),
        ("root/.docker/config.json", "credentials"),
        ("srv/.git-credentials", "credentials"),
        ("root/.config/gcloud/x/y.db", "credentials"),
        ("etc/ssl/private/server.key", "credentials"),
        ("var/lib/cloud/data/instance-id", "machine-state"),
        ("var/lib/systemd/random-seed", "machine-state"),
        ("var/log/cloud-init-output.log", "machine-state"),
        ("var/log/journal/abc/system.journal", "machine-state"),
        ("root/.ansible/tmp/x", "machine-state"),
        ("srv/core.4711", "core-file"),
    ],
)
def test_a_file_that_betrays_by_its_place_is_found_unless_it_is_empty(
    tmp_path: Path, path: str, kind: str
) -> None:
    file = plant(tmp_path, path, b"")
    assert found(tmp_path) == []
    file.write_bytes(b"x")
    assert kind in kinds(tmp_path)


@pytest.mark.parametrize("identity", [b"", b"uninitialized\n"])
def test_a_machine_id_that_is_none_yet_is_no_finding(tmp_path: Path, identity: bytes) -> None:
    plant(tmp_path, "etc/machine-id", identity)
    assert found(tmp_path) == []


def test_a_machine_id_is_a_finding(tmp_path: Path) -> None:
    plant(tmp_path, "etc/machine-id", b"0123456789abcdef0123456789abcdef\n")
    plant(tmp_path, "var/lib/dbus/machine-id", b"0123456789abcdef0123456789abcdef\n")
    assert {each.where for each in found(tmp_path)} == {"etc/machine-id", "var/lib/dbus/machine-id"}


def test_what_the_kernel_writes_of_a_crash_is_found_whatever_its_name(tmp_path: Path) -> None:
    plant(tmp_path, "srv/harmless.txt", b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x04\x00\x3e\x00")
    plant(tmp_path, "usr/bin/program", b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x03\x00\x3e\x00")
    assert [(each.kind, each.where) for each in found(tmp_path)] == [
        ("core-file", "srv/harmless.txt")
    ]


def test_passwords_of_accounts_are_found_and_locked_ones_are_not(tmp_path: Path) -> None:
    plant(tmp_path, "etc/shadow", b"root:*:1:::\nadmin:!:1:::\nsync:!*:1:::\n")
    plant(tmp_path, "etc/passwd", b"root:x:0:0:root:/root:/bin/bash\n")
    plant(tmp_path, "etc/gshadow", b"sudo:*::admin\nusers:!::\nadm:::\n")
    assert found(tmp_path) == []
    plant(tmp_path, "etc/shadow-", b"root:abJnggxhB/yWI:1:::\nguest::1:::\nlocked:!abc:1:::\n")
    assert [(each.kind, each.value) for each in found(tmp_path)] == [
        ("account-password", b"abJnggxhB/yWI"),
        ("account-password", b"!abc"),
        ("empty-password", b"guest"),
    ]


def test_settings_are_looked_at_for_words_that_programs_are_full_of(tmp_path: Path) -> None:
    line = b'DB_PASSWORD="correct-horse"\n'
    plant(tmp_path, "etc/default/thing", line)
    plant(tmp_path, "usr/lib/python3/module.py", line)
    assert [(each.kind, each.where) for each in found(tmp_path)] == [
        ("assigned-secret", "etc/default/thing")
    ]


def test_a_key_that_may_log_in_is_found_where_people_keep_settings(tmp_path: Path) -> None:
    line = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5" + b"aB3/" * 12 + b" me@laptop\n"
    plant(tmp_path, "etc/ssh/keys/admin", line)
    plant(tmp_path, "usr/share/doc/example", line)
    assert [each.where for each in found(tmp_path)] == ["etc/ssh/keys/admin"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_secret_in_utf_16_is_found(tmp_path: Path, encoding: str) -> None:
    text = f"\ufeff{KEY_ID.decode()}" if encoding == "utf-16-be" else KEY_ID.decode()
    plant(tmp_path, "srv/notes.txt", text.encode(encoding))
    assert kinds(tmp_path) == {"aws-access-key"}


@pytest.mark.skipif(not shutil.which("zstd"), reason="there is no program zstd")
def test_a_secret_in_zstd_is_found(tmp_path: Path) -> None:
    file = plant(tmp_path, "plain", b"many words, " * 99 + KEY_ID)
    subprocess.run(["zstd", "-q", "--rm", str(file)], check=True)
    assert ("plain.zst", True) in [(each.where, each.inside) for each in found(tmp_path)]


def test_without_the_program_zstd_such_a_file_is_told_as_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "a.zst", b"\x28\xb5\x2f\xfd" + b"x" * 20)
    monkeypatch.setenv("PATH", str(tmp_path))
    [unread] = tree.audit(tmp_path).unread
    assert "there is no program zstd" in unread.why


def test_a_secret_in_an_extended_attribute_is_found(everyones: Path) -> None:
    file = plant(everyones, "innocent", b"x")
    try:
        os.setxattr(file, "user.note", KEY_ID)
    except OSError:
        pytest.skip("this file system has no extended attributes")
    assert kinds(everyones) == {"aws-access-key"}


def test_a_secret_in_a_name_or_in_a_links_target_is_found(tmp_path: Path) -> None:
    plant(tmp_path, f"srv/{KEY_ID.decode()}.txt", b"")
    (tmp_path / "link").symlink_to(KEY_ID.decode())
    assert [each.where for each in found(tmp_path)] == ["link", f"srv/{KEY_ID.decode()}.txt"]


def test_links_are_not_followed_out_of_the_tree(tmp_path: Path) -> None:
    outside = plant(tmp_path, "outside/secret", KEY_ID)
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    assert found(root) == []


def test_pipes_and_sockets_do_not_hold_it_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path) == []


def test_odd_names_are_told_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / os.fsdecode(b"\xff\n name")).write_bytes(KEY_ID)
    assert program.main([str(tmp_path)]) == program.FOUND
    first, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert os.fsencode(first["where"]) == b"\xff\n name"
    assert summary["summary"]["findings"] == 1


def test_no_secret_is_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path, "a", KEY_ID)
    program.main([str(tmp_path)])
    told = capsys.readouterr().out
    assert KEY_ID.decode() not in told
    assert KEY_ID[:8].decode() in told


def test_only_the_very_same_value_is_allowed(tmp_path: Path) -> None:
    plant(tmp_path, "a", KEY_ID)
    plant(tmp_path, "b", KEY_ID[:-1] + b"X")
    report = tree.audit(tmp_path, allow=[exactly("aws-access-key", KEY_ID, "made up")])
    assert [each.allowed for each in report.findings] == ["made up", ""]
    assert [each.where for each in report.refused] == ["b"]


def test_a_key_beside_an_allowed_one_is_refused_though_it_begins_alike(tmp_path: Path) -> None:
    begins = b"-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"
    manual = begins + b"...\n" + b"the end of the example " * 2
    plant(tmp_path, "manual", manual)
    [shown] = {each.value for each in found(tmp_path) if each.value.startswith(b"-----")}
    allow = [exactly("private-key", shown, "ends in dots")]
    plant(tmp_path, "manual", manual + begins + b'" + "AAAAAAAAABAAAAMwAAAAtzc2gtZW"')
    refused = tree.audit(tmp_path, allow=allow).refused
    assert [each.offset for each in refused if each.value.startswith(b"-----")] == [len(manual)]


def test_an_example_of_the_documentation_is_allowed_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(tmp_path, "a", b"AKIAIOSFODNN7EXAMPLE")
    assert program.main([str(tmp_path)]) == program.CLEAN
    first, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert "documentation" in first["allowed"]
    assert summary["summary"]["allowed"] == 1


def test_what_could_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "a.lz4", b"\x04\x22\x4d\x18" + b"x" * 20)
    plant(tmp_path, "broken.gz", gzip.compress(os.urandom(1000))[:500])
    monkeypatch.setattr(contents, "MOST_UNPACKED", 1000)
    plant(tmp_path, "bomb.gz", gzip.compress(b"\0" * 2000))
    report = tree.audit(tmp_path)
    assert {each.where: each.why.split(":")[0] for each in report.unread} == {
        "a.lz4": "lz4",
        "broken.gz": "could not be unpacked to its end",
        "bomb.gz": "holds over 0 GiB",
    }
    assert program.main([str(tmp_path)]) == program.NOT_READ


def test_a_place_that_is_not_there_is_an_error_and_no_clean_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main([str(tmp_path / "none")]) == program.NOT_READ
    assert "none: No such file" in capsys.readouterr().err


def test_the_audit_does_not_find_itself() -> None:
    assert tree.audit(Path(program.__file__).parent).refused == ()


def test_many_files_are_read_by_several_processes_with_the_same_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        plant(tmp_path, f"{number}", b"x" * number + KEY_ID)
    alone = tree.audit(tmp_path)
    monkeypatch.setattr(work, "WORTH_PROCESSES", 0)
    monkeypatch.setattr(tree, "_BATCH_FILES", 3)
    assert tree.audit(tmp_path) == alone
    assert len(alone.findings) == 20
