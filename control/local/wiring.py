"""What a machine with a network of its own finds there: its metadata service at EC2's address, and
the local cloud's endpoints.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from local.imds import Imds
from local.metadata import Identity, Notice
from local.network import CLOUD_ADDRESS, METADATA_ADDRESS, Network
from local.process_body import MACHINE_SETTINGS, Surroundings
from local.relay import Relay


class Wiring:
    """There from its making until `close`. Raises OSError."""

    def __init__(self, identity: Identity, surroundings: Surroundings) -> None:
        self._endpoints = {
            "AWS_ENDPOINT_URL": surroundings.endpoint,
            "AWS_ENDPOINT_URL_EC2": surroundings.ec2_endpoint,
        }
        with contextlib.ExitStack() as held:
            self.network = Network(identity.address)
            held.callback(self.network.close)
            listener = self.network.listener(METADATA_ADDRESS, 80)
            self._imds = Imds(identity, credentials=surroundings.credentials, listener=listener)
            held.callback(self._imds.close)
            for port in {_port(url) for url in self._endpoints.values()}:
                relay = Relay(self.network.listener(CLOUD_ADDRESS, port), ("127.0.0.1", port))
                held.callback(relay.close)
            self._held = held.pop_all()

    @property
    def arguments(self) -> Sequence[str]:
        """Kernel arguments from which every service of the machine has its environment."""
        environment = {
            **{name: _from_inside(url) for name, url in self._endpoints.items()},
            **MACHINE_SETTINGS,
        }
        return [f"systemd.setenv={name}={value}" for name, value in environment.items()]

    def announce(self, notice: Notice) -> None:
        self._imds.notice = notice

    def advise(self, at: datetime) -> None:
        self._imds.advised = at

    def close(self) -> None:
        self._held.close()


def _port(url: str) -> int:
    return urlsplit(url).port or 80


def _from_inside(url: str) -> str:
    return f"http://{CLOUD_ADDRESS}:{_port(url)}"
