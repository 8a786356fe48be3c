r"""What keys look like: AWS's, and private ones as text, as DER, and in base64 without a header.

What `IN_RUNS` and the other tables mean, `patterns.Pattern` says.
"""

from __future__ import annotations

Expressions = tuple[tuple[str, bytes], ...]

# Between a name and its value: = : := => or a tag's end, quoted or not, maybe quoted once more.
ASSIGNED = rb"(?:\\{0,3}[\"'])?[ \t]{0,8}(?:=>|:=|[=:>])[ \t]{0,8}(?:\\{0,3}[\"'])?"
_AWS_SECRET = rb"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"
# Between the header of a PEM key and its first line: a newline, maybe written as \n, maybe quoted.
_BREAK = rb"(?:\\{1,4}[nr]|%0[ADad]|[\s\"'+,>|#*/;]){1,32}"
_PEM_HEADERS = rb"(?:[A-Za-z-]{2,20}: [^\n\\]{0,100}" + _BREAK + rb"){0,4}"
# All keys of a kind begin alike: a value holds the rest, and what follows, so that a place for a
# key in a manual, which ends in dots, is not taken for the first line of one that is quoted.
_KEY_REST = rb"[A-Za-z0-9+/=\s\\]{0,1500}.{0,16}"


def _body(begin: bytes, rest: bytes) -> tuple[str, bytes]:
    """A key's first line, unless it stands behind the header by which it is found anyhow."""
    behind = rb"".join(
        rb"(?<!" + header + begin + rb")" for header in (rb"----[\r\n]", rb"---\r\n", rb"---\\n")
    )
    return "private-key", begin + behind + rest + rb"[A-Za-z0-9+/=]{16}" + _KEY_REST


IN_RUNS: Expressions = (
    ("aws-access-key", rb"A[KS]IA(?<![A-Z0-9]A[KS]IA)[A-Z0-9]{16}(?![A-Z0-9])"),
    ("aws-access-key", rb"ABIA(?<![A-Z0-9]ABIA)[A-Z2-7]{16}(?![A-Z0-9])"),
    ("aws-access-key", rb"ACCA(?<![A-Z0-9]ACCA)[A-Z2-7]{16}(?![A-Z0-9])"),
    ("aws-session-token", rb"F[Qw]oGZXIvYXdz[A-Za-z0-9/+%]{80,2000}"),
    ("aws-session-token", rb"IQoJb3JpZ2lu[A-Za-z0-9/+%]{80,2000}"),
    ("aws-bedrock-key", rb"ABSKQmVkcm9ja0FQSUtle[A-Za-z0-9+/=]{40,500}"),
    _body(rb"MII", rb"[A-Za-z0-9+/]{2}[AQgw]IB(?:AAK[BC]|ADANBgkqhkiG9w0BAQ)"),  # RSA
    _body(rb"MI", rb"[A-Za-z0-9+/]{2}AgEAM(?:BM|BA)GByqGSM49AgEG"),  # EC in PKCS#8
    _body(rb"ME", rb"[A-Za-z0-9+/]CAQAwEwYHKoZIzj0CAQ"),
    _body(rb"MHcCAQEEI", rb""),  # EC
    _body(rb"MI", rb"(?:GkAgEBBD|HcAgEBBE)"),
    _body(rb"M[CEFG]", rb"[A-Za-z0-9+/]CAQAwBQYDK2V[uvwx]B"),  # Ed25519 and its like
    _body(rb"MI", rb"[A-Za-z0-9+/]{2,8}(?:BgkqhkiG9w0BBQ0w|GCSqGSIb3DQEFDT)"),  # encrypted
    _body(rb"b3BlbnNzaC1rZXktdjE", rb""),  # OpenSSH
    ("private-key", rb"PuTTY-User-Key-File-[0-9](?:: [a-z0-9-]{2,40})?"),
    ("private-key", rb"AGE-SECRET-KEY-1[A-Z0-9]{40,64}"),
    ("private-key", rb"RWRTY0Iy[A-Za-z0-9+/=]{100,400}"),  # minisign
    ("private-key", rb"P2/56wAA[A-Za-z0-9+/=]{40}" + _KEY_REST),  # SSH2
    ("private-key", rb"rivate[_ -]?[Kk]ey" + ASSIGNED + rb"[A-Za-z0-9+/]{43}="),  # WireGuard
    ("private-key", rb"resharedKey[ \t]{0,8}=[ \t]{0,8}[A-Za-z0-9+/]{43}="),
    ("private-key", rb'"d"[ \t]{0,8}:[ \t]{0,8}"[A-Za-z0-9_-]{43,700}"'),  # JSON web key
    ("aws-secret-key", rb"ecret[A-Za-z_ .-]{0,24}" + ASSIGNED + _AWS_SECRET),
    ("aws-secret-key", rb"ECRET[A-Z_]{0,24}" + ASSIGNED + _AWS_SECRET),
)

