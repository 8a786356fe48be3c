"""What passwords look like: by what stands before them, or as hashes.

What `IN_RUNS` and the other tables mean, `patterns.Pattern` says.
"""

from __future__ import annotations

from image.audit.keys import ASSIGNED, Expressions

_CRYPT = rb"(?:[567y]|gy|sm3)\$[A-Za-z0-9./=,$]{40,200}"
_MD5 = rb"(?:1|apr1)\$[A-Za-z0-9./]{1,8}\$[A-Za-z0-9./]{22}"
_BCRYPT = rb"2[abxy]\$[0-9]{2}\$[A-Za-z0-9./]{53}"
_ARGON = rb"argon2(?:id|i|d)\$v=[0-9]{1,3}\$m=[0-9a-z=,]{5,40}\$[A-Za-z0-9+/$]{30,300}"
_OTHERS = rb"(?:scrypt|pbkdf2[a-z0-9_-]{0,12})\$[A-Za-z0-9$./=,+]{40,300}"

IN_RUNS: Expressions = (
    (
        "password-hash",
        rb"\$(?:"
        + _CRYPT
        + rb"|"
        + _MD5
        + rb"|"
        + _BCRYPT
        + rb"|"
        + _ARGON
        + rb"|"
        + _OTHERS
        + rb")",
    ),
    ("password-hash", rb"pbkdf2_sha(?:1|256|512)\$[0-9]{1,8}\$[A-Za-z0-9+/=$.]{30,200}"),
    ("password-hash", rb"grub\.pbkdf2\.sha512\.[0-9]{1,8}\.[A-F0-9]{64,300}\.[A-F0-9]{64,300}"),
    ("password-hash", rb"SCRAM-SHA-256\$[0-9]{1,8}:[A-Za-z0-9+/=]{16,64}\$[A-Za-z0-9+/=:]{60,120}"),
)

# A word in brackets or braces, or behind $ or %, is a place for a password and none itself.
_SIGN = rb"(?:[^\s/:@\"'<>{}$%\\\x00`]|%[0-9A-Fa-f]{2})"
_WHITE = rb"[ \t\r\n]{1,8}"
_LOGIN = rb"(?:(?:login|account)" + _WHITE + rb"[!-~]{1,64}" + _WHITE + rb")"

ANYWHERE: Expressions = (
    (
        "url-password",
        rb"://" + _SIGN + rb"{0,64}:" + _SIGN + rb"{3,128}@[A-Za-z0-9._\[-][A-Za-z0-9.-]{0,63}",
    ),
    (
        "netrc-password",
        rb"achine"
        + _WHITE
        + rb"(?:[!-~]{1,64}"
        + _WHITE
        + _LOGIN
        + rb"{1,2}|[!-~]{1,40}\.[!-~]{1,40}"
        + _WHITE
        + rb")password"
        + _WHITE
        + rb"[^\s\x00-\x1f]{3,128}",
    ),
    ("basic-authorization", rb"uthorization" + ASSIGNED + rb"[Bb]asic [A-Za-z0-9+/=]{8,500}"),
)

_VALUE = ASSIGNED + rb"[^\s\x00\"'`#;,&|$<>{}()\[\]*%]{8,200}"

IN_SETTINGS: Expressions = tuple(
    ("assigned-secret", word + rb"[A-Za-z_]{0,16}" + _VALUE)
    for word in (
        *(rb"assw(?:or)?d", rb"ASSW(?:OR)?D", rb"assphrase", rb"ASSPHRASE"),
        *(rb"ecret", rb"ECRET", rb"oken", rb"OKEN"),
        *(rb"pi_?[Kk]ey", rb"PI_?KEY", rb"ccess_?[Kk]ey", rb"CCESS_?KEY"),
    )
)
