"""Our own EC2 in memory."""

from fakes.ec2.client import FakeEc2
from fakes.ec2.machine import Machine
from fakes.ec2.market import Market
from fakes.faults import Crash, Fault, Faults

__all__ = ["Crash", "FakeEc2", "Fault", "Faults", "Machine", "Market"]
