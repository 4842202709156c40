"""How lines of the log are written: plain, or one JSON object each, with the id of the request that caused them."""

import logging

from pythonjsonlogger.json import JsonFormatter

from labeling.web.observation import request_id


class WithRequestId(logging.Filter):
    """Adds `request_id` to every record: empty outside of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class JsonLine(JsonFormatter):
    """Time, level, logger, message and request id; an exception in one field. Never a body: nothing logs one."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s",
            rename_fields={"asctime": "at", "levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
