"""Secrets of all kinds, made up, as people leave them in an image: what the audit has to find."""

from __future__ import annotations

import base64
from typing import NamedTuple


class Secret(NamedTuple):
    """`kind` as the audit names it; `encoded` if another writing would be the second."""

    kind: str
    text: bytes
    encoded: bool = False


def word(length: int, letters: str = "a1B2c3D4e5F6g7H8") -> bytes:
    """So many letters that nobody has chosen."""
    return (letters * (length // len(letters) + 1))[:length].encode()


def hexadecimal(length: int) -> bytes:
    return word(length, "0a1b2c3d4e5f6978")


def der(begin: bytes, rest: int) -> bytes:
    """Bytes that begin as a key in DER does, and go on as none."""
    return begin + bytes((7 * number + 3) % 256 for number in range(rest))


def pem(name: str, body: bytes = base64.b64encode(bytes(range(7, 200)))) -> bytes:
    begins, ends = f"-----BEGIN {name}-----\n".encode(), f"-----END {name}-----\n".encode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return begins + b"\n".join(lines) + b"\n" + ends


# In two pieces each: whoever searches this repository need not find them.
KEY_ID = b"AKIA" + b"QWERTYUIOPASDFGH"
AWS_SECRET = b"aB3/" * 10
RSA_OID = bytes.fromhex("06092a864886f70d0101010500")
EC_OID = bytes.fromhex("06072a8648ce3d020106082a8648ce3d030107")
DER_KEYS = {
    "rsa": der(bytes.fromhex("308204a30201000282010100"), 256)
    + bytes.fromhex("0203010001")
    + der(b"\x02\x82", 600),
    "pkcs8-rsa": der(b"\x30\x82\x04\xbe\x02\x01\x00\x30\x0d" + RSA_OID + b"\x04\x82\x04\xa8", 600),
    "pkcs8-ec": der(b"\x30\x81\x87\x02\x01\x00\x30\x13" + EC_OID + b"\x04\x6d\x30\x6b\x02", 110),
    "ec": der(b"\x30\x77\x02\x01\x01\x04\x20", 32) + b"\xa0\x0a" + der(EC_OID[9:], 90),
    "ed25519": der(bytes.fromhex("302e020100300506032b657004220420"), 32),
    "encrypted": der(bytes.fromhex("308204e3305706092a864886f70d01050d304a3029"), 600),
    "openssh": der(b"openssh-key-v1\0\0\0\0\4none\0\0\0\4none\0\0\0\0\0\0\0\1", 300),
}

SECRETS: tuple[Secret, ...] = (
    Secret("aws-access-key", b"x = '" + KEY_ID + b"'"),
    Secret("aws-access-key", b"ASIA" + b"Q2W3E4R5T6Y7U8I9"),
    Secret("aws-secret-key", b"aws_secret_access_key = " + AWS_SECRET),
    Secret("aws-secret-key", b'"SecretAccessKey": "' + AWS_SECRET + b'"'),
    Secret("aws-secret-key", b'\\"SecretAccessKey\\": \\"' + AWS_SECRET + b'\\"'),
    Secret("aws-secret-key", b"<SecretAccessKey>" + AWS_SECRET + b"</SecretAccessKey>"),
    Secret("aws-secret-key", b"secretKey=" + AWS_SECRET),
    Secret("aws-secret-key", b"Secret Access Key: " + AWS_SECRET),
    Secret("aws-secret-key", b"AWS_SECRET_ACCESS_KEY=" + AWS_SECRET),
    Secret("aws-secret-key", b"'secret_access_key' => '" + AWS_SECRET + b"'"),
    Secret("aws-session-token", b"IQoJb3JpZ2lu" + b"aB3/" * 40),
    Secret("aws-session-token", b"FwoGZXIvYXdz" + b"aB3/" * 40),
    Secret("aws-session-token", b"FQoGZXIvYXdz" + b"aB3/" * 40),
    *(
        Secret("private-key", pem(f"{name}PRIVATE KEY"))
        for name in ("", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", "TSS2 ")
    ),
    Secret("private-key", pem("PGP PRIVATE KEY BLOCK").replace(b"-----\n", b"-----\n\n", 1)),
    Secret("private-key", pem("RSA PRIVATE KEY").replace(b"\n", b"\r\n")),
    Secret("private-key", pem("RSA PRIVATE KEY").replace(b"\n", b"\\n")),
    Secret("private-key", pem("RSA PRIVATE KEY").replace(b"\n", b"%0A")),
    Secret("private-key", pem("RSA PRIVATE KEY").replace(b"\n", b"\n# ")),
    Secret("private-key", pem("RSA PRIVATE KEY").replace(b"\n", b'" +\n "')),
    Secret(
        "private-key",
        pem("RSA PRIVATE KEY").replace(b"KEY-----\n", b"KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1),
    ),
    *(Secret("private-key", key) for key in DER_KEYS.values()),
    # Without a header, as configurations hold them.
    *(Secret("private-key", b"key: " + base64.b64encode(key)) for key in DER_KEYS.values()),
    Secret("private-key", base64.b64encode(pem("RSA PRIVATE KEY")), encoded=True),
    Secret("private-key", base64.encodebytes(pem("PRIVATE KEY")), encoded=True),
    Secret("private-key", b"b3BlbnNzaC1rZXktdjE" + word(200)),
    Secret("private-key", b"PuTTY-User-Key-File-3: ssh-ed25519\n"),
    Secret("private-key", b"AGE-SECRET-KEY-1" + word(58, "QPZRY9X8GF2TVDW0")),
    Secret("private-key", b"(21:protected-private-key(3:rsa(1:n257:" + word(300)),
    Secret("private-key", b"Key: (private-key (rsa (n #00" + word(300, "0123456789ABCDEF")),
    Secret("private-key", b"PrivateKey = " + word(43) + b"="),
    Secret("private-key", b'{"kty":"EC","crv":"P-256","d":"' + word(43) + b'"}'),
    Secret("private-key", b"P2/56wAA" + word(200)),
    Secret("private-key", b"RWRTY0Iy" + word(200)),
    Secret("private-key", der(bytes.fromhex("30820a3102010330820a0006092a864886f70d010701"), 400)),
    Secret("github-token", b"ghp_" + word(36)),
    Secret("github-token", b"ghs_" + word(36)),
    Secret("github-token", b"github_pat_" + word(60)),
    Secret("gitlab-token", b"glpat-" + word(20)),
    Secret("gitlab-token", b"glrt-" + word(20)),
    Secret("slack-token", b"xoxb-123456789012-abcdefghij"),
    Secret("slack-token", b"https://hooks.slack.com/services/" + word(30)),
    Secret("google-key", b"AIza" + word(35)),
    Secret("google-key", b"GOCSPX-" + word(28)),
    Secret("google-token", b"ya29." + word(60)),
    Secret("azure-key", b"AccountKey=" + word(86) + b"=="),
    Secret("azure-key", b"SharedAccessKey=" + word(43) + b"="),
    Secret("azure-key", b"abc8Q~" + word(34)),
    Secret("azure-signature", b"?sv=1&sig=" + word(43) + b"%3D"),
    Secret("npm-token", b"//registry.npmjs.org/:_authToken=" + b"abcdefgh12345678"),
    Secret("npm-token", b"npm_" + word(36)),
    Secret("pypi-token", b"pypi-AgE" + word(80)),
    Secret("docker-token", b'{"auths": {"r": {"auth": "' + b'dXNlcjpwYXNzd29yZA=="}}}'),
    Secret("docker-token", b"dckr_pat_" + word(27)),
    Secret("stripe-key", b"sk_live_" + word(24)),
    Secret("llm-key", b"sk-ant-" + word(40)),
    Secret("huggingface-token", b"hf_" + word(34)),
    Secret("sendgrid-key", b"SG." + word(22) + b"." + word(43)),
    Secret("vault-token", b"hvs." + word(24)),
    Secret("digitalocean-token", b"dop_v1_" + hexadecimal(64)),
    Secret("terraform-token", word(14) + b".atlasv1." + word(64)),
    Secret("telegram-token", b"123456789:AA" + word(33)),
    Secret("discord-token", b"https://discord.com/api/webhooks/123456789012345678/" + word(68)),
    Secret("twilio-key", b"SK" + hexadecimal(32)),
    Secret("shopify-token", b"shpat_" + hexadecimal(32)),
    Secret("databricks-token", b"dapi" + hexadecimal(32)),
    Secret("atlassian-token", b"ATATT3" + word(60)),
    Secret("tailscale-key", b"tskey-auth-" + word(30)),
    Secret("grafana-token", b"glsa_" + word(41)),
    Secret("json-web-token", b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0." + b"c2lnbmF0dXJl"),
    Secret("bearer-token", b"Authorization: Bearer abcdefghij0123456789"),
    Secret("basic-authorization", b"Authorization: Basic " + b"dXNlcjpwYXNz"),
    Secret("url-password", b"https://deploy:hunter2" + b"hunter2@git.example.net/x.git"),
    Secret("url-password", b"redis://:hunter2" + b"@cache.example.net:6379/0"),
    Secret("url-password", b"postgres://me:p%40ss" + b"word@db.example.net/x"),
    Secret("netrc-password", b"machine example.net login me password " + b"hunter2"),
    Secret("netrc-password", b"machine example.net\n\tlogin me\n\tpassword " + b"hunter2\n"),
    Secret("netrc-password", b"machine example.net password " + b"hunter2"),
    Secret("password-hash", b"$6$abcdefgh$" + b"a1B/" * 21 + b"ab"),
    Secret("password-hash", b"$y$j9T$abcdefgh$" + b"a1B/" * 10 + b"abc"),
    Secret("password-hash", b"$2b$12$" + word(53)),
    Secret("password-hash", b"$apr1$abcdefgh$" + word(22)),
    Secret("password-hash", b"$argon2id$v=19$m=65536,t=3,p=4$" + word(22) + b"$" + word(43)),
)