_EC_OID = rb"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
_RSA_OID = rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
# A modulus of a usual size, and the exponent that all have.
_EXPONENT = rb"\x02\x03\x01\x00\x01)"
_MODULUS = (
    rb"\x02(?:\x81\x81\x00(?=.{128}"
    + _EXPONENT
    + rb"|\x82\x01\x01\x00(?=.{256}"
    + _EXPONENT
    + rb"|\x82\x01\x81\x00(?=.{384}"
    + _EXPONENT
    + rb"|\x82\x02\x01\x00(?=.{512}"
    + _EXPONENT
    + rb")"
)
_PKCS7_OID = rb"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
_PBES2_OID = rb"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"
_LENGTH = rb"(?:\x82..|\x81.|[\x10-\x7f])"

ANYWHERE: Expressions = (
    (
        "private-key",
        rb"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
        + _BREAK
        + _PEM_HEADERS
        + rb"[A-Za-z0-9+/=]{16}"
        + _KEY_REST,
    ),
    # DER: a version; then an algorithm, a modulus, an EC key, or a key store's content.
    (
        "private-key",
        rb"\x02\x01(?:\x00\x30\x0d"
        + _RSA_OID
        + rb"\x04|\x00\x30[\x10-\x7f]"
        + _EC_OID
        + rb"|\x00\x30\x05\x06\x03\x2b\x65[\x6e-\x71]\x04|\x00"
        + _MODULUS
        + rb"|\x01\x04(?=[\x20\x30\x42].{32,66}\xa0[\x07-\x0b]\x06)"
        + rb"|\x03\x30"
        + _LENGTH
        + rb"\x06\x09"
        + _PKCS7_OID
        + rb").{32,200}",
    ),
    ("private-key", rb"\x06\x09" + _PBES2_OID + rb"\x30" + _LENGTH + rb"\x30.{32,100}"),
    ("private-key", rb"openssh-key-v1\x00\x00\x00\x00[\x04-\x20][a-z].{32,200}"),
    # GnuPG's, as it keeps them: in short, and spelt out.
    (
        "private-key",
        rb"private-key(?:\([0-9]{1,2}:[a-z]{3,10}\(|\s{1,9}\([a-z]{3}\s{1,20}\().{32,200}",
    ),
)

# An AWS secret key alone: 40 characters with a digit and letters of both cases.
_OF_FORTY = rb"(?=[A-Za-z0-9/+]{0,39}"
IN_RUNS_OF_SETTINGS: Expressions = (
    (
        "aws-secret-key",
        # Nor does it stand behind another line of base64, as a certificate's last line does.
        rb"(?<![A-Za-z0-9/+=_.$%~-])(?<![A-Za-z0-9/+][\r\n])"
        + rb"".join(_OF_FORTY + one + rb")" for one in (rb"[A-Z]", rb"[a-z]", rb"[0-9]"))
        + rb"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_.-])",
    ),
)

# Whose private half may log in somewhere: no secret, but somebody's.
IN_SETTINGS: Expressions = (
    ("ssh-public-key", rb"ssh-(?:rsa|dss|ed25519) AAAA[A-Za-z0-9+/=]{40,1500}"),
    ("ssh-public-key", rb"ecdsa-sha2-nistp[0-9]{3} AAAA[A-Za-z0-9+/=]{40,1500}"),
    ("ssh-public-key", rb"sk-(?:ssh|ecdsa)-[a-z0-9@.-]{5,60} AAAA[A-Za-z0-9+/=]{40,1500}"),
)
