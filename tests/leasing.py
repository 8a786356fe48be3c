"""Leases that run out when a test says so."""

from __future__ import annotations

from machines import Site
from proxy import Proxy
from waiting import until


def no_polls(proxy: Proxy) -> None:
    """A long poll that outlives its worker takes a message along: wait for its end."""
    until(lambda: not proxy.polls, seconds=60, what="the last poll ends")


def run_out(site: Site, proxy: Proxy) -> None:
    """All leases run out."""
    no_polls(proxy)
    for handle in set(proxy.handles):
        try:
            site.sqs.change_message_visibility(
                QueueUrl=site.queue_url, ReceiptHandle=handle, VisibilityTimeout=0
            )
        except site.sqs.exceptions.ClientError:
            continue  # its message is gone, or has another handle by now
