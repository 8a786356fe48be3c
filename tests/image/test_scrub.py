"""What is taken away at the end of a build, and the search for what was not."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import overlays, roots
from rehearsal import inside
from rehearsal.auditing import audit, places

REPOSITORY = Path(__file__).parents[2]
SCRUB = REPOSITORY / "packer" / "scripts" / "scrub.sh"
KEY_ID = "AKIA" + "Q3EGXWTRA7ZPLK2M"
SECRET = "kT9" + "vQ2xW7pLm4NrS8yBz1CdF6gHjK3tUe5aRo0iM" + "w"
PRIVATE_KEY = f"-----BEGIN OPENSSH {'PRIVATE'} KEY-----\n{'b3BlbnNzaC1rZXktdjEAAAAA' * 6}\n"

# What a builder's user, cloud-init and the tools leave behind: the scrub's own business.
TRACES = {
    "root/.aws/credentials": f"[default]\naws_access_key_id = {KEY_ID}\n",
    "root/.bash_history": "curl -u me:secret https://example.com\n",
    "root/.ssh/authorized_keys": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 packer\n",
    "home/admin/.ssh/authorized_keys": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 packer\n",
    "home/admin/.ansible/tmp/x": "x",
    "etc/ssh/ssh_host_ed25519_key": PRIVATE_KEY,
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "var/lib/cloud/instances/i-1/user-data.txt": f"export TOKEN={SECRET}\n",
    "var/log/cloud-init.log": "a builder\n",
    "var/log/journal/0123/system.journal": "a builder\n",
    "var/log/wtmp": "a builder\n",
    "var/lib/systemd/random-seed": "x",
    "var/backups/shadow.bak": "eve:abJnggxhB/yWI:1:::\n",
    "var/spool/cron/crontabs/root": f"@daily backup --key {KEY_ID}\n",
    "var/log/mine/old.log.xz": "x",
    "var/tmp/left": PRIVATE_KEY,
    "tmp/left": PRIVATE_KEY,
}
# What nobody can know the place of: only the search can find it.
HIDDEN = {
    "etc/environment": f"AWS_ACCESS_KEY_ID={KEY_ID}\nAWS_SECRET_ACCESS_KEY={SECRET}\n",
    "etc/systemd/system/mine.service.d/env.conf": f"[Service]\nEnvironment=AWS_KEY={KEY_ID}\n",
    "opt/mine/id_deploy": PRIVATE_KEY,
    "opt/mine/config.json": json.dumps({"aws_secret_access_key": SECRET}),
    "usr/local/lib/mine/settings.py": f'KEY = "{KEY_ID}"\n',
    "usr/local/bin/tool": f"\x7fELF\x00\x01\x02\x00{KEY_ID}\x00more",
    "srv/data/notes (old).txt": f"the key is {KEY_ID}, do not tell",
    "etc/pip.conf": f"[global]\nindex-url = https://me:{SECRET[:12]}@pypi.example.com/simple\n",
    "etc/apt/auth.conf.d/mine.conf": "machine deb.example.com login me password hunter22\n",
    "etc/rc.local.old": "git clone https://ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8" + "@g\n",
    "var/lib/mine/deep/er/and/deeper/.env": f"SECRET={SECRET}\n",
    "var/lib/mine/authorized_keys": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@laptop\n",
}


def plant(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def root(machines: None, tmp_path: Path) -> Iterator[Path]:
    with overlays.mounted([roots.base("13")], tmp_path) as mounted:
        yield mounted


def scrub(root: Path, folder: Path) -> None:
    ended = inside.run(root, folder, "sh -s", given=SCRUB.read_text())
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_search_finds_every_trace_that_a_builder_leaves(tmp_path: Path) -> None:
    plant(tmp_path, TRACES)
    code, found = audit(str(tmp_path))
    assert code == 1
    assert places(found) == set(TRACES)


def test_a_scrubbed_root_has_no_trace_and_what_the_scrub_cannot_know_of_is_found(
    root: Path, tmp_path: Path
) -> None:
    plant(root, TRACES | HIDDEN)
    packed = root / "usr" / "share" / "mine" / "dump.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(f"x\n{KEY_ID}\n".encode()))
    scrub(root, tmp_path)
    left = {name for name in TRACES if (root / name).exists() and (root / name).stat().st_size}
    assert left == set()
    # An empty one would be told of the builder's stop.
    assert not (root / "var" / "log" / "wtmp").exists()
    code, found = audit(str(root))
    assert code == 1
    assert places(found) == {*HIDDEN, "usr/share/mine/dump.gz"}
    told = json.dumps(found)
    assert KEY_ID not in told
    assert SECRET not in told


def test_the_blocks_of_a_disk_tell_of_files_that_were_deleted(
    machines: None, tmp_path: Path
) -> None:
    tree, disk = tmp_path / "tree", tmp_path / "disk.raw"
    plant(tree, {"a": f"{KEY_ID}\n" * 100, "b": "nothing\n"})
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(disk), "16M"], check=True)
    subprocess.run(["debugfs", "-w", "-R", "rm /a", str(disk)], check=True, capture_output=True)
    code, found = audit("--disk", str(disk))
    assert code == 1
    assert {one["kind"] for one in found if "kind" in one} == {"aws-access-key"}
