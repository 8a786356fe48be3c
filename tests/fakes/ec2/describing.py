"""The Describe calls: by id or by filter, page by page, and late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fakes.ec2.launching import Launching
from fakes.ec2.machine import (
    ZONES,
    Entry,
    Machine,
    describe_instance,
    describe_request,
    matches,
)
from fakes.ec2.market import VCPUS
from fakes.faults import refused
from local.spot import SpotRequest, SpotState

_ENDED_SHOWN = timedelta(hours=1)
_REQUESTS_KEPT = timedelta(hours=4)
_OVER = (SpotState.CLOSED, SpotState.CANCELLED)

Given = Mapping[str, Any]


@dataclass
class Describing(Launching):
    """A page has at most `page_size` entries."""

    page_size: int = 1000

    def _instances(self, given: Given) -> Entry:
        shown = {each.id: each for each in self.machines.values() if self._is_shown(each)}
        wanted = _named(given, "InstanceIds", shown, missing="InvalidInstanceID.NotFound")
        entries = [describe_instance(each) for each in wanted]
        page, following = self._page(entries, given)
        return {"Reservations": [{"Instances": [each]} for each in page], **following}

    def _spot_requests(self, given: Given) -> Entry:
        shown = {each.id: each for each in self.requests.values() if self._is_known(each)}
        missing = "InvalidSpotInstanceRequestID.NotFound"
        wanted = _named(given, "SpotInstanceRequestIds", shown, missing=missing)
        entries = [describe_request(each, self.specs[each.id]) for each in wanted]
        page, following = self._page(entries, given)
        return {"SpotInstanceRequests": page, **following}

    def _spot_prices(self, given: Given) -> Entry:
        types, zones = given.get("InstanceTypes") or sorted(VCPUS), ZONES.items()
        entries = [
            {
                "InstanceType": kind,
                "AvailabilityZone": zone,
                "ProductDescription": "Linux/UNIX",
                "SpotPrice": f"{self.market.price((kind, subnet)):.6f}",
                "Timestamp": given.get("StartTime", self.now),
            }
            for kind in types
            for subnet, zone in zones
        ]
        page, following = self._page(entries, {**given, "Filters": []})
        return {"SpotPriceHistory": page, **following}

    def _page(self, entries: list[Entry], given: Given) -> tuple[list[Entry], Entry]:
        filters = {each["Name"]: each["Values"] for each in given.get("Filters", [])}
        found = [each for each in entries if matches(each, filters)]
        start = int(given.get("NextToken") or 0)
        end = start + min(self.page_size, given.get("MaxResults") or self.page_size)
        return found[start:end], {"NextToken": str(end)} if end < len(found) else {}

    def _is_shown(self, machine: Machine) -> bool:
        forgotten = machine.ended and self.now - machine.ended > _ENDED_SHOWN
        over = forgotten and machine.state == "terminated"
        return machine.shown <= self.now and not over

    def _is_known(self, request: SpotRequest) -> bool:
        forgotten = request.state in _OVER and self.now - request.updated > _REQUESTS_KEPT
        return self.specs[request.id].shown <= self.now and not forgotten


def _named(given: Given, name: str, shown: Mapping[str, Any], *, missing: str) -> Sequence[Any]:
    ids = given.get(name) or ()
    if unknown := [id_ for id_ in ids if id_ not in shown]:
        raise refused(missing, f"describe {unknown}")
    return [shown[id_] for id_ in ids] if ids else list(shown.values())


@dataclass(frozen=True)
class Paginator:
    """boto3's paginator: a call a page."""

    client: Any
    operation: str

    def paginate(self, **given: Any) -> list[Entry]:
        size = given.pop("PaginationConfig", {}).get("PageSize")
        call = getattr(self.client, self.operation)
        pages = [call(**given, **({"MaxResults": size} if size else {}))]
        while token := pages[-1].get("NextToken"):
            pages.append(call(**given, NextToken=token))
        return pages
