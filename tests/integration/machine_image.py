"""An image for tests: Debian's base root with a program that its rc.local starts, as the worker's.

The program does what the user data says (`do=sleep`, `do=poweroff`, `do=poweroff-on-notice`) and
says on the console what it saw of its machine, in one line of JSON.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from integration.local_ec2 import Server
from local import roots
from local.images import Image, ImageStore
from local.volumes import Volume
from waiting import until

PROBE = """
import json, os, signal, socket, subprocess, sys, time, urllib.error, urllib.request
METADATA = "http://169.254.169.254/"
LOOK_SECONDS = 0.2  # between two looks for a notice, which nobody sends
def say(text):
    with open("/dev/console", "w") as console:
        console.write(f"\\nprobe {text}\\n")
def ask(url, method="GET", **headers):
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
def metadata(path):
    life = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    token = ask(METADATA + "latest/api/token", "PUT", **life)[1]
    return ask(METADATA + path, **{"X-aws-ec2-metadata-token": token})
def outside():
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=20).close()
    except OSError as error:
        return error.strerror
    return "connected"
signal.signal(signal.SIGTERM, lambda *_: (say("told to end"), sys.exit(0)))
user_data = metadata("latest/user-data")[1]
boots = open("/var/boots", "a+"); boots.write("x"); boots.flush(); boots.seek(0)
say(json.dumps({
    "user_data": user_data,
    "without_token": ask(METADATA + "latest/user-data")[0],
    "instance": metadata("2021-03-23/meta-data/instance-id")[1],
    "environment": dict(os.environ),
    "cloud": ask(os.environ["AWS_ENDPOINT_URL_EC2"] + "/_local/ready"),
    "outside": outside(),
    "boots": boots.read(),
    "kernel_arguments": open("/proc/cmdline").read(),
}))
wish = dict(line.split("=", 1) for line in user_data.split() if "=" in line).get("do")
while wish == "poweroff-on-notice" and metadata("latest/meta-data/spot/instance-action")[0] != 200:
    time.sleep(LOOK_SECONDS)
if wish in ("poweroff", "poweroff-on-notice"):
    subprocess.run(["systemctl", "poweroff"], check=True)
while True:
    signal.pause()
"""

UNIT = """
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
ExecStart=/usr/bin/python3 /opt/probe.py
"""


# For a machine that has no cloud-init to bring its network up, which takes most of a boot.
NETWORK = """
[Match]
Name=eth0
[Network]
DHCP=ipv4
"""
UNITS = "/usr/lib/systemd/system"


def add_to(store: ImageStore, folder: Path, *, gib: int | None = None) -> str:
    """Put such an image into the store; its id. Without a size its disk is no disk."""
    volume = Volume(folder, [roots.base("13")])
    upper = folder / "upper"
    for name, text, mode in (
        ("etc/rc.local", "#!/bin/sh\nsystemctl start --no-block probe.service\n", 0o755),
        ("etc/systemd/system/probe.service", UNIT, 0o644),
        ("opt/probe.py", PROBE, 0o644),
    ):
        path = upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
    if gib is not None:
        _bring_network_up(upper)
    image = Image(
        id="ami-0123456789abcdef0",
        region="us-east-1",
        name="probe",
        architecture="x86_64",
        created=time.time(),
        content="probe",
    )
    store.snapshot(image, volume)
    if gib is None:
        store.disk(image).touch()
    else:
        store.make_disk(image, gib=gib)
    return image.id


def _bring_network_up(upper: Path) -> None:
    (upper / "etc/cloud").mkdir()
    (upper / "etc/cloud/cloud-init.disabled").touch()
    network = upper / "etc/systemd/network/eth0.network"
    network.parent.mkdir()
    network.write_text(NETWORK)
    for target, unit in (
        ("multi-user.target", "systemd-networkd.service"),
        ("network-online.target", "systemd-networkd-wait-online.service"),
    ):
        link = upper / "etc/systemd/system" / f"{target}.wants" / unit
        link.parent.mkdir()
        link.symlink_to(f"{UNITS}/{unit}")


def seen(server: Server, instance: str, *, boot: int = 1, seconds: float = 60) -> dict[str, Any]:
    """What the program said on the console in that boot."""

    def lines() -> list[str]:
        output = server.ec2.get_console_output(InstanceId=instance)["Output"]
        found = [line.partition("probe ")[2] for line in output.splitlines() if "probe {" in line]
        return found if len(found) >= boot else []

    said = until(lines, seconds=seconds, what=f"{instance} boots {boot} times")
    return dict(json.loads(said[boot - 1]))
