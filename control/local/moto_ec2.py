"""moto's EC2 (5.2.5, pinned) with the spot life cycle; images are in moto_images.py.

moto keeps what instances look like, networks, templates and tags. What an instance or a spot
request *does* is decided by `Cloud`; the responses below ask it, and `MotoRows` writes the
outcome into moto's rows.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast

import moto.ec2.urls
from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError, OperationNotPermitted4
from moto.moto_server.werkzeug_app import create_backend_app

from local import described
from local.calls import Calls
from local.cloud import Change, Cloud
from local.filters import UnknownFilter, field, matches
from local.images import ImageStore
from local.launches import Launches
from local.machine import State
from local.moto_images import ImageActions
from local.moto_rows import MotoRows, plain
from local.rows import CloudError
from local.tokens import TokenMismatch, Tokens

Action = TypeVar("Action", bound=Callable[..., ActionResult])

SPOT_PRICE = "0.00001"  # dollars an hour of anything, as moto has it

# The filters of DescribeInstances that moto lacks.
INSTANCE_GETTERS = {
    "client-token": field("ClientToken"),
    "instance-lifecycle": field("InstanceLifecycle"),
    "spot-instance-request-id": field("SpotInstanceRequestId"),
}


def application(cloud: Cloud, rows: MotoRows, *, images: ImageStore, calls: Calls) -> Any:
    """The WSGI application that speaks EC2's protocol, and no other service's."""
    LocalEc2.cloud = cloud
    LocalEc2.rows = rows
    LocalEc2.images = images
    LocalEc2.calls = calls
    LocalEc2.launches = Launches(cloud, rows)
    LocalEc2.tokens = Tokens()
    moto.ec2.urls.url_paths = {"{0}/": LocalEc2.dispatch}
    return create_backend_app("ec2")


def in_ec2_words(action: Action) -> Action:
    """Our errors as EC2's."""

    @functools.wraps(action)
    def wrapped(self: LocalEc2) -> ActionResult:
        try:
            return action(self)
        except CloudError as error:
            raise EC2ClientError(error.code, str(error)) from error
        except UnknownFilter as error:
            raise EC2ClientError("InvalidParameterValue", str(error)) from error
        except TokenMismatch as error:
            message = "The request uses the same client token as a previous, non-identical request."
            raise EC2ClientError("IdempotentParameterMismatch", message) from error

    return cast("Action", wrapped)


