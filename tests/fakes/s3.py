"""Buckets in memory: `aws.s3.S3`'s methods that list and link."""

from __future__ import annotations

from urllib.parse import quote

from aws_parallelizer.aws.s3 import Listed


class FakeS3:
    """Objects by bucket and key; a page has `page_size` of them."""

    def __init__(self, *buckets: str, page_size: int = 1000) -> None:
        self.objects: dict[str, dict[str, Listed]] = {bucket: {} for bucket in buckets}
        self.page_size = page_size

    def put(
        self, bucket: str, key: str, *, etag: str = "e", size: int = 1, modified: float = 0.0
    ) -> None:
        self.objects[bucket][key] = Listed(key, etag, size, modified)

    def has(self, bucket: str) -> bool:
        return bucket in self.objects

    def etag(self, bucket: str, key: str) -> str:
        found = self.objects.get(bucket, {}).get(key)
        return found.etag if found else ""

    def page(self, bucket: str, *, prefix: str, after: str = "") -> list[Listed]:
        # S3 sorts by the bytes of UTF-8.
        found = sorted(self.objects[bucket], key=str.encode)
        wanted = [k for k in found if k.startswith(prefix) and k.encode() > after.encode()]
        return [self.objects[bucket][key] for key in wanted[: self.page_size]]

    def link(self, bucket: str, key: str) -> str:
        return f"https://{bucket}.s3.amazonaws.com/{quote(key)}?signed"
