"""The local cloud's ports are such that nobody else gets one by chance."""

from __future__ import annotations

import socket

import pytest

from local import ports


def test_free_ports_differ_and_are_none_that_a_connection_is_given() -> None:
    found = ports.free(200)
    assert len(set(found)) == 200
    linux = 32_768  # the first that it gives by itself
    assert max(found) < linux


def test_a_port_that_something_has_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    [taken, other] = ports.free(2)
    monkeypatch.setattr(ports, "_POSSIBLE", [taken, other])
    with socket.socket() as server:
        server.bind(("127.0.0.1", taken))
        assert ports.free(1) == [other]
