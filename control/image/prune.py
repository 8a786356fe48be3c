"""Removes old images and their snapshots; without leave it only says what it would remove."""

from __future__ import annotations

from datetime import UTC, datetime

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.image_parameters import ImageParameters
from aws_parallelizer.aws.image_users import users
from aws_parallelizer.aws.images import Images, OwnImage
from deploy.commands import Say
from image import pruning
from image.pruning import Plan, Seen


def prune(region: str, *, keep: int, remove: bool, say: Say, now: datetime | None = None) -> Plan:
    """Look at the region's images, and if `remove`, remove what may go; what was decided. Raises
    what botocore raises: what is left then the next run finds.
    """
    gateway = Images(clients.client("ec2", region=region))
    plan = pruning.plan(look(gateway, region), keep=keep, now=now or datetime.now(UTC))
    for line in told(plan, region=region, removing=remove):
        say(line)
    if remove:
        _carry_out(gateway, plan, say)
    return plan


def look(gateway: Images, region: str) -> Seen:
    """All that is to be known of the region's images."""
    images = gateway.own()
    ids = [image.id for image in images]
    named = dict(users(clients.client("ec2", region=region), ids))
    parameters = ImageParameters(clients.client("ssm", region=region)).naming(ids)
    named.update((image, f"the SSM parameter {name}") for image, name in parameters.items())
    shared = {id_: gateway.launchable_by(id_) for id_ in ids}
    return Seen(
        images=tuple(images),
        snapshots=tuple(gateway.own_snapshots()),
        used_snapshots=gateway.used_snapshots(),
        named=named,
        shared={id_: ", ".join(accounts) for id_, accounts in shared.items() if accounts},
    )


def told(plan: Plan, *, region: str, removing: bool) -> list[str]:
    """The plan for a person."""
    lines = [f"keeps {_name(image)}: {reason}" for image, reason in plan.keep]
    verb = "removes" if removing else "would remove"
    lines += [f"{verb} {_name(image)} with {_count(image.snapshots)}" for image in plan.remove]
    lines += [f"{verb} snapshot {each.id}: its image is gone" for each in plan.orphans]
    if not (plan.remove or plan.orphans):
        return [*lines, f"{region}: no image is there that nothing needs"]
    return lines if removing else [*lines, "nothing was changed; YES=1 removes them"]


def _carry_out(gateway: Images, plan: Plan, say: Say) -> None:
    for image in plan.remove:
        gateway.deregister(image.id)
        # Snapshots second: what an interrupted run leaves has no image, and the next finds it.
        for snapshot in image.snapshots:
            if snapshot not in plan.ours:
                say(f"snapshot {snapshot} stays: it does not bear our tag")
            else:
                _delete(gateway, snapshot, say)
    for orphan in plan.orphans:
        _delete(gateway, orphan.id, say)


def _delete(gateway: Images, snapshot: str, say: Say) -> None:
    if not gateway.delete_snapshot(snapshot):
        say(f"snapshot {snapshot} stays: another image is made of it")


def _name(image: OwnImage) -> str:
    return f"{image.id} ({image.name or 'no name'}, {image.created:%Y-%m-%d})"


def _count(snapshots: tuple[str, ...]) -> str:
    return f"{len(snapshots)} snapshot" + ("" if len(snapshots) == 1 else "s")
