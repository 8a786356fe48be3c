"""The three EC2 calls that a worker makes about its own spot request, over HTTP."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

from fakes.loopback import Loopback

_SPACE = 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'


class SpotApi(Loopback):
    """One instance, `request` its spot request (empty: on demand). `calls` has the actions in their
    order.
    """

    def __init__(self, instance: str, *, request: str = "") -> None:
        super().__init__(_Handler)
        self.instance = instance
        self.request = request
        self.state = "active"
        self.cancelled_at = 0  # nanoseconds since 1970
        self.calls: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: SpotApi

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        [action] = parse_qs(self.rfile.read(length).decode())["Action"]
        self.server.calls.append(action)
        self._answer(200, getattr(self, f"_{action}")())

    def _DescribeInstances(self) -> str:  # noqa: N802 - EC2's name
        spot = self.server.request
        request = f"<spotInstanceRequestId>{spot}</spotInstanceRequestId>" if spot else ""
        return (
            f"<DescribeInstancesResponse {_SPACE}><reservationSet><item><instancesSet><item>"
            f"<instanceId>{self.server.instance}</instanceId>{request}"
            "</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
        )

    def _DescribeSpotInstanceRequests(self) -> str:  # noqa: N802 - EC2's name
        return (
            f"<DescribeSpotInstanceRequestsResponse {_SPACE}><spotInstanceRequestSet><item>"
            f"<spotInstanceRequestId>{self.server.request}</spotInstanceRequestId>"
            f"<type>persistent</type><state>{self.server.state}</state>"
            "</item></spotInstanceRequestSet></DescribeSpotInstanceRequestsResponse>"
        )

    def _CancelSpotInstanceRequests(self) -> str:  # noqa: N802 - EC2's name
        self.server.state, self.server.cancelled_at = "cancelled", time.time_ns()
        return (
            f"<CancelSpotInstanceRequestsResponse {_SPACE}><spotInstanceRequestSet><item>"
            f"<spotInstanceRequestId>{self.server.request}</spotInstanceRequestId>"
            "<state>cancelled</state>"
            "</item></spotInstanceRequestSet></CancelSpotInstanceRequestsResponse>"
        )

    def _answer(self, status: int, body: str) -> None:
        encoded = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *args: object) -> None:
        """Say nothing."""
