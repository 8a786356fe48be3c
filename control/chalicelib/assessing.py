"""What a plan rests on, read at one moment: EC2, the queue, the ledger, the rows of job and fleet.
Reads, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import msgspec

from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.aws.ec2_setup import Ec2Setup
from aws_parallelizer.core.fleet import Fleet, Mark, Streak
from aws_parallelizer.core.job import Job
from chalicelib import (
    books,
    doubt,
    emptiness,
    pace,
    remembering,
    templates,
    trials,
)
from chalicelib.context import Context
from chalicelib.holdings import Holdings
from chalicelib.metering import Meter
from chalicelib.observing import Sight, look
from chalicelib.readings import Readings
from chalicelib.situation import START_SECONDS_PER_TASK, Limits, Situation


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The fleet's row with this tick's readings, and the situation that follows from it."""

    fleet: Fleet
    situation: Situation

    @property
    def holdings(self) -> Holdings:
        """What the job holds in EC2."""
        return self.situation.holdings


@dataclass(frozen=True)
class Assessor:
    """Assesses one job at one moment. `marks` are EC2's words on any instances; `meter` is the
    run's.
    """

    context: Context
    job: Job
    ec2: Ec2
    setup: Ec2Setup
    readings: Readings
    meter: Meter
    marks: tuple[Mark, ...]
    now: datetime

    def assess(self, fleet: Fleet) -> Assessment:
        """Look at everything, once."""
        sight = look(self.ec2, self.job, stack=self.context.settings.stack)
        holdings = self._holdings(fleet, sight)
        fleet = self._with_books(fleet, holdings)
        fleet = self._with_trials(self._with_readings(fleet, holdings), holdings)
        fleet = remembering.without_stale_obstacles(
            fleet, configuration=self.configuration if fleet.backoff.configuration else ""
        )
        return Assessment(fleet=fleet, situation=self._situation(fleet, holdings, sight))

    @cached_property
    def configuration(self) -> str:
        """The fingerprint of what a launch is made from."""
        return templates.fingerprint(self.context, self.job)

    def proven(self, streak: Streak, *, at: datetime | None = None) -> bool:
        """Whether the readings up to then (now, unless told) proved it."""
        settings = self.context.settings
        return emptiness.is_proof(
            streak,
            readings=settings.empty_readings,
            seconds=settings.empty_span_seconds,
            now=at or self.now,
        )

    @property
    def _ended(self) -> bool:
        return self.job.stopped or self.job.deleting

    def _holdings(self, fleet: Fleet, sight: Sight) -> Holdings:
        ids = {each.id for each in sight.instances}
        return Holdings(
            now=self.now,
            instances=sight.instances,
            requests=sight.requests,
            intents=tuple(self.context.registry.intents(self.job.name)),
            beats=tuple(self.context.registry.beats(self.job.name)),
            marks=tuple(mark for mark in self.marks if mark.instance in ids),
            waiting_since=fleet.waiting,
            ending_since=fleet.ending,
        )

    def _with_readings(self, fleet: Fleet, holdings: Holdings) -> Fleet:
        """The streaks with this tick's reading."""
        suspects = remembering.suspected(fleet, holdings)
        if self._ended:
            return msgspec.structs.replace(fleet, empty=Streak(), lost=Streak(), suspects=suspects)
        reading = self.readings.take(holdings)
        seconds = fleet.seconds_per_task
        if reading.messages:
            seconds = pace.measured(self.context, self.job, known=seconds, now=self.now)
        return msgspec.structs.replace(
            fleet,
            empty=emptiness.after(fleet.empty, said=reading.empty, now=self.now),
            lost=emptiness.after(fleet.lost, said=reading.lost, now=self.now),
            contradicted=emptiness.after(
                fleet.contradicted, said=reading.contradicted, now=self.now
            ),
            suspects=suspects,
            seconds_per_task=seconds,
        )

    def _with_books(self, fleet: Fleet, holdings: Holdings) -> Fleet:
        """What it cost so far, and when it last got on."""
        spending = self.meter.count(fleet.spending, holdings.instances, job=self.job)
        counted = msgspec.structs.replace(fleet, spending=spending)
        return books.with_progress(self.context, self.job, counted, self.readings, now=self.now)

    def _with_trials(self, fleet: Fleet, holdings: Holdings) -> Fleet:
        if self._ended:
            return fleet  # its instances were ended before they could show what they are worth
        told = trials.verdicts(holdings)
        asked = fleet.breaker.configuration or any(verdict.barren for verdict in told)
        return remembering.judged(
            fleet, told, configuration=self.configuration if asked else "", now=self.now
        )

    def _situation(self, fleet: Fleet, holdings: Holdings, sight: Sight) -> Situation:
        demand, trouble = self._demand(fleet, holdings)
        return Situation(
            holdings=holdings,
            limits=self._limits(fleet, demand),
            demand=demand,
            trouble=trouble,
            stopped=self.job.stopped,
            deleting=self.job.deleting,
            paused=self.job.paused,
            empty=self.proven(fleet.empty),
            stays=not self.job.parameters.should_shutdown,
            draining_since=fleet.draining_since,
            grace_seconds=self.context.settings.drain_seconds,
            wishes=self.job.wishes,
            backoff=fleet.backoff,
            on_demand_backoff=fleet.on_demand_backoff,
            breaker=fleet.breaker,
            held=fleet.held,
            condemned=remembering.condemned(fleet, now=self.now),
            untagged=sight.untagged,
            spent=fleet.spending.dollars,
        )

    def _demand(self, fleet: Fleet, holdings: Holdings) -> tuple[int | None, str]:
        """What to plan for, and what people are told of it where that is not what SQS says."""
        counted = None if self._ended else self.readings.demand
        if not counted:
            return counted, "" if self._ended else self.readings.trouble
        contradicted = self.proven(fleet.contradicted)
        demand = doubt.believed(counted, holdings.intents, contradicted=contradicted, now=self.now)
        return demand, doubt.sentence(counted) if contradicted else ""

    def _limits(self, fleet: Fleet, demand: int | None) -> Limits:
        parameters = self.job.parameters
        minutes = parameters.on_demand_after
        return Limits(
            max_instances=parameters.max_instances,
            drain_seconds=parameters.drain_seconds,
            slots=templates.slots(self.job, self.setup) if demand else 1,
            seconds_per_task=fleet.seconds_per_task or START_SECONDS_PER_TASK,
            budget=parameters.budget,
            on_demand_after=timedelta(minutes=minutes) if minutes else None,
        )
