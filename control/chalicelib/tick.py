"""One job's turn in a run of reconcile: read, plan, write, carry out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import msgspec

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.aws.ec2_setup import Ec2Setup
from aws_parallelizer.core.fleet import Backoff, Fleet, Streak
from aws_parallelizer.core.job import Job
from chalicelib import dead_letters, emptiness, lost_tasks, pace, refusals, templates
from chalicelib.context import Context
from chalicelib.execution import Executor, Report
from chalicelib.holdings import UNSEEN, Holdings
from chalicelib.observing import Sight, look
from chalicelib.planning import START_SECONDS_PER_TASK, Limits, Plan, Situation, plan
from chalicelib.readings import Readings

log = logging.getLogger(__name__)

SWEEP = timedelta(minutes=10)  # a job that seems to hold nothing is looked at so often all the same
KEEP_INTENTS = timedelta(hours=1)
_ROUNDS = 3  # of cancelling and looking again when a job is stopped
_STORED = 800  # instances, and requests, in the fleet's row: DynamoDB takes 400 KB


@dataclass(frozen=True)
class Tick:
    """One job at one moment."""

    context: Context
    job: Job
    ec2: Ec2
    setup: Ec2Setup
    readings: Readings

    def run(self) -> bool:
        """Bring the job's fleet one step nearer to what it should be; whether the job is to be
        deleted and nothing of it is left.
        """
        self._drain_dead_letters()
        fleet = self.context.registry.fleet(self.job.name)
        if fleet and self._asleep(fleet):
            return False
        fleet = fleet or Fleet(job=self.job.name, observed=self._now)
        for _ in range(_ROUNDS):
            fleet, decided = self._round(fleet)
            if not decided.look_again:
                break
        self._forget_old_intents()
        return decided.finished and self.job.deleting

    def _round(self, fleet: Fleet) -> tuple[Fleet, Plan]:
        sight = look(self.ec2, self.job, stack=self.context.settings.stack)
        holdings = Holdings(
            now=self._now,
            instances=sight.instances,
            requests=sight.requests,
            intents=tuple(self.context.registry.intents(self.job.name)),
        )
        fleet = self._with_readings(fleet, holdings)
        decided = plan(self._situation(fleet, holdings, sight))
        fleet = self.context.registry.put_fleet(self._seen(fleet, holdings, decided))
        executor = Executor(self.context, self.job, self.ec2, self.setup, self._now)
        return self._after(fleet, decided, executor.carry_out(decided)), decided

    @cached_property
    def _now(self) -> datetime:
        return self.context.now()

    @property
    def _ended(self) -> bool:
        return self.job.stopped or self.job.deleting

    def _drain_dead_letters(self) -> None:
        if not self.job.dead_letter_url or self.job.deleting:
            return
        try:
            gone = dead_letters.drain(self.context, self.job)
        except CALL_FAILED as error:
            # Their tasks stay open in the ledger, so the job cannot count as empty meanwhile.
            log.warning("dead letters of job %s could not be drained: %s", self.job.name, error)
            return
        if gone:
            log.warning("%d dead letters of job %s were drained", gone, self.job.name)

    def _asleep(self, fleet: Fleet) -> bool:
        """Whether all was seen to be over, and nothing has happened since."""
        over = self.job.stopped or (self._proven(fleet.empty) and self.readings.demand == 0)
        return (
            over
            and not self.job.deleting
            and fleet.job_version == self.job.version
            and not (fleet.instances or fleet.requests)
            and self._now - fleet.observed < SWEEP
            and not any(
                not each.resolved or self._now - each.created < UNSEEN
                for each in self.context.registry.intents(self.job.name)
            )
        )

    def _proven(self, streak: Streak) -> bool:
        settings = self.context.settings
        return emptiness.is_proof(
            streak,
            readings=settings.empty_readings,
            seconds=settings.empty_span_seconds,
            now=self._now,
        )

    def _with_readings(self, fleet: Fleet, holdings: Holdings) -> Fleet:
        """The streaks with this tick's reading; lost tasks are sent anew where they prove it."""
        if self._ended:
            return msgspec.structs.replace(fleet, empty=Streak(), lost=Streak())
        reading = self.readings.take(holdings)
        lost = emptiness.after(fleet.lost, said=reading.lost, now=self._now)
        if self._proven(lost):
            lost_tasks.send_anew(self.context, self.job)
        empty = emptiness.after(fleet.empty, said=reading.empty, now=self._now)
        seconds = fleet.seconds_per_task
        if reading.messages:
            seconds = pace.measured(self.context, self.job, known=seconds, now=self._now)
        return msgspec.structs.replace(fleet, empty=empty, lost=lost, seconds_per_task=seconds)

    def _situation(self, fleet: Fleet, holdings: Holdings, sight: Sight) -> Situation:
        demand = None if self._ended else self.readings.demand
        return Situation(
            holdings=holdings,
            limits=self._limits(fleet, demand),
            demand=demand,
            trouble="" if self._ended else self.readings.trouble,
            stopped=self.job.stopped,
            deleting=self.job.deleting,
            empty=self._proven(fleet.empty),
            draining_since=fleet.draining_since,
            grace_seconds=self.context.settings.drain_seconds,
            wishes=self.job.wishes,
            backoff=self._backoff(fleet),
            untagged=sight.untagged,
        )

    def _limits(self, fleet: Fleet, demand: int | None) -> Limits:
        parameters = self.job.parameters
        return Limits(
            max_instances=parameters.max_instances,
            drain_seconds=parameters.drain_seconds,
            slots=templates.slots(self.job, self.setup) if demand else 1,
            seconds_per_task=fleet.seconds_per_task or START_SECONDS_PER_TASK,
        )

    def _backoff(self, fleet: Fleet) -> Backoff:
        """What holds launches back; a wrong configuration does only while it stands."""
        wrong = fleet.backoff.configuration
        return Backoff() if wrong and wrong != templates.fingerprint(self.job) else fleet.backoff

    def _seen(self, fleet: Fleet, holdings: Holdings, decided: Plan) -> Fleet:
        present = [each for each in holdings.instances if each.state != "terminated"]
        return msgspec.structs.replace(
            fleet,
            observed=self._now,
            job_version=self.job.version,
            instances=tuple(present[:_STORED]),
            requests=holdings.live_requests[:_STORED],
            sentence=decided.sentence,
            draining_since=(fleet.draining_since or self._now) if decided.draining else None,
            backoff=self._backoff(fleet),
        )

    def _after(self, fleet: Fleet, decided: Plan, report: Report) -> Fleet:
        """The fleet's row with what came of the plan; wishes that it carried out are dropped."""
        if decided.granted and not report.obstacle:
            self.context.registry.change_job(
                self.job.name, lambda job: _without_wishes(job, decided.granted)
            )
        backoff = self._backoff_after(fleet.backoff, report)
        news = [*report.refused, *([backoff.sentence] if backoff != fleet.backoff else [])]
        changed = msgspec.structs.replace(
            fleet, backoff=backoff, sentence="; ".join(filter(None, [*news, fleet.sentence]))
        )
        return self.context.registry.put_fleet(changed) if changed != fleet else fleet

    def _backoff_after(self, backoff: Backoff, report: Report) -> Backoff:
        configuration = templates.fingerprint(self.job)
        if report.obstacle:
            return refusals.after_obstacle(
                backoff, report.obstacle, configuration=configuration, now=self._now
            )
        if report.launched.instances:
            return Backoff()
        if report.launched.refusals:
            return refusals.after_refusal(
                backoff,
                report.launched.refusals,
                pools=report.launched.pools,
                configuration=configuration,
                now=self._now,
            )
        return backoff

    def _forget_old_intents(self) -> None:
        for intent in self.context.registry.intents(self.job.name):
            if intent.resolved and self._now - intent.created > KEEP_INTENTS:
                self.context.registry.remove_intent(intent)


def _without_wishes(job: Job, granted: tuple[str, ...]) -> Job:
    kept = tuple(wish for wish in job.wishes if wish.id not in granted)
    return msgspec.structs.replace(job, wishes=kept)
