"""Buckets as the control plane sees them: what lies there, and links to it.

The data path of the workers is another module.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from aws_parallelizer.core.errors import NotFound

_LINK_SECONDS = 3600  # long enough to look at a task's files, short for a link that needs no key
_PAGE = 1000  # the most that S3 lists in one call


class Listed(NamedTuple):
    """One object of a listing; `etag` without its quotes, `modified` in seconds since 1970."""

    key: str
    etag: str
    size: int
    modified: float = 0.0


class S3:
    """The gateway. Every method raises botocore's ClientError or BotoCoreError."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def page(self, bucket: str, *, prefix: str, after: str = "") -> list[Listed]:
        """The next objects under `prefix`, by key, after `after`; none = that was all."""
        start = {"StartAfter": after} if after else {}
        answer = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_PAGE, **start)
        return [
            Listed(
                entry["Key"],
                unquoted(entry["ETag"]),
                int(entry["Size"]),
                entry["LastModified"].timestamp(),
            )
            for entry in answer.get("Contents", [])
        ]

    def has(self, bucket: str) -> bool:
        """Whether the bucket is there and may be listed."""
        try:
            self._client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchBucket", "AccessDenied"):
                return False
            raise
        return True

    def region(self, bucket: str) -> str:
        """The bucket's region, empty where S3 does not tell; raises NotFound."""
        try:
            answer = self._client.head_bucket(Bucket=bucket)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise
            raise NotFound(f"there is no bucket {bucket}") from error
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        return str(headers.get("x-amz-bucket-region", ""))

    def etag(self, bucket: str, key: str) -> str:
        """The object's ETag; empty = not there, `unknown` = it may not be looked up."""
        try:
            found = self.page(bucket, prefix=key)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "AccessDenied":
                return "unknown"
            if error.response["Error"]["Code"] == "NoSuchBucket":
                return ""
            raise
        # Of keys that begin so, it is the first.
        return found[0].etag if found and found[0].key == key else ""

    def link(self, bucket: str, key: str) -> str:
        """A link that anybody may GET the object by, for an hour."""
        link: str = self._client.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=_LINK_SECONDS
        )
        return link

    def make(self, bucket: str) -> None:
        """Make a private bucket, where it is not there yet."""
        try:
            self._client.head_bucket(Bucket=bucket)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            region = self._client.meta.region_name
            # us-east-1 is the one region that may not be named: it is S3's default.
            place = {} if region == "us-east-1" else {"LocationConstraint": region}
            options = {"CreateBucketConfiguration": place} if place else {}
            self._client.create_bucket(Bucket=bucket, **options)
        self._client.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
        )

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Store a small object."""
        self._client.put_object(Bucket=bucket, Key=key, Body=body)


def unquoted(etag: str) -> str:
    """An ETag without the quotes that HTTP gives it and S3's events do not."""
    return etag.strip('"')
