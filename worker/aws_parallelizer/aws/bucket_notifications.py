"""Whom a bucket tells of new objects. S3 knows the configuration as one document, which is read and
written as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_parallelizer.core.errors import NotFound


class BucketNotifications:
    """The gateway. Every method raises botocore's ClientError or BotoCoreError."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(self, bucket: str) -> dict[str, Any]:
        """The configuration as S3 gives it; raises NotFound."""
        try:
            answer = self._client.get_bucket_notification_configuration(Bucket=bucket)
        except self._client.exceptions.NoSuchBucket as error:
            raise NotFound(f"there is no bucket {bucket}") from error
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def write(
        self, bucket: str, configuration: Mapping[str, Any], *, validate: bool = True
    ) -> None:
        """Replace the configuration. S3 validates every destination in it unless told not to, and
        refuses all for one that is gone.
        """
        self._client.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration=configuration,
            **({} if validate else {"SkipDestinationValidation": True}),
        )
