"""What an instance can learn of itself: the tree of paths and texts behind its metadata endpoint,
pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

# EC2's last about six hours; clients fetch new ones some minutes before the end.
CREDENTIALS_LAST = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """The keys that a role hands to its instance."""

    access_key: str
    secret_key: str
    token: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What stays the same while a machine lives."""

    instance: str
    type: str
    image: str
    region: str
    zone: str
    account: str
    address: str
    life_cycle: str
    role: str | None
    user_data: bytes | None
    public_key: str | None = None
    has_metadata: bool = True  # EC2 can turn the service off, and then it forbids everything

    @property
    def mac(self) -> str:
        """Of its network interface: made up, and another for each."""
        tail = self.instance.removeprefix("i-").rjust(10, "0")[-10:]
        return ":".join(("02", *(tail[at : at + 2] for at in range(0, 10, 2))))

    @property
    def host_name(self) -> str:
        """Of its address, as EC2 makes them."""
        return f"ip-{self.address.replace('.', '-')}.ec2.internal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A spot instance will be taken back: `action` is terminate, stop or hibernate."""

    action: str
    at: datetime


def leaves(
    identity: Identity,
    *,
    credentials: Credentials,
    notice: Notice | None,
    advised: datetime | None,
    now: datetime,
) -> Mapping[str, bytes]:
    """Every path below /latest/ that has a value now."""
    interface = f"meta-data/network/interfaces/macs/{identity.mac}"
    texts = {
        f"{interface}/device-number": "0",
        f"{interface}/local-ipv4s": identity.address,
        f"{interface}/mac": identity.mac,
        "meta-data/ami-launch-index": "0",
        "meta-data/hostname": identity.host_name,
        "meta-data/local-hostname": identity.host_name,
        "meta-data/mac": identity.mac,
        "meta-data/ami-id": identity.image,
        "meta-data/instance-id": identity.instance,
        "meta-data/instance-life-cycle": identity.life_cycle,
        "meta-data/instance-type": identity.type,
        "meta-data/local-ipv4": identity.address,
        "meta-data/placement/availability-zone": identity.zone,
        "meta-data/placement/region": identity.region,
        "meta-data/services/domain": "amazonaws.com",
        "meta-data/services/partition": "aws",
        "dynamic/instance-identity/document": _document(identity),
    }
    if identity.role is not None:
        path = f"meta-data/iam/security-credentials/{identity.role}"
        texts[path] = _role_document(credentials, now=now)
    if identity.public_key is not None:
        texts["meta-data/public-keys/"] = "0=key"  # the one folder that EC2 lists in another way
        texts["meta-data/public-keys/0/openssh-key"] = identity.public_key
    if notice is not None:
        action = {"action": notice.action, "time": stamp(notice.at)}
        texts["meta-data/spot/instance-action"] = json.dumps(action)
        if notice.action == "terminate":
            texts["meta-data/spot/termination-time"] = stamp(notice.at)
    if advised is not None:
        advice = {"noticeTime": stamp(advised)}
        texts["meta-data/events/recommendations/rebalance"] = json.dumps(advice)
    values = {path: text.encode() for path, text in texts.items()}
    return values if identity.user_data is None else {**values, "user-data": identity.user_data}


def lookup(values: Mapping[str, bytes], path: str) -> bytes | None:
    """The value at a path, or the names below it, one a line, folders with a slash; None = 404."""
    for name in (path, f"{path}/"):
        if name in values:
            return values[name]
    folder = f"{path.rstrip('/')}/" if path.strip("/") else ""
    below = (key.removeprefix(folder) for key in values if key.startswith(folder))
    names = {name + slash for name, slash, _ in (key.partition("/") for key in below)}
    return "\n".join(sorted(names)).encode() if names else None


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _role_document(credentials: Credentials, *, now: datetime) -> str:
    document = {
        "Code": "Success",
        "LastUpdated": stamp(now),
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret_key,
        "Token": credentials.token,
        "Expiration": stamp(now + CREDENTIALS_LAST),
    }
    return json.dumps(document)


def _document(identity: Identity) -> str:
    document = {
        "accountId": identity.account,
        "architecture": "x86_64",
        "availabilityZone": identity.zone,
        "imageId": identity.image,
        "instanceId": identity.instance,
        "instanceType": identity.type,
        "privateIp": identity.address,
        "region": identity.region,
        "version": "2017-09-30",
    }
    return json.dumps(document)
