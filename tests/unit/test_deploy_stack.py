"""What deploy does with a stack in each state, what it tells meanwhile, and how it gives up."""

from __future__ import annotations

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

import emulator
from aws_parallelizer.aws.cloudformation import Busy, ChangeSet, Stack, Stacks
from deploy import stack as deploying
from deploy.commands import Interrupted
from deploy.following import first_cause, follow
from deploy.saying import DeployFailed
from deploy.standing import Next, next_step
from fakes.stacks import STACK_ID, FakeStacks, event

TEMPLATE = {"Parameters": {"Old": {}, "New": {}}}
PRESENT = Stack(STACK_ID, "CREATE_COMPLETE", {"Old": "1", "Gone": "1"}, {})


class Deploy:
    """Runs the change-set part on a fake stack."""

    def __init__(self, stacks: FakeStacks) -> None:
        self.stacks = stacks
        self.said: list[str] = []

    def run(self, present: Stack | None = None, **given: str) -> None:
        deploying._apply(
            cast("Any", self.stacks),
            "s",
            present,
            template=TEMPLATE,
            given=given,
            say=self.said.append,
        )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("", Next.CREATE),
        ("DELETE_COMPLETE", Next.CREATE),
        ("REVIEW_IN_PROGRESS", Next.CREATE),
        ("ROLLBACK_COMPLETE", Next.CLEAN_UP),
        ("ROLLBACK_FAILED", Next.CLEAN_UP),
        ("CREATE_FAILED", Next.CLEAN_UP),
        ("CREATE_COMPLETE", Next.UPDATE),
        ("UPDATE_COMPLETE", Next.UPDATE),
        ("UPDATE_ROLLBACK_COMPLETE", Next.UPDATE),
    ],
)
def test_a_status_says_what_is_to_be_done(status: str, expected: Next) -> None:
    assert next_step("s", status, region="r") is expected


@pytest.mark.parametrize(
    ("status", "what_to_do"),
    [
        ("UPDATE_IN_PROGRESS", "wait until it has ended"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "wait until it has ended"),
        ("DELETE_IN_PROGRESS", "wait until it has ended"),
        ("DELETE_FAILED", "make destroy STACK=s"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name s --region r"),
    ],
)
def test_a_status_in_which_nothing_can_be_done_says_what_a_person_can_do(
    status: str, what_to_do: str
) -> None:
    with pytest.raises((Busy, DeployFailed), match=what_to_do):
        next_step("s", status, region="r")


def test_each_resource_is_told_once_when_it_is_done() -> None:
    stacks = FakeStacks(
        told=[event(0, "Bucket", "DELETE_COMPLETE")],
        calls=["execute"],
        history=[
            ("CREATE_IN_PROGRESS", [event(1, "Table", "CREATE_IN_PROGRESS")]),
            ("CREATE_IN_PROGRESS", [event(2, "Table", "CREATE_COMPLETE")]),
            ("CREATE_COMPLETE", [event(3, "s", "CREATE_COMPLETE")]),
        ],
    )
    said: list[str] = []
    ended = follow(cast("Any", stacks), STACK_ID, after="0", say=said.append)
    assert ended == ("CREATE_COMPLETE", "")
    assert [line.split(" s  ")[1] for line in said] == [
        "Table CREATE_COMPLETE",
        "s CREATE_COMPLETE",
    ]


def test_of_several_failures_the_cause_is_the_first_that_is_not_a_cancellation() -> None:
    events = [
        event(1, "Queue", "CREATE_FAILED", "Resource creation cancelled"),
        event(2, "Table", "CREATE_FAILED", "no permission"),
        event(3, "Bucket", "CREATE_FAILED", "later"),
    ]
    assert first_cause(events) == "Table: no permission"
    assert first_cause(events[:1]) == "Queue: Resource creation cancelled"
    assert first_cause([]) == ""


def test_a_failure_names_the_state_and_the_cause_in_one_line() -> None:
    failed = [event(1, "Table", "UPDATE_FAILED", "no permission")]
    stacks = FakeStacks(
        present="UPDATE_COMPLETE",
        proposals=[("CREATE_COMPLETE", "")],
        history=[("UPDATE_ROLLBACK_COMPLETE", failed)],
    )
    with pytest.raises(DeployFailed) as error:
        Deploy(stacks).run(PRESENT)
    assert str(error.value) == "stack s is UPDATE_ROLLBACK_COMPLETE: Table: no permission"


def test_what_is_not_given_stays_as_the_stack_has_it() -> None:
    stacks = FakeStacks(proposals=[("FAILED", "The submitted information didn't contain changes.")])
    run = Deploy(stacks)
    run.run(PRESENT, New="2")
    assert stacks.kept == {"Old"}
    assert run.said == ["stack s: no changes"]
    assert stacks.calls == ["update", "discard"]


def test_a_proposal_that_fails_is_dropped_and_its_reason_told() -> None:
    stacks = FakeStacks(proposals=[("CREATE_PENDING", ""), ("FAILED", "Transform failed")])
    with pytest.raises(DeployFailed, match="stack s: Transform failed"):
        Deploy(stacks).run(PRESENT)
    assert stacks.calls == ["update", "discard"]


@pytest.mark.parametrize(("present", "undone"), [(PRESENT, "discard"), (None, "delete")])
def test_an_interrupt_before_the_change_leaves_the_stack_as_it_was(
    present: Stack | None, undone: str
) -> None:
    stacks = FakeStacks(present="CREATE_COMPLETE", proposals=[("interrupt", "")])
    with pytest.raises(Interrupted, match="was not changed"):
        Deploy(stacks).run(present)
    assert stacks.calls[1:] == [undone]


def test_an_interrupt_during_the_change_says_what_goes_on_in_aws() -> None:
    stacks = FakeStacks(
        present="UPDATE_COMPLETE",
        proposals=[("CREATE_COMPLETE", "")],
        history=[(KeyboardInterrupt(), [])],
    )
    with pytest.raises(Interrupted, match=r"goes on changing stack s .*make deploy STACK=s"):
        Deploy(stacks).run(PRESENT)
    assert stacks.calls == ["update", "execute"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ChangeSetNotFound", "ChangeSet [x] does not exist"),
        ("InvalidChangeSetStatus", "cannot be executed in its current status of [OBSOLETE]"),
        ("ValidationError", "Stack:s is in UPDATE_IN_PROGRESS state and can not be updated."),
    ],
)
def test_of_two_deploys_at_once_the_one_that_comes_second_says_so(code: str, message: str) -> None:
    client = emulator.client("cloudformation", "http://127.0.0.1:1")
    stub = Stubber(client)
    stub.add_client_error("execute_change_set", code, message)
    with stub, pytest.raises(Busy, match="stack s is being changed by somebody else"):
        Stacks(client).execute(ChangeSet("s", "x"))


def test_another_refusal_is_not_taken_for_another_deploy() -> None:
    client = emulator.client("cloudformation", "http://127.0.0.1:1")
    stub = Stubber(client)
    stub.add_client_error("execute_change_set", "AccessDenied", "not authorized")
    with stub, pytest.raises(ClientError, match="not authorized"):
        Stacks(client).execute(ChangeSet("s", "x"))
