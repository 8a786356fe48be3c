"""What a secret looks like, in every writing, is enough to find it: in files and in blocks."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable

import pytest

from image.audit.patterns import EVERYWHERE
from image.audit.scan import scan
from planted import SECRETS, Secret

WRITINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "base64": base64.b64encode,
    "lines of base64": base64.encodebytes,
    "base64 for addresses": base64.urlsafe_b64encode,
    "gzip in base64": lambda text: base64.b64encode(gzip.compress(text)),
    "hexadecimal": lambda text: text.hex().encode(),
    "utf-16-le": lambda text: text.decode("latin-1").encode("utf-16-le"),
    "utf-16-be": lambda text: text.decode("latin-1").encode("utf-16-be"),
}


def kinds(content: bytes) -> set[str]:
    return {match.kind for match in scan([content], EVERYWHERE)}


def named(secret: Secret) -> str:
    return f"{secret.kind} {secret.text[:24]!r}"


@pytest.mark.parametrize("secret", SECRETS, ids=named)
def test_a_secret_is_found_in_text_and_between_bytes_of_a_program(secret: Secret) -> None:
    assert secret.kind in kinds(b"x\n" + secret.text + b"\n")
    assert secret.kind in kinds(b"\x7fELF\x00\xff\x90" + secret.text + b"\x00\x01\xfe")
    assert secret.kind in kinds(secret.text)


@pytest.mark.parametrize("secret", [each for each in SECRETS if not each.encoded], ids=named)
def test_a_secret_is_found_in_every_writing(secret: Secret) -> None:
    missed = [
        name
        for name, write in WRITINGS.items()
        if secret.text.isascii() or not name.startswith("utf")  # other bytes are no text
        if secret.kind not in kinds(b"a line\n" + write(secret.text + b"\nmore\n") + b"\nthe end\n")
    ]
    assert missed == []
