"""What no AWS has.

GET  /_local/ready
POST /_local/reclaim   {"instance": "i-...", "notice": 120}
POST /_local/advise    {"instance": "i-..."}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from local.cloud import Cloud
from local.metadata import stamp
from local.rows import CloudError

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

PREFIX = "/_local/"
LONGEST_NOTICE_SECONDS = 3600


class Reclaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a reclaim; EC2 gives two minutes."""

    instance: str
    notice: float = 120


class Advise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an advice to leave the instance."""

    instance: str


def admin_path(cloud: Cloud, application: Application) -> Application:
    """The application with our paths before it."""

    def routed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        if not request.path.startswith(PREFIX):
            return application(environ, start_response)
        return _answer(cloud, request)(environ, start_response)

    return routed


def _answer(cloud: Cloud, request: Request) -> Response:
    match request.method, request.path.removeprefix(PREFIX):
        case "GET", "ready":
            return _json({"ready": True})
        case "POST", "reclaim":
            return _reclaim(cloud, request.get_data())
        case "POST", "advise":
            return _advise(cloud, request.get_data())
    return _json({"Code": "NotFound", "Message": f"no {request.method} {request.path}"}, 404)


def _reclaim(cloud: Cloud, body: bytes) -> Response:
    try:
        wanted = msgspec.json.decode(body, type=Reclaim)
        if not 0 <= wanted.notice <= LONGEST_NOTICE_SECONDS:
            raise msgspec.ValidationError(
                f"notice is {wanted.notice:g}; allowed: 0 to {LONGEST_NOTICE_SECONDS} seconds"
            )
        ends = cloud.reclaim(wanted.instance, notice=timedelta(seconds=wanted.notice))
    except msgspec.MsgspecError as error:
        return _json({"Code": "InvalidParameterValue", "Message": str(error)}, 400)
    except CloudError as error:
        return _json({"Code": error.code, "Message": str(error)}, 400)
    return _json({"instance": wanted.instance, "ends": stamp(ends)})


def _advise(cloud: Cloud, body: bytes) -> Response:
    try:
        wanted = msgspec.json.decode(body, type=Advise)
        at = cloud.advise(wanted.instance)
    except msgspec.MsgspecError as error:
        return _json({"Code": "InvalidParameterValue", "Message": str(error)}, 400)
    except CloudError as error:
        return _json({"Code": error.code, "Message": str(error)}, 400)
    return _json({"instance": wanted.instance, "advised": stamp(at)})


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(value), status=status, mimetype="application/json")
