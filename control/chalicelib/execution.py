"""Carries a plan out: the only code that changes EC2."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from aws_parallelizer.aws.ec2 import Ec2, is_unknown
from aws_parallelizer.aws.ec2_setup import Ec2Setup
from aws_parallelizer.core import money
from aws_parallelizer.core.errors import NotFound, ParameterError
from aws_parallelizer.core.fleet import Backoff, Refusal
from aws_parallelizer.core.job import Job
from chalicelib import refusals, templates
from chalicelib.actions import (
    Action,
    Adopt,
    CancelRequests,
    Launch,
    Plan,
    Replay,
    Settle,
    Start,
    Terminate,
)
from chalicelib.context import Context
from chalicelib.launching import Launcher, Result
from chalicelib.metering import Meter

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a plan: of launches on the spot market and of on-demand ones, and which parked
    instances did not start.

    `obstacle` = why no launch could even be asked for; `held` = how many pools there are, if all
    were to be left alone; `refused` = what EC2 would not do to single machines or requests, as
    sentences; `misgiven` = on-demand instances that EC2 gave where spot was asked for.
    """

    spot: Result = field(default_factory=Result)
    on_demand: Result = field(default_factory=Result)
    not_started: tuple[str, ...] = ()
    obstacle: str = ""
    held: int = 0
    refused: tuple[str, ...] = ()
    misgiven: tuple[str, ...] = ()

    def __add__(self, other: Report) -> Report:
        return Report(
            spot=self.spot + other.spot,
            on_demand=self.on_demand + other.on_demand,
            not_started=self.not_started + other.not_started,
            obstacle=self.obstacle or other.obstacle,
            held=max(self.held, other.held),
            refused=self.refused + other.refused,
            misgiven=tuple(dict.fromkeys((*self.misgiven, *other.misgiven))),
        )


@dataclass(frozen=True)
class Executor:
    """Acts on one job's fleet, at one tick. `held` are the pools to be left alone."""

    context: Context
    job: Job
    ec2: Ec2
    setup: Ec2Setup
    meter: Meter
    now: datetime
    held: Mapping[str, Backoff]

    def carry_out(self, plan: Plan) -> Report:
        """Do the plan's actions in their order; raises what the gateways raise."""
        report = Report()
        for action in plan.actions:
            report += self._do(action)
        return report

    def _do(self, action: Action) -> Report:
        match action:
            case Launch():
                return self._launch(action)
            case Replay(intent=intent):
                result = self._launcher.replay(intent)
                return Report(on_demand=result) if intent.on_demand else Report(spot=result)
            case Settle(intent=intent, instances=instances):
                self._launcher.settle(intent, instances)
                return Report()
            case Start(ids=ids):
                return self._start(ids)
            case Adopt(ids=ids):
                tags = templates.job_tags(self.job, stack=self.context.settings.stack)
                return self._act("tag", lambda some: self.ec2.tag(some, tags), ids)
            case CancelRequests(ids=ids):
                return self._act("cancel", self.ec2.cancel, ids)
            case Terminate(ids=ids):
                return self._act("terminate", self.ec2.terminate, ids)

    def _launch(self, order: Launch) -> Report:
        try:
            site = self._on_demand_site if order.on_demand else self._spot_site
        except (NotFound, ParameterError) as error:
            return Report(obstacle=str(error))  # a person must act; the sentence says so
        if order.on_demand:
            return self._launch_on_demand(order, site)
        free = tuple(pool for pool in site.pools if not self._is_held(" ".join(pool)))
        if not free:
            return Report(held=len(site.pools))
        result = self._launcher.launch(order, replace(site, pools=free))
        return Report(spot=replace(result, pools=len(site.pools)))

    def _launch_on_demand(self, order: Launch, site: templates.Site) -> Report:
        """Under a budget only what has a price: nothing else could be held to it."""
        unknown = money.unaffordable(
            sorted({kind for kind, _ in site.pools}),
            self.meter.on_demand,
            budget=self.job.parameters.budget,
        )
        priced = tuple(pool for pool in site.pools if pool[0] not in unknown)
        if priced:
            result = self._launcher.launch(order, replace(site, pools=priced))
            return Report(on_demand=result)
        said = f"no price is known for {', '.join(unknown)}, and the job has a budget"
        return Report(
            on_demand=Result(
                refusals=(Refusal(refusals.UNKNOWN_PRICE, said),), pools=len(site.pools)
            )
        )

    def _start(self, ids: Sequence[str]) -> Report:
        log.info("job %s: start %s", self.job.name, " ".join(ids))
        refused = self.ec2.start(ids)
        return Report(
            not_started=tuple(refused),
            refused=tuple(f"could not start {id_}: {why}" for id_, why in refused.items()),
        )

    def _act(
        self,
        verb: str,
        call: Callable[[Sequence[str]], Mapping[str, str]],
        ids: Sequence[str],
    ) -> Report:
        log.info("job %s: %s %s", self.job.name, verb, " ".join(ids))
        refused = {id_: why for id_, why in call(ids).items() if not is_unknown(why)}
        return Report(
            refused=tuple(f"could not {verb} {id_}: {why}" for id_, why in refused.items())
        )

    def _is_held(self, pool: str) -> bool:
        return refusals.is_held(self.held, pool, now=self.now)

    @cached_property
    def _spot_site(self) -> templates.Site:
        return templates.prepare(self.context, self.job, self.setup)

    @cached_property
    def _on_demand_site(self) -> templates.Site:
        return templates.prepare(self.context, self.job, self.setup, on_demand=True)

    @cached_property
    def _launcher(self) -> Launcher:
        return Launcher(
            ec2=self.ec2,
            registry=self.context.registry,
            job=self.job,
            stack=self.context.settings.stack,
            now=self.now,
        )
