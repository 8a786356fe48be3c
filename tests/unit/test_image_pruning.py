"""Which images may go, decided on what was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aws_parallelizer.aws.images import OwnImage, OwnSnapshot
from image import pruning
from image.pruning import Plan, Seen

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TAGS = {
    "parallelizer:image": "worker",
    "parallelizer:arch": "amd64",
    "parallelizer:debian-release": "13",
}


def image(days: int, **more: Any) -> OwnImage:
    """An image of so many days ago."""
    given = {
        "id": f"ami-{days}",
        "name": f"image of {days}",
        "created": NOW - timedelta(days=days),
        "state": "available",
        "tags": TAGS,
        "snapshots": (f"snap-{days}",),
    }
    return OwnImage(**{**given, **more})


def planned(*images: OwnImage, keep: int = 1, **seen: Any) -> Plan:
    snapshots = tuple(OwnSnapshot(id_, each.created) for each in images for id_ in each.snapshots)
    given = {
        "images": images,
        "snapshots": snapshots,
        "used_snapshots": {snapshot.id for snapshot in snapshots},
        "named": {},
        "shared": {},
    }
    return pruning.plan(Seen(**{**given, **seen}), keep=keep, now=NOW)


def removed(plan: Plan) -> list[str]:
    return [each.id for each in plan.remove]


def test_the_newest_of_each_kind_stay() -> None:
    arm = {**TAGS, "parallelizer:arch": "arm64"}
    older = {**TAGS, "parallelizer:debian-release": "12"}
    images = [
        *(image(days) for days in (10, 20, 30)),
        *(image(days, tags=arm) for days in (40, 50, 60)),
        *(image(days, tags=older) for days in (70,)),
    ]
    assert removed(planned(*images, keep=2)) == ["ami-60", "ami-30"]
    assert removed(planned(*images, keep=1)) == ["ami-60", "ami-50", "ami-30", "ami-20"]


@pytest.mark.parametrize(
    ("stays", "reason"),
    [
        (image(90, tags={}), "it is not ours"),
        (image(90, tags={"parallelizer:image": "builder"}), "it is not ours"),
        (image(90, tags={**TAGS, "parallelizer:protect": ""}), "it bears the tag"),
        (image(90, locked=True), "its deregistration protection is on"),
        (image(0), "it is among the newest"),
        (image(90, state="pending"), "it is being made"),
    ],
)
def test_an_image_that_has_to_stay_says_why(stays: OwnImage, reason: str) -> None:
    plan = planned(stays, image(5, id="ami-other", snapshots=()))
    assert stays.id not in removed(plan)
    told = {kept.id: why for kept, why in plan.keep}
    assert told[stays.id].startswith(reason)


def test_an_image_that_something_names_stays() -> None:
    plan = planned(image(5), image(90), image(91), named={"ami-90": "instance i-1"})
    assert removed(plan) == ["ami-91"]
    assert ("ami-90", "instance i-1 names it") in [(each.id, why) for each, why in plan.keep]


def test_an_image_that_others_may_launch_stays() -> None:
    assert removed(planned(image(5), image(90), shared={"ami-90": "123456789012"})) == []


def test_an_image_that_was_just_made_and_is_not_published_yet_stays() -> None:
    late = image(0, id="ami-late", created=NOW - timedelta(hours=3), state="available")
    assert removed(planned(image(0), late)) == []


def test_an_image_that_failed_replaces_none_and_goes() -> None:
    assert removed(planned(image(5, state="failed"), image(90))) == ["ami-5"]


def test_a_snapshot_whose_image_is_gone_goes_unless_it_is_new_or_used() -> None:
    old, new, used = (
        OwnSnapshot("snap-old", NOW - timedelta(days=2)),
        OwnSnapshot("snap-new", NOW - timedelta(hours=2)),
        OwnSnapshot("snap-used", NOW - timedelta(days=2)),
    )
    plan = planned(snapshots=(old, new, used), used_snapshots={"snap-used"})
    assert plan.orphans == (old,)


def test_with_none_to_keep_the_old_ones_go_all() -> None:
    assert removed(planned(image(5), image(6), keep=0)) == ["ami-6", "ami-5"]
