"""What looks like a secret and is none: whole values, each with the reason.

A value is allowed by its SHA-256, as findings tell it: an exact match, and long keys need not stand
here. There are no patterns, and there is no folder that is not looked at.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from image.audit.findings import Finding


class Allowed(NamedTuple):
    """`sha256` of all that matched; `where` the only path, empty for any."""

    kind: str
    sha256: str
    reason: str
    where: str = ""


def exactly(kind: str, value: bytes, reason: str, *, where: str = "") -> Allowed:
    """A value that is short enough to stand in the source."""
    return Allowed(kind, hashlib.sha256(value).hexdigest(), reason, where)


_AWS = "an example of AWS's documentation, in boto3 and botocore"
_APT = "an example in apt's manual pages"
_URLS = "a placeholder in the documentation of a library that speaks HTTP"
_CLOUD_INIT = "an example in cloud-init's sources and documentation"
_EXAMPLES = "usr/share/doc/cloud-init/examples"
_GNUTLS = "a key that GnuTLS tests itself with"
_JWT = "an example in PyJWT's documentation"

# In two pieces, for the audit finds this file too.
_MACHINE = b"achine example\\&.%s login apt " + b"password debian"
_APT_MACHINES = (
    *(b"net", b"org", b"org/deb", b"org/deb/", b"org/debian", b"org/debian/", b"org/ubuntu"),
    *(b"org:443", b"orga"),
)
_PLACEHOLDERS = (
    *(b"user:pass@host", b"user:pass@localhost", b"user:pass@proxy", b"user:pass@server"),
    *(b"user:pass@proxy.example.com", b"username:password@host.com", b"samuel:pass@example.com"),
    *(b"username:password@proxy.com", b"***:***@proxy.com", b"Benutzer:Passwort@Server"),
    b"gebruiker:wachtwoord@server",
)

ALLOWED: tuple[Allowed, ...] = (
    exactly("aws-access-key", b"AKIAIOSFODNN7EXAMPLE", _AWS),
    exactly("aws-access-key", b"AKIAI44QH8DHBEXAMPLE", _AWS),
    exactly("aws-access-key", b"AKIA111111111EXAMPLE", _AWS),
    exactly("aws-access-key", b"AKIA222222222EXAMPLE", _AWS),
    Allowed(
        "aws-session-token",
        "becbe0d931fe6fcd09c4898cf8be71bde6b97f4d06d20a102a7433ac6a698369",
        _AWS,
    ),
    *(exactly("url-password", b"://" + value, _URLS) for value in _PLACEHOLDERS),
    exactly("url-password", b"://apt:debian@example", _APT),
    exactly("url-password", b"://apt:pass@127", _APT),
    *(exactly("netrc-password", _MACHINE % name, _APT) for name in _APT_MACHINES),
    exactly("netrc-password", b"achine example\\&.org\nlogin apt\npassword debian", _APT),
    exactly("assigned-secret", b"ecret = pass:insta", "an example in OpenSSL's configuration"),
    exactly(
        "basic-authorization",
        b"uthorization: Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW",
        "the example of RFC 6749, in oauthlib",
    ),
    Allowed(
        "json-web-token", "1a9e7de3fd045251395dfb186491794be6f20a7b46b5ac1caa60f33c36e1249d", _JWT
    ),
    Allowed(
        "json-web-token", "bf145d9380bbe05bdc1a72525796b224f8a8c93ae0e9e102eafbc255ac1af9e8", _JWT
    ),
    exactly("password-hash", b"$1$xxxxxxxx$UYCIxa628.9qXjpQCjM4a.", "openssl-passwd's manual page"),
    exactly("password-hash", b"$2a$10$" + b"x" * 53, "no hash: sshd takes the time of one"),
    Allowed(
        "password-hash",
        "f8f291d3faa4b556c2671bcf4508cb0a6c1e6799d639ec5cdca33f4ab3a75251",
        _CLOUD_INIT,
    ),
    Allowed(
        "password-hash",
        "ffe942e50a0b720de4840d00a5068bbeeac02470b1ffba0483788e85bc600c3f",
        _CLOUD_INIT,
    ),
    Allowed(
        "password-hash",
        "bd84b29cf06c0ad65a17a73aae15344f3cf7b2eb79284ecc764b2c1904edf9ed",
        _CLOUD_INIT,
    ),
    *(
        Allowed("private-key", sha256, _CLOUD_INIT)
        for sha256 in (
            "436db0ab6dbba45f849c1ce913cabf999eb56bca1954765131e9845dd7d1452b",
            "4858b88da833c0c5cf10c0a92e3852994e6d36baa52ecfb94f6d361dc8861614",
            "f46e383275b8d75ebe58b3e9d32a7eeeec41f25e6791ce74867b858539539d2c",
            "20d442a53b602c58a9b1573fcf79fc66e335c9885a2869c6a6cdad03fdffb06e",
        )
    ),
    # How all such keys begin, with dots for the rest: allowed there alone.
    *(
        Allowed("private-key", sha256, _CLOUD_INIT, where=f"{_EXAMPLES}/{name}")
        for sha256, name in (
            (
                "46841db8c9fdf424df3eb5053e2b392ee9f0a7ef45405ce53429895487ce0b12",
                "cloud-config-ansible-managed.txt",
            ),
            (
                "3d3add81ab0a160f11a446be1c48fac3cd4190aa85387e2b8ab306ce0481e25d",
                "cloud-config-ansible-managed.txt",
            ),
            (
                "a04e5d996a328cd1ee10c2df5663b846c206bf9ad7b0391a2701eae971706ea5",
                "cloud-config-ansible-controller.txt",
            ),
            (
                "a04e5d996a328cd1ee10c2df5663b846c206bf9ad7b0391a2701eae971706ea5",
                "cloud-config-ansible-controller.txt.gz",
            ),
        )
    ),
    *(
        Allowed("private-key", sha256, _GNUTLS)
        for sha256 in (
            "ac115ee0c9acdd92c2ef02882023227cc3e5627cad527b12078976ce4503d754",
            "eb3a393a358bbb3f3891c21e759168588b391ba563a937a443d2f9033e53b3e9",
            "09cd48c2fbe44bf1e68565684f54c51299e75931ed42467cbc7be37c021e7ede",
            "a3d8965527fc3e07ed347c6d68cc95cc5511ae90a6ed7b9e9d443eceb2f5eaff",
            "d1dc75186fa035add68642556d4cdf68b2a1b74b4b60761b17f08fca7c79a606",
            "ac1e3b0c79d47689562ef8e864681b377afea59a786db073f647704adfcc82f4",
            "c41dc6cc1361b41b23dc261c959bed84bae2387ae3f196b1a60b0c61dd195d5b",
            "870dff7d9c1c174c6ed942bc4fb9f867acfd31d3c9cb948b8d8e029dc89c071f",
        )
    ),
    Allowed(
        "private-key",
        "d32c6c2eb1154f90bcf0e02b0068fa12dd59cc9b8016b6d34aec23bde1adbbfa",
        "an example in systemd.netdev's manual page",
    ),
)


def judged(
    findings: Iterable[Finding], allowed: Sequence[Allowed] = ALLOWED
) -> tuple[Finding, ...]:
    """The findings in order, with the reason of those that are allowed."""
    reasons = {(each.kind, each.sha256, each.where): each.reason for each in allowed}
    return tuple(sorted(_judged(finding, reasons) for finding in findings))


def _judged(finding: Finding, reasons: dict[tuple[str, str, str], str]) -> Finding:
    value = finding.kind, hashlib.sha256(finding.value).hexdigest()
    reason = reasons.get((*value, "")) or reasons.get((*value, finding.where), "")
    return dataclasses.replace(finding, allowed=reason)
