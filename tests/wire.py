"""Our EC2 in memory behind the real SDK: what botocore sends, its own retries too, reaches the fake
as a call each, and is answered in EC2's XML.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from xml.sax.saxutils import escape

import pytest
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.model import Shape

from aws_parallelizer.aws import clients
from chalicelib.context import Context
from emulator import CREDENTIALS, REGION
from fakes.ec2 import FakeEc2
from fleets import World


class SdkWorld(World):
    """The stack on fakes, whose EC2 is spoken to by the clients that a deployed stack has."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._made: dict[int, Any] = {}

    @property
    def context(self) -> Context:
        def client(service: str, *, attempts: int = 5) -> Any:
            return self.sdk(attempts) if service == "ec2" else self.clients[service]

        return dataclasses.replace(super().context, client=client)

    def sdk(self, attempts: int = 5) -> Any:
        """A real client of the fake."""
        if attempts not in self._made:
            self._made[attempts] = clients.client("ec2", region=REGION, attempts=attempts)
            connect(self._made[attempts], self.ec2)
        return self._made[attempts]

    def sent(self, *operations: str) -> int:
        """How many requests of these operations came over the wire."""
        return len(self.ec2.made(*operations))


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Credentials for the clients; retries do not wait."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))
    yield
    clients.session.cache_clear()


def connect(client: Any, ec2: FakeEc2) -> None:
    """Have the client's requests answered by the fake."""
    given: dict[str, Any] = {}

    def keep(params: dict[str, Any], model: Any, **_: object) -> None:
        given["params"], given["model"] = dict(params), model

    def answer(**_: object) -> AWSResponse:
        model = given["model"]
        try:
            said = getattr(ec2, xform_name(model.name))(**given["params"])
        except ClientError as error:
            return _refusal(error)
        body = _xml(model.output_shape, said, "Answer") if model.output_shape else "<Answer/>"
        return _response(200, body)

    client.meta.events.register("provide-client-params.ec2", keep)
    client.meta.events.register("before-send.ec2", answer)


def _refusal(error: ClientError) -> AWSResponse:
    told = error.response["Error"]
    code, said = escape(told["Code"]), escape(told["Message"])
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>{said}</Message></Error></Errors>"
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return _response(status, f"{body}<RequestID>r</RequestID></Response>")


class _Raw(BytesIO):
    """A body as botocore reads it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def _response(status: int, body: str) -> AWSResponse:
    return AWSResponse("https://ec2", status, {}, _Raw(body.encode()))


def _xml(shape: Shape, value: Any, name: str) -> str:
    """The value as EC2's protocol writes it."""
    if shape.type_name == "structure":
        members = shape.members.items()  # type: ignore[attr-defined]
        inside = "".join(
            _xml(member, value[key], member.serialization.get("name", key))
            for key, member in members
            if value.get(key) is not None
        )
    elif shape.type_name == "list":
        member = shape.member  # type: ignore[attr-defined]
        inside = "".join(
            _xml(member, each, member.serialization.get("name", "item")) for each in value
        )
    elif isinstance(value, bool):
        inside = str(value).lower()
    elif isinstance(value, datetime):
        inside = value.isoformat()
    else:
        inside = escape(str(value))
    return f"<{name}>{inside}</{name}>"
