"""What looks like a secret and is none: whole values, each with the reason.

A value is allowed by its SHA-256, as findings tell it: an exact match, and long keys need not stand
here. There are no patterns, and it does not matter where a value lies: a disk's blocks are judged
as files are, and what lies beside an allowed value is not allowed by it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from image.audit.findings import Finding


class Allowed(NamedTuple):
    """`sha256` of all that matched."""

    kind: str
    sha256: str
    reason: str


def exactly(kind: str, value: bytes, reason: str) -> Allowed:
    """A value that is short enough to stand in the source."""
    return Allowed(kind, hashlib.sha256(value).hexdigest(), reason)


_AWS = "an example of AWS's documentation, in boto3 and botocore"
_APT = "an example in apt's manual pages"
_URLS = "a placeholder in the documentation of a library that speaks HTTP"
_CLOUD_INIT = "an example in cloud-init's sources and documentation"
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

_PRIVATE_KEYS: dict[str, tuple[str, ...]] = {
    "a key that the kernel tests itself with": (
        "e7461ffdfe2b82cebb0b6e054a9b4317d0b79191ad9681f30989e053bbd0b680",
    ),
    "a key that `openssl speed` takes the time of": (
        "492f961484e4059861d176b3104ee7f7ed904b6ff8d5e2fa6a570110e99c633a",
        "dd22efaa586f43f88b44a35579a76a8f75be2fb3ba7b6fd4cfb32a804b00ae58",
        "8414ed7776dbe826fb6232d5fbc49884e5b3371ffcb5eae3b062384d083e865c",
        "96ecd5ecebb12d2c22ca6b6716562e0b572576d6267b4dd814c5904852571532",
    ),
    _CLOUD_INIT: (
        "a456a7f565bc6e7daca6aa6a9fde33191a71daba827a3b461fc78e6c6d054d1b",
        "8aa5c3e415e7bde2277fc2372627f9949cf6281baf626767f3cea18252d90f8e",
        "3906ad2de5f39d33b20db80ad9698ef65418e8364f77abec0527dc3c0789f14e",
        "f3a59068df5fec7f97f3fc3c063ac5fcf71d92810b60d8a273cb4f65c2ed5c1a",
        "c2d8fae4effc6879e35ebfe6b8f700d0634b542494e6d1b5cdcbf753cb491d63",
        "f9cc00ba1896465c1c37f8b273d7fda167092e85ddf265746bc1c05a5297c0dc",
        "2d6fc83bbf329164e58c5ed65c63b39f34dd60ec323882d8d1f6785e8a34877d",
        "be16959b1b5c1cbe181550c59bcd4b0e3d12452a6110a5b98c4169ab7bd921b0",
    ),
    "how such keys begin, in the sources of Python's cryptography": (
        "1b9d7751dd78eeb55826a4a72ed326902290e871cbb3f478375c1c429de5a1aa",
    ),
    "a key that libgcrypt tests itself with": (
        "9ce0097e779d2878413ef22502fb5f637d40cefdaaf3027cdc7ab7a74b9c88b8",
        "6c0a3a4ef36909579feb2ac523e9927cf5911d81bf0920531b7b894820b2b503",
        "1d7945b9e220f04e770fae0cc23c0a0d3de6a9b09f53f3a2c7dac749382d1245",
    ),
    "a key that GnuTLS tests itself with": (
        "0a4e5366af7a1b6dfe345e8d93d1d896f5e628ef60733e78c090db6f3684b99a",
        "2e4712b73692c669eec77d1206315abb7fd27ea607691eb2bbeb0888266b09d4",
        "f350727a70bb68bab5b6a6e30c8c7cb3a77e2371dfe81bae461ca08205b20cd9",
        "456bf8693133ed3d0749410196f86b485e870327ed01c4a8d1d8ce5a2d00b32e",
        "cdad8d6b344bf5e936bce82f8a12d857f9e108e8ad536489ecb14461ef299c51",
        "d11e45bb52a9121a0142a92c88bc9f0a823c472e8a64a08179d2969dd30ebdd9",
        "27ced437028aba02b7c5c37080d1105cb5951bf964338a6cda813de3632e387b",
        "870dff7d9c1c174c6ed942bc4fb9f867acfd31d3c9cb948b8d8e029dc89c071f",
        "a106e1a2705246870aa7771e372681fa8f43bd2722523ad69cb3e181e0e68959",
        "eeeadab5797585d2c2214199d9fbf4d7676927fad89d5e5ab6fb199d4b14ddd6",
    ),
    "an example in systemd.netdev's manual page": (
        "d32c6c2eb1154f90bcf0e02b0068fa12dd59cc9b8016b6d34aec23bde1adbbfa",
    ),
}

ALLOWED: tuple[Allowed, ...] = (
    exactly(
        "sudo-without-password",
        b"admin ALL=(ALL) NOPASSWD:ALL",
        "the user of Debian's images, for whom cloud-init writes this at each first boot",
    ),
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
        Allowed("private-key", sha256, reason)
        for reason, keys in _PRIVATE_KEYS.items()
        for sha256 in keys
    ),
    Allowed(
        "url-password",
        "f430ea16dee0ecfb973aae160b9fd09f6e713c383a11647c596f198bb2dfc785",
        "an example in pydantic's sources",
    ),
    Allowed(
        "url-password",
        "7cf9f56486885e47bddec5c23c48fd9ce93ecc47930c8d8d78f795b6b31edc97",
        "an example in Perl's HTTP::Tiny",
    ),
    Allowed(
        "azure-signature",
        "33998881ecb6ca2c351cfce96d16daf7565589cf6369e38d149197acc90ef4f8",
        "an example in botocore",
    ),
    Allowed(
        "password-hash",
        "3613cc3353c52a7881be94cce8a7f463e0bf4a294d65f78a2333c4933c92548c",
        "openssl-passwd's manual page",
    ),
)


def judged(
    findings: Iterable[Finding], allowed: Sequence[Allowed] = ALLOWED
) -> tuple[Finding, ...]:
    """The findings in order, with the reason of those that are allowed."""
    reasons = {(each.kind, each.sha256): each.reason for each in allowed}
    return tuple(sorted(_judged(finding, reasons) for finding in findings))


def _judged(finding: Finding, reasons: dict[tuple[str, str], str]) -> Finding:
    value = finding.kind, hashlib.sha256(finding.value).hexdigest()
    return dataclasses.replace(finding, allowed=reasons.get(value, ""))
