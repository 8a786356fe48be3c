"""obstore's S3 stores, one a bucket, with the region, endpoint and credentials of the boto3 client
beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import NoCredentialsError
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from aws_parallelizer.aws.clients import session

if TYPE_CHECKING:  # these two are no names at run time
    from obstore.store import ClientConfig, RetryConfig, S3Config

# Shorter than the ten minutes for which botocore may still hand out credentials that are about to
# end.
_CREDENTIALS_LAST = timedelta(minutes=5)
# The callers try again, with the lease in view. A pause is drawn between the first and `base` times
# the one before, so that with obstore's own base, 2, pauses do not grow at all in the long run.
_RETRY: RetryConfig = {
    "max_retries": 10,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {
        "init_backoff": timedelta(seconds=0.1),
        "max_backoff": timedelta(seconds=15),
        "base": 5,
    },
}


def stores(s3: Any) -> Callable[[str], S3Store]:
    """What makes the store of a bucket, at the service that the boto3 client `s3` speaks to. Raises
    BotoCoreError where there are no credentials.
    """
    if session().get_credentials() is None:
        raise NoCredentialsError
    endpoint, region = s3.meta.endpoint_url, s3.meta.region_name
    provider = Boto3CredentialProvider(session(), ttl=_CREDENTIALS_LAST)
    config: S3Config = {"checksum_algorithm": "SHA256"}
    if not _is_aws(endpoint):
        config |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    client: ClientConfig = {
        "allow_http": urlsplit(endpoint).scheme == "http",
        "connect_timeout": "5s",
        "read_timeout": "60s",
        "timeout": "1h",  # of a whole object; obstore's 30 s would end a large one
    }

    def store(bucket: str) -> S3Store:
        return S3Store(
            bucket,
            config=config,
            region=region,
            client_options=client,
            credential_provider=provider,
            retry_config=_RETRY,
        )

    return store


def _is_aws(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
