"""SSM parameters that name machine images.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

_IMAGE = "aws:ec2:image"
_MOST_AT_ONCE = 10  # names that GetParameters takes


class ImageParameters:
    """The gateway. Every method raises botocore's ClientError or BotoCoreError."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ask(self, name: str, image: str) -> None:
        """Have the parameter name the image. SSM answers before it has looked whether there is such
        an image in its region, and where it finds none changes nothing: `value` tells.
        """
        self._client.put_parameter(
            Name=name,
            Value=image,
            Type="String",
            DataType=_IMAGE,
            Description="The image of aws-parallelizer's workers",
            Overwrite=True,
        )

    def value(self, name: str) -> str | None:
        """What the parameter says, None where there is none."""
        try:
            return str(self._client.get_parameter(Name=name)["Parameter"]["Value"])
        except self._client.exceptions.ParameterNotFound:
            return None  # to be made by `ask`

    def naming(self, images: Collection[str]) -> dict[str, str]:
        """Those of the images that a parameter names, each with one that does. Who made it by hand
        may have given it no image's type, and stacks read such a one too.
        """
        strings = [{"Key": "Type", "Values": ["String"]}]
        pages = self._client.get_paginator("describe_parameters").paginate(ParameterFilters=strings)
        names = sorted(entry["Name"] for page in pages for entry in page["Parameters"])
        return {image: name for name, image in self._values(names) if image in images}

    def _values(self, names: list[str]) -> Iterator[tuple[str, str]]:
        for begin in range(0, len(names), _MOST_AT_ONCE):
            answer = self._client.get_parameters(Names=names[begin : begin + _MOST_AT_ONCE])
            yield from ((entry["Name"], entry["Value"]) for entry in answer["Parameters"])
