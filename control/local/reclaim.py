"""`python -m local reclaim i-... --notice 120`: EC2 takes a spot instance back."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from local import env_file


class ReclaimFailed(Exception):
    """Why the instance was not taken back."""


def reclaim(instance: str, *, notice: float, directory: Path) -> str:
    """Give the notice; when the instance will end. Raises ReclaimFailed."""
    try:
        endpoint = env_file.read(directory / "env")["AWS_ENDPOINT_URL_EC2"]
    except FileNotFoundError as error:
        raise ReclaimFailed(f"no local cloud is ready in {directory}: start make local") from error
    request = urllib.request.Request(  # noqa: S310  the endpoint is our own
        f"{endpoint}/_local/reclaim",
        method="POST",
        data=json.dumps({"instance": instance, "notice": notice}).encode(),
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  likewise
            return str(json.loads(answer.read())["ends"])
    except urllib.error.HTTPError as error:
        with error:
            raise ReclaimFailed(json.loads(error.read())["Message"]) from error
    except urllib.error.URLError as error:
        raise ReclaimFailed(f"the local EC2 at {endpoint} does not answer") from error
