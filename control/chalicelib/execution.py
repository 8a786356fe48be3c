"""Carries a plan out: the only code that changes EC2."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.aws.ec2_setup import Ec2Setup
from aws_parallelizer.core.errors import NotFound, ParameterError
from aws_parallelizer.core.job import Job
from chalicelib import templates
from chalicelib.context import Context
from chalicelib.launching import Launcher, Result
from chalicelib.planning import (
    Action,
    Adopt,
    CancelRequests,
    Launch,
    Plan,
    Replay,
    Settle,
    Terminate,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a plan. `obstacle` = why no launch could even be asked for; `refused` = what EC2
    would not do to single machines or requests, as sentences.
    """

    launched: Result = field(default_factory=Result)
    obstacle: str = ""
    refused: tuple[str, ...] = ()

    def __add__(self, other: Report) -> Report:
        return Report(
            launched=self.launched + other.launched,
            obstacle=self.obstacle or other.obstacle,
            refused=self.refused + other.refused,
        )


@dataclass(frozen=True)
class Executor:
    """Acts on one job's fleet, at one tick."""

    context: Context
    job: Job
    ec2: Ec2
    setup: Ec2Setup
    now: datetime

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
                return Report(launched=self._launcher.replay(intent))
            case Settle(intent=intent, instances=instances):
                self._launcher.settle(intent, instances)
                return Report()
            case Adopt(ids=ids):
                tags = templates.job_tags(self.job, stack=self.context.settings.stack)
                return self._act("tag", lambda some: self.ec2.tag(some, tags), ids)
            case CancelRequests(ids=ids):
                return self._act("cancel", self.ec2.cancel, ids)
            case Terminate(ids=ids):
                return self._act("terminate", self.ec2.terminate, ids)

    def _launch(self, order: Launch) -> Report:
        try:
            site = self._site
        except (NotFound, ParameterError) as error:
            return Report(obstacle=str(error))  # a person must act; the sentence says so
        return Report(launched=self._launcher.launch(order, site))

    def _act(
        self,
        verb: str,
        call: Callable[[Sequence[str]], Mapping[str, str]],
        ids: Sequence[str],
    ) -> Report:
        log.info("job %s: %s %s", self.job.name, verb, " ".join(ids))
        refused = tuple(f"could not {verb} {id_}: {why}" for id_, why in call(ids).items())
        return Report(refused=refused)

    @cached_property
    def _site(self) -> templates.Site:
        return templates.prepare(self.context, self.job, self.setup)

    @cached_property
    def _launcher(self) -> Launcher:
        return Launcher(
            ec2=self.ec2,
            registry=self.context.registry,
            job=self.job,
            stack=self.context.settings.stack,
            now=self.now,
        )
