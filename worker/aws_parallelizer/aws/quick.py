"""A boto3 client whose most frequent calls cost a fraction of boto3's CPU.

For services of AWS's JSON protocol. A call goes the short way once, by urllib3 and botocore's
signer; whatever does not come back as a plain success (an error of the service, a broken
connection, a wrong checksum) is left to boto3, which knows all about retries and errors. So a call
may arrive once more often than boto3 alone would send it, as if it had tried once more.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Callable, Collection
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

log = logging.getLogger(__name__)

_OK = 200
_FAILED = (urllib3.exceptions.HTTPError, OSError, BotoCoreError, msgspec.DecodeError)


class QuickClient:
    """`client` with the short way for `methods`, which take and give what boto3's do, but for
    `ResponseMetadata`; binary values are not for them.
    """

    def __init__(self, client: Any, methods: Collection[str], *, credentials: Any) -> None:
        self._client = client
        self._credentials = credentials
        meta = client.meta
        service = meta.service_model
        self._methods = {name: meta.method_to_api_mapping[name] for name in methods}
        self._url = f"{meta.endpoint_url.rstrip('/')}/"
        self._signing = (service.signing_name, meta.region_name)
        self._target = service.metadata["targetPrefix"]
        self._headers = {
            "Content-Type": f"application/x-amz-json-{service.metadata['jsonVersion']}",
            "User-Agent": meta.config.user_agent,
        }
        self._pool = _pool(self._url, meta.config)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        operation = self._methods.get(name)
        return partial(self._call, operation, method) if operation else method

    def _call(self, operation: str, method: Callable[..., Any], **parameters: Any) -> Any:
        try:
            answer = self._short(operation, msgspec.json.encode(parameters))
        except _FAILED as error:
            log.debug("%s failed and is left to boto3: %s", operation, error)
            answer = None
        return method(**parameters) if answer is None else answer

    def _short(self, operation: str, body: bytes) -> Any:
        """What the service answered; None = no plain success."""
        headers = {**self._headers, "X-Amz-Target": f"{self._target}.{operation}"}
        request = AWSRequest("POST", self._url, headers=headers, data=body)
        # Frozen: credentials of an instance are refreshed by others while this one signs.
        frozen = self._credentials.get_frozen_credentials()
        SigV4Auth(frozen, *self._signing).add_auth(request)
        answer = self._pool.urlopen(
            "POST", self._url, body=body, headers=dict(request.headers.items()), retries=False
        )
        told = answer.headers.get("x-amz-crc32")
        if answer.status != _OK or (told and int(told) != zlib.crc32(answer.data)):
            return None
        return msgspec.json.decode(answer.data, type=dict[str, Any])


def _pool(url: str, config: Any) -> urllib3.PoolManager:
    # As botocore's own sessions have it.
    bundle = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or True
    settings: dict[str, Any] = {
        "maxsize": config.max_pool_connections,
        "timeout": urllib3.Timeout(connect=config.connect_timeout, read=config.read_timeout),
        "cert_reqs": "CERT_REQUIRED",
        "ca_certs": get_cert_path(bundle),
    }
    proxy = get_environ_proxies(url).get(urlsplit(url).scheme)
    return urllib3.ProxyManager(proxy, **settings) if proxy else urllib3.PoolManager(**settings)
