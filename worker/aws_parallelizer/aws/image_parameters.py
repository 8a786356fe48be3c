"""SSM parameters that name machine images.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
"""

from __future__ import annotations

from collections.abc import Collection
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

    def naming_images(self, known: Collection[str]) -> dict[str, str]:
        """What every parameter of an image's type says, by name, and those of the names `known`
        whatever their type.
        """
        strings = [{"Key": "Type", "Values": ["String"]}]
        pages = self._client.get_paginator("describe_parameters").paginate(ParameterFilters=strings)
        entries = [entry for page in pages for entry in page["Parameters"]]
        names = {entry["Name"] for entry in entries if entry.get("DataType") == _IMAGE}
        names |= {entry["Name"] for entry in entries} & set(known)
        return self._values(sorted(names))

    def _values(self, names: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for begin in range(0, len(names), _MOST_AT_ONCE):
            answer = self._client.get_parameters(Names=names[begin : begin + _MOST_AT_ONCE])
            found.update((entry["Name"], entry["Value"]) for entry in answer["Parameters"])
        return found
