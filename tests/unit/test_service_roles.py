"""Spot's service-linked role is made where it is missing, and else left alone."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

import emulator
from aws_parallelizer.aws.service_roles import Found, ensure

ROLE = {
    "Role": {
        "Path": "/",
        "RoleName": "AWSServiceRoleForEC2Spot",
        "RoleId": "AROA0000000000000000",
        "Arn": "arn:aws:iam::000000000000:role/AWSServiceRoleForEC2Spot",
        "CreateDate": "2025-01-01T00:00:00Z",
    }
}


def found(get: str, create: str | None) -> Found:
    """What `ensure` says where IAM answers the two calls so: an error's code, or "" for success;
    `create` None = it must not be called.
    """
    client = emulator.client("iam", "http://127.0.0.1:1")
    stub = Stubber(client)
    if get:
        stub.add_client_error("get_role", get)
    else:
        stub.add_response("get_role", ROLE, {"RoleName": ANY})
    if create:
        stub.add_client_error("create_service_linked_role", create)
    elif create is not None:
        wanted = {"AWSServiceName": "spot.amazonaws.com"}
        stub.add_response("create_service_linked_role", ROLE, wanted)
    with stub:
        told = ensure(client, role="AWSServiceRoleForEC2Spot", service="spot.amazonaws.com")
    stub.assert_no_pending_responses()
    return told


@pytest.mark.parametrize(
    ("get", "create", "expected"),
    [
        ("", None, Found.THERE),
        ("NoSuchEntity", "", Found.MADE),
        ("NoSuchEntity", "InvalidInput", Found.THERE),
        ("AccessDenied", "", Found.MADE),
        ("AccessDenied", "InvalidInput", Found.THERE),
        ("NoSuchEntity", "AccessDenied", Found.FORBIDDEN),
        ("AccessDenied", "AccessDenied", Found.FORBIDDEN),
    ],
)
def test_the_role_is_made_only_where_it_is_missing(
    get: str, create: str | None, expected: Found
) -> None:
    assert found(get, create) is expected


def test_a_failure_of_iam_is_not_taken_for_an_answer() -> None:
    with pytest.raises(ClientError, match="ServiceFailure"):
        found("NoSuchEntity", "ServiceFailure")