class LocalEc2(ImageActions):
    """One request. moto makes an object for each, so that what they share is in the class."""

    calls: ClassVar[Calls]
    rows: ClassVar[MotoRows]
    launches: ClassVar[Launches]
    tokens: ClassVar[Tokens[ActionResult]]

    def call_action(self) -> Any:
        """A call or filter that moto lacks is an error of EC2's, not a crash that is sent again."""
        self.calls.add(self._get_action(), region=self.region, parameters=self._call())
        try:
            return super().call_action()
        except NotImplementedError as error:  # moto's word for what it does not have
            refusal = EC2ClientError("UnsupportedOperation", str(error))
            return self.serialized(ActionResult(refusal))

    @in_ec2_words
    def run_instances(self) -> ActionResult:
        return self._once(lambda: ActionResult(self._reservation()))

    @in_ec2_words
    def create_fleet(self) -> ActionResult:
        return self._once(lambda: ActionResult(self.launches.fleet(self.region, self._call())))

    @in_ec2_words
    def request_spot_instances(self) -> ActionResult:
        return self._once(lambda: ActionResult({"SpotInstanceRequests": self._new_requests()}))

    @in_ec2_words
    def create_launch_template(self) -> ActionResult:
        return self._once(super().create_launch_template)

    @in_ec2_words
    def create_launch_template_version(self) -> ActionResult:
        return self._once(super().create_launch_template_version)

    def get_console_output(self) -> ActionResult:
        name = self.ec2_backend.get_instance(self._get_param("InstanceId")).id
        console = self.cloud.console(name)
        text = Base64EncodedString(base64.b64encode(console).decode())
        return ActionResult({"InstanceId": name, "Timestamp": utcnow(), "Output": text})

    @in_ec2_words
    def describe_instances(self) -> ActionResult:
        ids = self._get_param("InstanceIds", [])
        filters = self._filters_from_querystring()
        own = {name: filters.pop(name) for name in INSTANCE_GETTERS if name in filters}
        if ids:
            found = self.ec2_backend.get_reservations_by_instance_ids(ids, filters=filters)
        else:
            found = self.ec2_backend.describe_instances(filters=filters)
        for reservation in found:
            reservation.instances = [one for one in reservation.instances if _passes(one, own)]
        return self._reservations_page([one for one in found if one.instances])

    @in_ec2_words
    def describe_spot_instance_requests(self) -> ActionResult:
        self.error_on_dryrun()
        ids = self._get_param("SpotInstanceRequestIds", [])
        filters = self._filters_from_querystring()
        entries = [
            entry
            for entry in self._request_entries(ids)
            if matches(entry, filters, getters=described.GETTERS)
        ]
        token, size = self._get_param("NextToken"), self._get_int_param("MaxResults")
        found, following = described.page(entries, token=token, size=size)
        return ActionResult({"SpotInstanceRequests": found, "NextToken": following})

    def describe_spot_price_history(self) -> ActionResult:
        """moto has prices where EC2 offers a type; here each type is to be had in every zone."""
        types = self._get_param("InstanceTypes", [])
        if not types:
            return super().describe_spot_price_history()
        zones = [zone.name for zone in self.ec2_backend.describe_availability_zones()]
        history = [
            {
                "InstanceType": kind,
                "ProductDescription": "Linux/UNIX",
                "SpotPrice": SPOT_PRICE,
                "AvailabilityZone": zone,
                "Timestamp": "2006-01-02T15:04:05Z",
            }
            for kind in types
            for zone in zones
        ]
        return ActionResult({"SpotPriceHistory": history})

    @in_ec2_words
    def cancel_spot_instance_requests(self) -> ActionResult:
        self.error_on_dryrun()
        ids = self._get_param("SpotInstanceRequestIds", [])
        requests = self.cloud.cancel(ids, region=self.region)
        states = [{"SpotInstanceRequestId": one.id, "State": one.state.value} for one in requests]
        return ActionResult({"CancelledSpotInstanceRequests": states})

    @in_ec2_words
    def terminate_instances(self) -> ActionResult:
        ids = self._instance_ids()
        for instance in self.ec2_backend.get_multi_instances_by_id(ids):
            if instance.disable_api_termination:
                raise OperationNotPermitted4(instance.id)
        self.error_on_dryrun()
        return _changes("TerminatingInstances", self.cloud.terminate(ids))

    @in_ec2_words
    def stop_instances(self) -> ActionResult:
        ids = self._instance_ids()
        self.error_on_dryrun()
        return _changes("StoppingInstances", self.cloud.stop(ids))

    @in_ec2_words
    def start_instances(self) -> ActionResult:
        ids = self._instance_ids()
        self.error_on_dryrun()
        return _changes("StartingInstances", self.cloud.start(ids))

    def _once(self, make: Callable[[], ActionResult]) -> ActionResult:
        parameters = self._call()
        with self.cloud.lock:
            return self.tokens.once(
                parameters.get("ClientToken"),
                region=self.region,
                action=self._get_action(),
                parameters=parameters,
                make=make,
            )

    def _call(self) -> Mapping[str, Any]:
        parameters: Mapping[str, Any] = plain(self.params)
        return parameters

    def _reservation(self) -> Any:
        machines = self.launches.run(self.region, self._call())
        return self.rows.reservation(machines[0].identity)

    def _new_requests(self) -> list[dict[str, Any]]:
        machines = self.launches.request_spot(self.region, self._call())
        return self._request_entries([one.request for one in machines if one.request])

    def _request_entries(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The requests of those ids, or of all, as they are described."""
        with self.cloud.lock:
            entries = []
            for request, order in self.cloud.requests(self.region, ids=ids):
                machine = self.cloud.machine(request.instance)
                entry = described.described(
                    request,
                    order.specification,
                    zone=None if machine is None else machine.identity.zone,
                    tags=self.rows.tags(request.id, region=self.region),
                )
                entries.append(entry)
            return entries

    def _reservations_page(self, reservations: Sequence[Any]) -> ActionResult:
        size = self._get_int_param("MaxResults", len(reservations) or 1)
        token = self._get_param("NextToken")
        start = [one.id for one in reservations].index(token) + 1 if token else 0
        shown = reservations[start : start + size]
        following = shown[-1].id if start + size < len(reservations) else None
        return ActionResult({"Reservations": shown, "NextToken": following})

    def _instance_ids(self) -> list[str]:
        ids: list[str] = self._get_param("InstanceIds", [])
        if not ids:
            raise EC2ClientError("InvalidParameterCombination", "No instances specified")
        return ids


def _passes(instance: Any, filters: Mapping[str, Sequence[str]]) -> bool:
    entry = {
        "ClientToken": instance.client_token or None,
        "InstanceLifecycle": instance.lifecycle,
        "SpotInstanceRequestId": getattr(instance, "spot_instance_request_id", None),
    }
    return matches(entry, filters, getters=INSTANCE_GETTERS)


def _changes(name: str, changes: Sequence[Change]) -> ActionResult:
    def shown(state: State) -> dict[str, Any]:
        return {"Code": state.code, "Name": state.text}

    entries = [
        {
            "InstanceId": one.instance,
            "CurrentState": shown(one.after),
            "PreviousState": shown(one.before),
        }
        for one in changes
    ]
    return ActionResult({name: entries})
