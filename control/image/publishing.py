"""Tells the stacks of an image: its id goes to the SSM parameter that `imageID`'s default reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from aws_parallelizer.aws import clients
from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.image_parameters import ImageParameters
from deploy.commands import Say
from image.saying import ImageFailed

_PATIENCE_SECONDS = 60.0  # SSM looks for the image after it has answered; seconds, as a rule
_POLL_SECONDS = 1.0


def publish(
    images: Mapping[str, str],
    *,
    parameter: str,
    say: Say,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Have the parameter of each region name that region's image. Where one cannot, the others are
    asked all the same; then raises ImageFailed, which says for each how somebody else can do it.
    """
    failed: list[str] = []
    for region, image in images.items():
        gateway = ImageParameters(clients.client("ssm", region=region))
        try:
            if gateway.value(parameter) != image:
                gateway.ask(parameter, image)
                _wait(gateway, parameter, image, sleep=sleep, now=now)
        except (ImageFailed, *CALL_FAILED) as error:
            failed.append(
                f"{image} is made, but {parameter} of {region} does not name it ({error}). "
                "Somebody who may can run: aws ssm put-parameter --overwrite --type String "
                f"--data-type aws:ec2:image --name {parameter} --value {image} --region {region}"
            )
        else:
            say(f"{region}: {parameter} = {image}")
    if failed:
        raise ImageFailed("\n".join(failed))


def _wait(
    gateway: ImageParameters,
    parameter: str,
    image: str,
    *,
    sleep: Callable[[float], None],
    now: Callable[[], float],
) -> None:
    deadline = now() + _PATIENCE_SECONDS
    while (told := gateway.value(parameter)) != image:
        if now() > deadline:
            raise ImageFailed(
                f"it says {told or 'nothing'} after {_PATIENCE_SECONDS:.0f} s: SSM takes only an "
                "image that is there, in its own region"
            )
        sleep(_POLL_SECONDS)
