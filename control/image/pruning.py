"""Which images and snapshots may go: pure.

An image goes if `make ami` made it, it is none of the newest of its kind, it is not quite new, and
nothing names it. A snapshot goes with its image, or alone if its image is gone already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_parallelizer.aws.images import OURS, TAG, OwnImage, OwnSnapshot
from aws_parallelizer.core.fleet import TAG_PROTECT

# An image is made, copied and published in less; until then nothing names it.
_NEW = timedelta(days=1)
_KIND_TAGS = ("parallelizer:arch", "parallelizer:debian-release")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that speaks of images in a region. `named` by what else names them, `shared` by whom
    they may be launched; `used_snapshots` those of any image of the account.
    """

    images: tuple[OwnImage, ...]
    snapshots: tuple[OwnSnapshot, ...]
    used_snapshots: Collection[str]
    named: Mapping[str, str]
    shared: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`remove` images, with those of their snapshots that are `ours`; `orphans` snapshots alone;
    `keep` with the reason.
    """

    remove: tuple[OwnImage, ...]
    orphans: tuple[OwnSnapshot, ...]
    keep: tuple[tuple[OwnImage, str], ...]
    ours: frozenset[str]


def plan(seen: Seen, *, keep: int, now: datetime) -> Plan:
    """What to do; `keep` the newest of each kind."""
    newest = _newest(seen.images, keep)
    reasons = {image.id: _reason(image, seen, newest, now) for image in seen.images}
    ordered = sorted(seen.images, key=lambda image: (image.created, image.id))
    return Plan(
        remove=tuple(image for image in ordered if not reasons[image.id]),
        orphans=tuple(
            snapshot
            for snapshot in sorted(seen.snapshots)
            if snapshot.id not in seen.used_snapshots and now - snapshot.started > _NEW
        ),
        keep=tuple((image, reasons[image.id]) for image in ordered if reasons[image.id]),
        ours=frozenset(snapshot.id for snapshot in seen.snapshots),
    )


def _reason(image: OwnImage, seen: Seen, newest: Collection[str], now: datetime) -> str:
    """Why the image stays, empty if it may go."""
    if image.tags.get(TAG) != OURS:
        return "it is not ours"
    if image.tags.get(TAG_PROTECT) is not None:
        return f"it bears the tag {TAG_PROTECT}"
    if image.locked:
        return "its deregistration protection is on"
    if image.id in seen.named:
        return f"{seen.named[image.id]} names it"
    if image.id in seen.shared:
        return f"{seen.shared[image.id]} may launch it"
    if image.id in newest:
        return "it is among the newest"
    if now - image.created <= _NEW:
        return "it is less than a day old"
    if image.state == "pending":
        return "it is being made"
    return ""


def _newest(images: Iterable[OwnImage], keep: int) -> set[str]:
    kinds: dict[tuple[str, ...], list[OwnImage]] = {}
    for image in images:
        if image.state == "available":  # one that failed replaces none
            kind = tuple(image.tags.get(name, "") for name in _KIND_TAGS)
            kinds.setdefault(kind, []).append(image)
    ordered = (sorted(each, key=lambda image: image.created)[-keep:] for each in kinds.values())
    return {image.id for each in ordered for image in each} if keep else set()
