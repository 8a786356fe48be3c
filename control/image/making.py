"""Makes the image: wheels, Packer, and the parameter that tells stacks of it.

Each run makes a new image and removes none. What a run leaves that fails or is interrupted is at
most an image that no parameter names, which `make ami-prune` finds; Packer removes what it started.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.images import Images
from deploy.commands import Interrupted, Say
from image import manifest, packer, publishing, regions, sbom, sources, wheelhouse
from image.audit import tree
from image.manifest import Built
from image.saying import REPOSITORY, ImageFailed
from image.targets import Target

_MANIFEST = "manifest.json"

# List prices of us-east-1: they differ by region and time, and are here for their size.
_BUILDER_HOURLY_DOLLARS = 0.021
_BUILDER_HOURS = 0.25
_SNAPSHOT_GIGABYTES = 2
_SNAPSHOT_MONTHLY_DOLLARS = 0.05 * _SNAPSHOT_GIGABYTES
_COPY_DOLLARS = 0.02 * _SNAPSHOT_GIGABYTES


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be made. `copies` are further regions; `parameter` the SSM parameter's name, empty
    = that of the architecture; `variables` more of the template's, by name; `file` has yet more, as
    Packer reads them.
    """

    target: Target
    region: str
    copies: Sequence[str] = ()
    parameter: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the wheels, the manifest and the list of parts lie."""
        return REPOSITORY / "build" / "ami" / self.target.name


def make(order: Order, *, say: Say) -> Built:
    """Make, publish, and say what was made and how it is used; raises ImageFailed, Interrupted, and
    what botocore raises.
    """
    program = packer.find()
    _check_account(order)
    for line in announced(order, version=sources.version(), commit=sources.commit()):
        say(line)
    if program.old:
        say(
            f"warning: Packer {'.'.join(map(str, program.version))} cannot mark the image for "
            "IMDSv2 or set its deprecation date; install 1.14 or newer for that"
        )
    made = _build(order, program, say=say)
    try:
        publish(made, parameter=order.parameter, say=say)
    except KeyboardInterrupt as error:
        raise _unpublished(order, made) from error
    return made


def publish(made: Built, *, parameter: str, say: Say) -> None:
    """Tell the stacks, and the user."""
    name = parameter or regions.parameter(made.arch)
    publishing.publish(made.images, parameter=name, say=say)
    for line in used(made, parameter=name):
        say(line)


def announced(order: Order, *, version: str, commit: str) -> list[str]:
    """What will be done, and about what it costs."""
    where = order.region
    if order.copies:
        where += f", copied to {', '.join(order.copies)}"
    monthly = _SNAPSHOT_MONTHLY_DOLLARS * (1 + len(order.copies))
    once = _BUILDER_HOURLY_DOLLARS * _BUILDER_HOURS + _COPY_DOLLARS * len(order.copies)
    size = f"{_SNAPSHOT_GIGABYTES} GB of snapshot a region, us-east-1's list prices"
    made = f"aws-parallelizer {version} ({commit}) on Debian {order.target.release}"
    return [
        f"image: {made}, {order.target.arch}, in {where}",
        "starts one small instance for some ten minutes, makes a private image of it, ends it",
        f"costs about ${once:.2f} now and ${monthly:.2f} a month for the image ({size})",
    ]


def used(made: Built, *, parameter: str) -> list[str]:
    """How the image is used."""
    lines = [f"made {_ids(made)}"]
    if parameter == regions.parameter("amd64"):
        lines.append("stacks use it from their next launch on; imageID of a job names another one")
    else:
        lines.append(f"for a stack: make deploy PARAMETERS=ImageParameter={parameter}")
        lines.append("for a job: set imageID to its id, and instanceType to types of its kind")
    return [
        *lines,
        "make ami-verify boots it once and looks at it; make ami-prune removes old ones",
    ]


def _unpublished(order: Order, made: Built) -> Interrupted:
    path = (order.folder / _MANIFEST).relative_to(REPOSITORY)
    return Interrupted(
        f"interrupted; {_ids(made)} is made, and make ami MANIFEST={path} publishes it"
    )


def _ids(made: Built) -> str:
    return ", ".join(f"{image} ({region})" for region, image in made.images.items())


def _check_account(order: Order) -> None:
    """See that there are credentials and a place for the builder, before anything is begun."""
    regions.account(clients.client("sts", region=order.region))
    if "subnet_id" in order.variables or (order.file and "subnet_id" in order.file.read_text()):
        return
    if not Images(clients.client("ec2", region=order.region)).has_default_vpc():
        raise ImageFailed(
            f"{order.region} has no default VPC: name a subnet with public addresses, "
            "VARS=subnet_id=subnet-..., or make one, aws ec2 create-default-vpc "
            f"--region {order.region}"
        )


def _build(order: Order, program: packer.Packer, *, say: Say) -> Built:
    target, folder = order.target, order.folder
    wheels = folder / "wheelhouse"
    say(f"wheels for {target.name}, Python {target.python}")
    fetched = wheelhouse.build(target.release, target.arch, wheels)
    _check_wheels(wheels)
    template = program.template(folder / "template")
    variables = packer.variables(_variables(order, wheels), file=order.file)
    say("packer init and validate")
    program.prepare(template)
    program.validate(template, variables)
    for name in (_MANIFEST, sbom.PACKAGES):  # of an earlier build
        (folder / name).unlink(missing_ok=True)
    late = program.build(template, variables, say=say)
    made = manifest.read(folder / _MANIFEST)
    listed = sbom.write(folder, target=target, wheels=fetched)
    say(f"its parts are listed in {listed.relative_to(REPOSITORY)}")
    if late:
        raise _unpublished(order, made)
    return made


def _check_wheels(wheels: Path) -> None:
    """Nothing secret may have got into our own wheel from the working copy."""
    refused = tree.audit(wheels).refused
    if refused:
        found = ", ".join(f"{each.kind} in {each.where}" for each in refused[:3])
        raise ImageFailed(f"the wheels hold what must not go into an image: {found}")


def _variables(order: Order, wheels: Path) -> dict[str, str]:
    return {
        "region": order.region,
        "copy_to_regions": json.dumps(list(order.copies)),
        "arch": order.target.arch,
        "debian_release": order.target.release,
        "worker_version": sources.version(),
        "git_commit": sources.commit(),
        "wheelhouse": str(wheels),
        "manifest": str(order.folder / _MANIFEST),
        **order.variables,
    }
