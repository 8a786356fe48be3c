"""Buckets as such: whose, where, and how to be rid of them. Their objects are other modules'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from aws_parallelizer.core.errors import NotFound, ParallelizerError

_BATCH = 1000  # the most that S3 deletes in one call


class NotEmptied(ParallelizerError):
    """S3 refused to delete some objects."""


class Buckets:
    """The gateway. Every method raises botocore's ClientError or BotoCoreError, too."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def region(self, bucket: str, *, owner: str) -> str:
        """The region of a bucket of the account `owner`; raises NotFound, whose text is a sentence,
        for one that is not there or not the account's.
        """
        try:
            answer = self._client.head_bucket(Bucket=bucket, ExpectedBucketOwner=owner)
        except ClientError as error:
            headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            if _code(error) in ("301", "PermanentRedirect") and "x-amz-bucket-region" in headers:
                return str(headers["x-amz-bucket-region"])
            if _code(error) in ("403", "AccessDenied"):
                raise NotFound(
                    f"bucket {bucket} is another account's, or these credentials may not see it"
                ) from error
            if _code(error) not in ("404", "NoSuchBucket"):
                raise
            raise NotFound(f"there is no bucket {bucket}") from error
        return str(answer.get("BucketRegion") or self._client.meta.region_name)

    def tagged(self, key: str, value: str, *, prefix: str) -> list[str]:
        """The names of the region's buckets that begin with `prefix` and bear the tag."""
        pages = self._client.get_paginator("list_buckets").paginate(
            Prefix=prefix, BucketRegion=self._client.meta.region_name
        )
        names = [entry["Name"] for page in pages for entry in page.get("Buckets", [])]
        return sorted(name for name in names if self._tags(name).get(key) == value)

    def remove(self, bucket: str) -> bool:
        """Delete the bucket if it is empty; whether it is gone now."""
        try:
            self._client.delete_bucket(Bucket=bucket)
        except ClientError as error:
            if _code(error) == "BucketNotEmpty":
                return False
            if _code(error) != "NoSuchBucket":
                raise
        return True

    def empty(self, bucket: str, *, told: Callable[[int], None]) -> None:
        """Delete all objects in all their versions; `told` hears how many are gone so far. Raises
        NotEmptied.
        """
        gone = 0
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": _BATCH}
        )
        for page in pages:
            entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            for start in range(0, len(entries), _BATCH):
                gone += self._delete(bucket, entries[start : start + _BATCH])
                told(gone)

    def _delete(self, bucket: str, entries: list[dict[str, Any]]) -> int:
        objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in entries]
        answer = self._client.delete_objects(
            Bucket=bucket, Delete={"Objects": objects, "Quiet": True}
        )
        if refused := answer.get("Errors"):
            first = refused[0]
            raise NotEmptied(
                f"S3 refused to delete {len(refused)} objects of bucket {bucket}, the first "
                f"{first.get('Key')}: {first.get('Code')} {first.get('Message', '')}".rstrip()
            )
        return len(objects)

    def _tags(self, bucket: str) -> dict[str, str]:
        try:
            found = self._client.get_bucket_tagging(Bucket=bucket)["TagSet"]
        except ClientError as error:
            # A bucket whose tags may not be read is not known to be ours.
            if _code(error) not in ("NoSuchTagSet", "NoSuchBucket", "AccessDenied"):
                raise
            return {}
        return {tag["Key"]: tag["Value"] for tag in found}


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
