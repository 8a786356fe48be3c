"""Why API Gateway refused a signature, and what to do about it: pure.

Its words: https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_IN_HOST = re.compile(r"\.execute-api\.([a-z0-9-]+)\.amazonaws\.")
_TIME = re.compile(r"\d{8}T\d{6}Z")
_HINTS = (
    ("explicit deny", "A policy forbids these credentials to call it."),
    ("not authorized to perform", "These credentials may not call it: allow execute-api:Invoke."),
    ("security token included in the request is expired", "These credentials have run out."),
    ("security token included in the request is invalid", "AWS does not know these credentials."),
    ("does not match the signature", "Is the secret key the one that belongs to the access key?"),
    ("Missing Authentication Token", "There is nothing at this address: is the API's URL whole?"),
)


def hint(message: str, *, base: str, region: str) -> str:
    """What to do about a 403 that said `message`, to a call signed for `region`."""
    if (found := _IN_HOST.search(base)) and found[1] != region:
        return f"It is in {found[1]}, and the call was signed for {region}: set AWS_REGION."
    if message.startswith(("Signature expired", "Signature not yet current")):
        return _clock(message)
    for words, said in _HINTS:
        if words in message:
            return said
    return (
        "Are these the credentials of an account that may call it, is the region right, and is "
        "this machine's clock?"
    )


def _clock(message: str) -> str:
    """Ours is the first time in the message; AWS's, with the tolerance beside it, the last."""
    times = [
        datetime.strptime(t, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for t in _TIME.findall(message)
    ]
    if len(times) < 2:
        return "This machine's clock is wrong: set it."
    minutes = (times[0] - times[-1]).total_seconds() / 60
    direction = "ahead" if minutes > 0 else "behind"
    return f"This machine's clock is {abs(minutes):.0f} minutes {direction}: set it."
