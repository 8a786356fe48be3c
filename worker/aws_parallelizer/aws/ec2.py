"""A job's machines in EC2: seen, launched, cancelled, terminated.

Launches go through a client of their own that sends each call once: a repetition by the SDK would
hide from us that an answer was lost. All else is repeated as usual.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from aws_parallelizer.core.fleet import TAG_LAUNCH, TAG_PROTECT, Instance, Refusal, SpotRequest

log = logging.getLogger(__name__)

FILTER_VALUES = 200  # EC2's limit of values in one filter
_BATCH = 200  # ids a mutating call; EC2 advises at most 1,000

Call = Literal["create_fleet", "run_instances"]
Filters = Mapping[str, Sequence[str]]

_REASON_TIME = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) GMT\)")

_FORGOTTEN = datetime(1970, 1, 1, tzinfo=UTC)  # the launch of one that is over, if EC2 tells none
_UNKNOWN = ".NotFound"  # how the codes end of what EC2 does not know

# Answers with HTTP 5xx of which EC2 says that nothing was launched.
_DEFINITE = ("Insufficient", "Unsupported", "SpotMaxPriceTooLow", "RequestLimitExceeded")
# Refusals that concern one id of a batch and not the batch.
_OF_ONE_ID = ("Invalid", "OperationNotPermitted", "IncorrectInstanceState", "UnsupportedOperation")


class Unanswered(Exception):
    """EC2 may or may not have carried the launch out."""


class Launched(NamedTuple):
    """What a launch brought: ids of instances, why there are not more, and the pools ("type
    subnet") that gave some, as far as EC2 says.
    """

    instances: tuple[str, ...]
    refusals: tuple[Refusal, ...] = ()
    pools: tuple[str, ...] = ()


class Ec2:
    """The gateway. Every method but `launch` raises botocore's ClientError or BotoCoreError."""

    def __init__(self, client: Any, *, launcher: Any) -> None:
        self._client = client
        self._launcher = launcher

    def instances(self, filters: Filters) -> list[Instance]:
        """The instances that match, also those that ended in the last hour."""
        pages = self._pages("describe_instances", filters)
        return [
            _instance(entry)
            for page in pages
            for reservation in page["Reservations"]
            for entry in reservation["Instances"]
        ]

    def requests(self, filters: Filters) -> list[SpotRequest]:
        """The spot requests that match, also those that ended in the last hours."""
        pages = self._pages("describe_spot_instance_requests", filters)
        return [_request(entry) for page in pages for entry in page["SpotInstanceRequests"]]

    def launch(self, call: Call, arguments: Mapping[str, Any]) -> Launched:
        """Make a launch call, once; raises Unanswered."""
        try:
            answer = getattr(self._launcher, call)(**arguments)
        except ParamValidationError as error:
            return Launched((), (Refusal("InvalidParameter", str(error)),))
        except ClientError as error:
            return Launched((), (_refusal(error),))
        except BotoCoreError as error:
            raise Unanswered(str(error)) from error
        return _LAUNCHED[call](answer)

    def cancel(self, ids: Sequence[str]) -> dict[str, str]:
        """Cancel spot requests; why not, for those that EC2 refused to cancel."""
        return _each(
            lambda some: self._client.cancel_spot_instance_requests(SpotInstanceRequestIds=some),
            ids,
        )

    def start(self, ids: Sequence[str]) -> dict[str, str]:
        """Start stopped instances, one by one, for each may lack capacity of its own; why not, for
        those that EC2 refused to start.
        """
        refused: dict[str, str] = {}
        for id_ in ids:
            try:
                self._client.start_instances(InstanceIds=[id_])
            except ClientError as error:
                reason = _reason(error)
                refused[id_] = f"{reason.code}: {reason.message}"
                log.warning("EC2 refused to start %s: %s", id_, refused[id_])
        return refused

    def terminate(self, ids: Sequence[str]) -> dict[str, str]:
        """Terminate instances; why not, for those that EC2 refused to terminate."""
        return _each(lambda some: self._client.terminate_instances(InstanceIds=some), ids)

    def tag(self, ids: Sequence[str], tags: Mapping[str, str]) -> dict[str, str]:
        """Tag resources; why not, for those that EC2 refused to tag."""
        pairs = as_tags(tags)
        return _each(lambda some: self._client.create_tags(Resources=some, Tags=pairs), ids)

    def _pages(self, operation: str, filters: Filters) -> Iterator[dict[str, Any]]:
        paginator = self._client.get_paginator(operation)
        for part in _parts(filters):
            wanted = [{"Name": name, "Values": list(values)} for name, values in part.items()]
            yield from paginator.paginate(Filters=wanted, PaginationConfig={"PageSize": 1000})


def as_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as EC2 takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def is_unknown(why: str) -> bool:
    """Whether EC2 refused a call because it does not know the id: not yet, or not any more."""
    return why.partition(":")[0].endswith(_UNKNOWN)


def _parts(filters: Filters) -> Iterator[Filters]:
    """The filters as often as the longest one needs; none where one of them has no values."""
    longest = max(filters, key=lambda name: len(filters[name]))
    values = filters[longest]
    for start in range(0, len(values), FILTER_VALUES):
        yield {**filters, longest: values[start : start + FILTER_VALUES]}


def _each(call: Callable[[list[str]], object], ids: Sequence[str]) -> dict[str, str]:
    """Call in batches; a batch that one id spoils is halved until that id stands alone."""
    refused: dict[str, str] = {}
    batches = [list(ids[start : start + _BATCH]) for start in range(0, len(ids), _BATCH)]
    while batches:
        batch = batches.pop()
        try:
            call(batch)
        except ClientError as error:
            reason = _reason(error)
            if not reason.code.startswith(_OF_ONE_ID):
                raise
            if len(batch) == 1:
                refused[batch[0]] = f"{reason.code}: {reason.message}"
                log.warning("EC2 refused %s: %s", batch[0], refused[batch[0]])
            else:
                middle = len(batch) // 2
                batches += [batch[:middle], batch[middle:]]
    return refused


def _reason(error: ClientError) -> Refusal:
    found = error.response["Error"]
    return Refusal(str(found["Code"]), str(found.get("Message", "")))


def _refusal(error: ClientError) -> Refusal:
    """EC2's refusal of a launch; raises Unanswered where it is a failure half-way."""
    reason = _reason(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    if status >= 500 and not reason.code.startswith(_DEFINITE):
        raise Unanswered(f"{reason.code}: {reason.message}") from error
    return reason


def _of_fleet(answer: Mapping[str, Any]) -> Launched:
    entries = answer.get("Instances", [])
    found = dict.fromkeys(id_ for entry in entries for id_ in entry["InstanceIds"])
    refusals = tuple(_fleet_refusals(answer.get("Errors", [])))
    return Launched(
        tuple(found),
        refusals or (() if found else _WITHOUT_A_WORD),
        tuple(filter(None, map(_pool, entries))),
    )


# An instant fleet that is empty and says nothing: what EC2 does when it has nothing to give.
_WITHOUT_A_WORD = (Refusal("InsufficientCapacity", "EC2 launched nothing and did not say why"),)


def _fleet_refusals(errors: Iterable[Mapping[str, Any]]) -> Iterator[Refusal]:
    for error in errors:
        yield Refusal(error["ErrorCode"], error.get("ErrorMessage", ""), _pool(error))


def _pool(entry: Mapping[str, Any]) -> str:
    override = entry.get("LaunchTemplateAndOverrides", {}).get("Overrides", {})
    return f"{override.get('InstanceType', '')} {override.get('SubnetId', '')}".strip()


def _of_run(answer: Mapping[str, Any]) -> Launched:
    return Launched(tuple(entry["InstanceId"] for entry in answer["Instances"]))


_LAUNCHED: dict[str, Callable[[Mapping[str, Any]], Launched]] = {
    "create_fleet": _of_fleet,
    "run_instances": _of_run,
}


def _instance(entry: Mapping[str, Any]) -> Instance:
    launched = entry.get("LaunchTime") or _FORGOTTEN
    tags = {tag["Key"]: tag["Value"] for tag in entry.get("Tags", [])}
    return Instance(
        id=entry["InstanceId"],
        type=entry["InstanceType"],
        zone=(entry.get("Placement") or {}).get("AvailabilityZone", ""),
        state=entry["State"]["Name"],
        launched=launched,
        spot=entry.get("InstanceLifecycle") == "spot",
        request=entry.get("SpotInstanceRequestId", ""),
        launch=tags.get(TAG_LAUNCH, ""),
        subnet=entry.get("SubnetId", ""),
        protected=TAG_PROTECT in tags,
        ended=_ended(entry.get("StateTransitionReason") or "", after=launched),
    )


def _ended(reason: str, *, after: datetime) -> datetime | None:
    """When a person or a program ended the instance: "User initiated (2026-03-01 12:00:00 GMT)"."""
    found = _REASON_TIME.search(reason)
    if not found:
        return None
    try:
        ended = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None  # not a time after all: the end is not known
    return ended if ended >= after else None


def _request(entry: Mapping[str, Any]) -> SpotRequest:
    return SpotRequest(
        id=entry["SpotInstanceRequestId"],
        type=entry.get("Type", "one-time"),
        state=entry["State"],
        status=entry.get("Status", {}).get("Code", ""),
        instance=entry.get("InstanceId") or "",
    )
