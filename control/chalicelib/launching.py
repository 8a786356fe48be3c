"""Launches that happen once, whatever breaks.

An intent is written before each call. Its id is the call's client token and a tag on what the call
makes, and it holds the call's arguments. So after a crash or a lost answer the next tick sends the
very same call again, of which EC2 makes no second launch, or finds what it made by the tag.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from aws_parallelizer.aws.ec2 import Call, Ec2, Unanswered, as_tags
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core.fleet import TAG_LAUNCH, Intent, Refusal
from aws_parallelizer.core.job import Job
from chalicelib.actions import Launch
from chalicelib.refusals import ANOTHER_CALL, NO_MORE_FLEETS, Class, class_of
from chalicelib.templates import Site, job_tags

log = logging.getLogger(__name__)

MAX_POOLS_A_TICK = 12  # RunInstances asks pool by pool; so many in vain say enough


@dataclass(frozen=True, kw_only=True)
class Result:
    """What launching came to. `pools` = how many were asked; `gave` = which of them gave some."""

    instances: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unanswered: bool = False
    pools: int = 0
    gave: tuple[str, ...] = ()

    def __add__(self, other: Result) -> Result:
        return Result(
            instances=self.instances + other.instances,
            refusals=self.refusals + other.refusals,
            unanswered=self.unanswered or other.unanswered,
            pools=max(self.pools, other.pools),
            gave=self.gave + other.gave,
        )


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """Carries launches out for one job, at one tick."""

    ec2: Ec2
    registry: Registry
    job: Job
    stack: str
    now: datetime

    def launch(self, order: Launch, site: Site) -> Result:
        """Launch `order.count` instances, or as many as EC2 has. Where the account may have no more
        fleets, one-time spot instances are run without one.
        """
        if order.on_demand:
            return self._launch_fleet(order, site)
        if self.job.parameters.spot_type == "persistent":
            return self._launch_one_by_one(order, site)
        result = self._launch_fleet(order, site)
        if any(refusal.code == NO_MORE_FLEETS for refusal in result.refusals):
            log.warning("job %s: EC2 takes no more fleets, so instances are run", self.job.name)
            return self._launch_one_by_one(order, site)
        return result

    def replay(self, intent: Intent) -> Result:
        """Send a launch again whose answer was lost."""
        log.info("launch %s of job %s is sent again", intent.id, intent.job)
        again = msgspec.structs.replace(intent, sent=self.now)
        return self._send(self.registry.put_intent(again))

    def settle(self, intent: Intent, instances: tuple[str, ...]) -> None:
        """Close a launch whose answer is lost for good."""
        log.warning("launch %s was never answered; it made %d instances", intent.id, len(instances))
        self._close(intent, instances=instances, error="never answered")

    def _launch_fleet(self, order: Launch, site: Site) -> Result:
        intent = self._intend("create_fleet", order, count=order.count, site=site)
        return replace(self._send(intent), pools=len(site.pools))

    def _launch_one_by_one(self, order: Launch, site: Site) -> Result:
        """One call an instance, each in the next pool that has not refused."""
        pools = random.sample(site.pools, k=len(site.pools))[:MAX_POOLS_A_TICK]
        total = Result(pools=len(pools))
        while pools and len(total.instances) < order.count:
            pool = pools.pop(0)
            intent = self._intend(
                "run_instances", order, count=1, site=replace(site, pools=(pool,))
            )
            result = self._send(intent)
            total += _in_pool(result, pool)
            if result.instances:
                pools.append(pool)
            elif not _try_elsewhere(result):
                break
        return total

    def _intend(self, call: Call, order: Launch, *, count: int, site: Site) -> Intent:
        name = uuid.uuid4().hex
        tags = {**job_tags(self.job, stack=self.stack), TAG_LAUNCH: name}
        build = _fleet if call == "create_fleet" else _run
        arguments = build(self.job, site=site, order=order, count=count, tags=tags)
        return self.registry.put_intent(
            Intent(
                id=name,
                job=self.job.name,
                count=count,
                created=self.now,
                call=call,
                arguments=msgspec.json.encode({"ClientToken": name, **arguments}).decode(),
                wish=order.wish,
                on_demand=order.on_demand,
            )
        )

    def _send(self, intent: Intent) -> Result:
        arguments = msgspec.json.decode(intent.arguments)
        try:
            answer = self.ec2.launch(_call(intent), arguments)
        except Unanswered as error:
            # The intent stays open and counts as capacity; the next tick sends it again.
            log.warning("launch %s of job %s got no answer: %s", intent.id, intent.job, error)
            return Result(unanswered=True)
        if any(refusal.code == ANOTHER_CALL for refusal in answer.refusals):
            return self._leave_open(intent)
        error_codes = sorted({refusal.code for refusal in answer.refusals})
        self._close(intent, instances=answer.instances, error=", ".join(error_codes))
        log.info(
            "launch %s of job %s: %d of %d instances %s",
            intent.id,
            intent.job,
            len(answer.instances),
            intent.count,
            error_codes,
        )
        for refusal in answer.refusals:
            if class_of(refusal) is Class.CONFIGURATION:
                log.error("job %s: %s: %s", intent.job, refusal.code, refusal.message)
        return Result(
            instances=answer.instances, refusals=answer.refusals, gave=tuple(set(answer.pools))
        )

    def _leave_open(self, intent: Intent) -> Result:
        """EC2 knows the token from another call: what that launched is found by its tag, later."""
        log.error("launch %s of job %s is not sent again: %s", intent.id, intent.job, ANOTHER_CALL)
        self.registry.put_intent(msgspec.structs.replace(intent, error=ANOTHER_CALL))
        return Result(unanswered=True)

    def _close(self, intent: Intent, *, instances: tuple[str, ...], error: str) -> None:
        closed = msgspec.structs.replace(intent, resolved=True, instances=instances, error=error)
        self.registry.put_intent(closed)


def _fleet(
    job: Job, *, site: Site, order: Launch, count: int, tags: Mapping[str, str]
) -> dict[str, Any]:
    price = {} if order.on_demand else _price(job, order)
    return {
        "Type": "instant",
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": count,
            "DefaultTargetCapacityType": "on-demand" if order.on_demand else "spot",
        },
        **_allocation(job, order, count=count),
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": _template(site),
                "Overrides": [
                    {"InstanceType": kind, "SubnetId": subnet, **price}
                    for kind, subnet in site.pools
                ],
            }
        ],
        # An instant fleet tags itself and its instances here, all else through the template.
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": as_tags(tags)} for kind in ("fleet", "instance")
        ],
    }


def _allocation(job: Job, order: Launch, *, count: int) -> dict[str, Any]:
    """How EC2 chooses among the pools, and what on-demand instances may cost an hour in all."""
    if not order.on_demand:
        return {"SpotOptions": {"AllocationStrategy": "price-capacity-optimized"}}
    price = order.max_price or job.parameters.max_price
    most = {"MaxTotalPrice": f"{price * count:.6f}"} if price else {}
    return {"OnDemandOptions": {"AllocationStrategy": "lowest-price", **most}}


def _run(
    job: Job, *, site: Site, order: Launch, count: int, tags: Mapping[str, str]
) -> dict[str, Any]:
    [(kind, subnet)] = site.pools
    return {
        "MinCount": count,
        "MaxCount": count,
        "LaunchTemplate": _template(site),
        "InstanceType": kind,
        "SubnetId": subnet,
        "InstanceMarketOptions": {
            "MarketType": "spot",
            "SpotOptions": {
                "SpotInstanceType": job.parameters.spot_type,
                "InstanceInterruptionBehavior": job.parameters.shutdown_behavior,
                **_price(job, order),
            },
        },
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": as_tags(tags)}
            for kind in ("instance", "volume", "network-interface", "spot-instances-request")
        ],
    }


def _template(site: Site) -> dict[str, str]:
    return {"LaunchTemplateId": site.template.id, "Version": site.template.version}


def _price(job: Job, order: Launch) -> dict[str, str]:
    price = order.max_price or job.parameters.max_price
    return {"MaxPrice": f"{price:.6f}"} if price else {}


def _call(intent: Intent) -> Call:
    return "create_fleet" if intent.call == "create_fleet" else "run_instances"


def _in_pool(result: Result, pool: tuple[str, str]) -> Result:
    name = " ".join(pool)
    return replace(
        result,
        refusals=tuple(refusal._replace(pool=name) for refusal in result.refusals),
        gave=(name,) if result.instances else (),
    )


def _try_elsewhere(result: Result) -> bool:
    """Whether another pool may have what this one refused; quota and the like hold for all."""
    passing = (Class.CAPACITY, Class.PRICE)
    return bool(result.refusals) and all(class_of(each) in passing for each in result.refusals)
