"""What an image has to be, and an instance that was started from it: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from aws_parallelizer.aws.image_trials import Details
from aws_parallelizer.aws.images import OURS, TAG
from image.targets import EC2_ARCHITECTURES

_TAGS = (
    "parallelizer:arch",
    "parallelizer:debian-release",
    "parallelizer:worker-version",
    "parallelizer:git-commit",
    "parallelizer:source-image",
)
_CONSOLE_LINES = 5
_AGAIN = "make it again with Packer 1.14 or newer"


class Check(NamedTuple):
    """One thing that was looked at, what was seen, and where that is not right, what to do."""

    name: str
    good: bool
    seen: str
    cure: str = ""

    def told(self) -> str:
        """As a line."""
        if self.good:
            return f"ok: {self.name}: {self.seen}"
        return f"failed: {self.name}: {self.seen}. {self.cure}"


class Trial(NamedTuple):
    """What became of an instance that was started to be looked at. `signed`: its worker wrote on
    the console what only one that read its user data can; `seconds` from the launch to that.
    """

    instance: str
    signed: bool
    seconds: float
    ended: bool  # by itself
    state: str
    tokens: bool
    console: str


def of_image(image: Details, *, shared: Sequence[str], now: datetime) -> Iterator[Check]:
    """What EC2 says of the image, and of those who may launch it besides its owner."""
    yield Check("state", image.state == "available", image.state, "Wait, or make another.")
    yield _tags(image)
    arch = EC2_ARCHITECTURES.get(image.tags.get("parallelizer:arch", ""), "")
    yield Check(
        "architecture",
        image.architecture == arch,
        f"{image.architecture}, and its tag says {arch or 'nothing'}",
        "Make it again.",
    )
    yield _encryption(image)
    yield _metadata(image)
    seen = "ENA on" if image.network else "no ENA"
    yield Check("network", image.network, seen, "Make it again.")
    everybody = image.public or "all" in shared
    who = "everybody" if everybody else ", ".join(shared) or "nobody else"
    yield Check(
        "private",
        not everybody,
        f"{who} may launch it",
        f"Run aws ec2 reset-image-attribute --image-id {image.id} --attribute launchPermission.",
    )
    yield _deprecation(image, now)


def of_trial(trial: Trial) -> Iterator[Check]:
    """What became of the instance."""
    last = trial.console.strip().splitlines()[-_CONSOLE_LINES:]
    written = " | ".join(last) or "nothing"
    yield Check(
        "sign of life",
        trial.signed,
        f"the worker spoke after {trial.seconds:.0f} s" if trial.signed else f"none in {written}",
        "What stands there says how far it came.",
    )
    yield Check(
        "tokens",
        trial.tokens,
        f"the instance's metadata service asks for tokens: {'yes' if trial.tokens else 'no'}",
        f"See the image's metadata above, or {_AGAIN}.",
    )
    yield Check(
        "its end",
        trial.ended,
        "it shut itself down" if trial.ended else f"it was {trial.state} and had to be ended",
        "An instance without work would have gone on to cost money.",
    )


def _metadata(image: Details) -> Check:
    good = image.imds == "v2.0"
    seen = (
        "its instances answer with tokens only" if good else "its instances answer without tokens"
    )
    mark = f"aws ec2 modify-image-attribute --image-id {image.id} --imds-support v2.0"
    return Check("metadata", good, seen, f"Run {mark}, or {_AGAIN}.")


def _tags(image: Details) -> Check:
    missing = [name for name in _TAGS if not image.tags.get(name)]
    missing += [TAG] if image.tags.get(TAG) != OURS else []
    version = image.tags.get("parallelizer:worker-version", "")
    seen = f"{', '.join(missing)} missing" if missing else f"all there, version {version}"
    return Check("tags", not missing, seen, "Without them make ami-prune does not know it.")


def _encryption(image: Details) -> Check:
    open_ = [disk.device for disk in image.disks if not disk.encrypted]
    seen = f"{', '.join(open_) or 'no disk'} in plain text" if open_ else "all disks encrypted"
    good = bool(image.disks) and not open_
    return Check("encryption", good, seen if image.disks else "no disks", "Make it again.")


def _deprecation(image: Details, now: datetime) -> Check:
    if image.deprecated is None:
        return Check("deprecation", False, "no date", f"To set one, {_AGAIN}.")
    day = f"{image.deprecated:%Y-%m-%d}"
    return Check("deprecation", image.deprecated > now, day, "Its packages are old: make ami.")
