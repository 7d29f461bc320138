"""The control room's routes: the page, its files, and the rush hour."""

from flask import Blueprint, Response, abort, g, request

from charge_request_service.control_room.files import read_files
from charge_request_service.control_room.rush_hour import RushHours
from charge_request_service.control_room.rush_hour_request import RushHourRequest
from grid_common.api.fields import refuse_query
from grid_common.api.json_body import read_document
from grid_common.service import json_response


def control_room(rush_hours: RushHours, *, max_kwh: float) -> Blueprint:
    """Create the blueprint; `max_kwh` is the maximum energy that one vehicle may request."""
    blueprint = Blueprint("control_room", __name__)
    files = read_files()
    page = files.pop("index.html")

    @blueprint.get("/")
    def index() -> Response:
        return page.response()

    @blueprint.get("/control-room/<name>")
    def file(name: str) -> Response:
        if name not in files:
            abort(404, f"The control room has no file {name[:40]!r}.")
        return files[name].response()

    @blueprint.get("/rush-hour")
    def rush_hour() -> Response:
        return _shown(rush_hours)

    @blueprint.post("/rush-hour")
    def start() -> Response:
        refuse_query(request, RushHourRequest.model_fields)
        rush_request = RushHourRequest.from_document(read_document(request), max_kwh=max_kwh)
        rush_hours.start(rush_request, request_id=g.request_id, caller=g.caller)
        return _shown(rush_hours, status=202)

    @blueprint.delete("/rush-hour")
    def stop() -> Response:
        rush_hours.stop(request_id=g.request_id, caller=g.caller)
        return _shown(rush_hours)

    return blueprint


def _shown(rush_hours: RushHours, status: int = 200) -> Response:
    return json_response(rush_hours.document(), status)
