r"""What secrets look like: bytes that are found anywhere, whatever the file is called.

Each expression begins with letters that are written so and not otherwise, for Python searches for
those many times faster than for anything else: hence `ecret` for Secret and secret, and what must
not stand before a match asked for behind its first letters. Each is bounded, none is longer than
LONGEST, and none looks further back than BEFORE.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 4096
BEFORE = 16


class Pattern(NamedTuple):
    """`kind` says what was found. `settings`: only looked for where people keep settings, for
    programs' own sources are full of it.
    """

    kind: str
    expression: re.Pattern[bytes]
    settings: bool = False


_ASSIGNED = rb"[\"']?[ \t]{0,8}[=:][ \t]{0,8}[\"']?"
_AWS_SECRET = rb"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"
_NO_WORD = rb"(?![A-Za-z0-9_-])"
# Between the header of a PEM key and its first line: a newline, maybe written as \n, maybe quoted.
_BREAK = rb"(?:\\{1,4}[nr]|[\s\"'+,>|#]){1,24}"
_PEM_HEADERS = rb"(?:[A-Za-z-]{2,20}: [^\n\\]{0,100}" + _BREAK + rb"){0,4}"
# All keys of a kind begin alike: what is allowed of one must not allow the others.
_KEY_REST = rb"[A-Za-z0-9+/=\s\\]{0,1500}"

# A PEM key's header once more in base64, as Kubernetes keeps them.
_ENCODED = rb"LS0tLS1CRUdJTiB(?:QUklWQVRF|SU0EgUFJJVkFURS|FQyBQUklWQVRF|PUEVOU1NIIFBSSVZBVE)"
_LOGIN = rb"login[ \t\n]{1,8}[^\s]{1,64}[ \t\n]{1,8}password[ \t\n]{1,8}[^\s]{3,128}"
_CRYPT = rb"[56y]\$[A-Za-z0-9./=,$]{40,200}|1\$[A-Za-z0-9./]{1,8}\$[A-Za-z0-9./]{22}"
_BCRYPT = rb"2[abxy]\$[0-9]{2}\$[A-Za-z0-9./]{53}"

_EXPRESSIONS: tuple[tuple[str, bytes], ...] = (
    ("aws-access-key", rb"A[KS]IA(?<![A-Z0-9]A[KS]IA)[A-Z0-9]{16}(?![A-Z0-9])"),
    (
        "aws-secret-key",
        rb"ecret[_ -]?(?:[Aa]ccess[_ -]?)?[Kk]ey" + _ASSIGNED + _AWS_SECRET,
    ),
    ("aws-secret-key", rb"ECRET_(?:ACCESS_)?KEY" + _ASSIGNED + _AWS_SECRET),
    ("aws-session-token", rb"FwoGZXIvYXdz[A-Za-z0-9/+]{80,2000}"),
    ("aws-session-token", rb"IQoJb3JpZ2lu[A-Za-z0-9/+]{80,2000}"),
    (
        "private-key",
        rb"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
        + _BREAK
        + _PEM_HEADERS
        + rb"[A-Za-z0-9+/=]{32}"
        + _KEY_REST,
    ),
    ("private-key", rb"b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/]{32}" + _KEY_REST),
    ("private-key", _ENCODED + rb"[A-Za-z0-9+/=]{32,1500}"),
    ("private-key", rb"PuTTY-User-Key-File-[0-9]: [a-z0-9-]{2,40}"),
    ("private-key", rb"AGE-SECRET-KEY-1[A-Z0-9]{40,64}"),
    ("private-key", rb"rivateKey[ \t]{0,8}=[ \t]{0,8}[A-Za-z0-9+/]{43}="),
    ("private-key", rb"client-key-data:[ \t]{0,8}[A-Za-z0-9+/=]{64}"),
    ("github-token", rb"gh[pousr]_[A-Za-z0-9]{36,255}"),
    ("github-token", rb"github_pat_[A-Za-z0-9_]{22,255}"),
    ("gitlab-token", rb"glpat-[A-Za-z0-9_-]{20,255}"),
    ("slack-token", rb"xox[abeoprs]-[A-Za-z0-9-]{10,255}"),
    ("slack-token", rb"xapp-[0-9]-[A-Za-z0-9-]{10,255}"),
    ("slack-token", rb"hooks\.slack\.com/services/[A-Za-z0-9/]{20,100}"),
    ("google-key", rb"AIza[A-Za-z0-9_-]{35}" + _NO_WORD),
    ("google-key", rb"GOCSPX-[A-Za-z0-9_-]{28}"),
    ("google-token", rb"ya29\.[A-Za-z0-9_-]{20,500}"),
    ("azure-key", rb"AccountKey=[A-Za-z0-9+/]{86}=="),
    ("azure-key", rb"8Q~(?<=[A-Za-z0-9_~.-]{3}8Q~)[A-Za-z0-9_~.-]{31,34}" + _NO_WORD),
    ("azure-signature", rb"sig=(?<=[?&]sig=)[A-Za-z0-9%+/]{43,100}"),
    ("npm-token", rb"npm_[A-Za-z0-9]{36}" + _NO_WORD),
    ("npm-token", rb"_authToken=[A-Za-z0-9/+_=-]{8,255}"),
    ("pypi-token", rb"pypi-AgE[A-Za-z0-9_-]{50,500}"),
    ("docker-token", rb"dckr_[po]at_[A-Za-z0-9_-]{20,100}"),
    ("docker-token", rb'"auth"[ \t]{0,8}:[ \t]{0,8}"[A-Za-z0-9+/]{12,500}={0,2}"'),
    ("stripe-key", rb"k_live_[A-Za-z0-9]{16,255}"),
    ("llm-key", rb"sk-(?:ant|proj|svcacct)-[A-Za-z0-9_-]{20,255}"),
    ("huggingface-token", rb"hf_[A-Za-z0-9]{34}" + _NO_WORD),
    ("sendgrid-key", rb"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("vault-token", rb"hvs\.[A-Za-z0-9_-]{24,500}"),
    ("digitalocean-token", rb"dop_v1_[a-f0-9]{64}"),
    (
        "json-web-token",
        rb"eyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,800}",
    ),
    ("bearer-token", rb"earer[ \t]{1,4}(?=[A-Za-z._~+/-]{0,500}[0-9])[A-Za-z0-9._~+/-]{20,2000}"),
    ("basic-authorization", rb"uthorization" + _ASSIGNED + rb"Basic [A-Za-z0-9+/=]{8,500}"),
    # In one's place, a word in angle brackets or braces is a place for a password and none itself.
    (
        "url-password",
        rb"://[^\s/:@\"'<>{}$%\\\x00]{1,64}:[^\s/:@\"'<>{}$%\\\x00]{3,128}@[A-Za-z0-9.-]{1,64}",
    ),
    ("netrc-password", rb"achine[ \t\n]{1,8}[^\s]{1,64}[ \t\n]{1,8}" + _LOGIN),
    ("password-hash", rb"\$(?:" + _CRYPT + rb"|" + _BCRYPT + rb")"),
)
_VALUE = _ASSIGNED + rb"[^\s\x00\"'`#;,&|$<>{}()\[\]*%]{8,200}"
_IN_SETTINGS: tuple[tuple[str, bytes], ...] = tuple(
    ("assigned-secret", word + rb"[A-Za-z_]{0,16}" + _VALUE)
    for word in (
        *(rb"assw(?:or)?d", rb"ASSW(?:OR)?D", rb"assphrase", rb"ASSPHRASE"),
        *(rb"ecret", rb"ECRET", rb"oken", rb"OKEN"),
        *(rb"pi_?[Kk]ey", rb"PI_?KEY", rb"ccess_?[Kk]ey", rb"CCESS_?KEY"),
    )
)

# Whose private half may log in somewhere: no secret, but somebody's.
_PUBLIC_KEYS: tuple[tuple[str, bytes], ...] = (
    ("ssh-public-key", rb"ssh-(?:rsa|dss|ed25519) AAAA[A-Za-z0-9+/=]{40,1500}"),
    ("ssh-public-key", rb"ecdsa-sha2-nistp[0-9]{3} AAAA[A-Za-z0-9+/=]{40,1500}"),
)

PATTERNS = (
    *(Pattern(kind, re.compile(expression)) for kind, expression in _EXPRESSIONS),
    *(
        Pattern(kind, re.compile(expression), settings=True)
        for kind, expression in _IN_SETTINGS + _PUBLIC_KEYS
    ),
)
# What a program writes for itself, and what is no secret by being like all others.
EVERYWHERE = tuple(pattern for pattern in PATTERNS if not pattern.settings)
