"""What a server logs: a line a request."""

from __future__ import annotations

import logging

from foretell.server.options import ServerOptions
from foretell.server.record import RequestRecord

LOGGER = logging.getLogger("foretell.server")


def log_request(record: RequestRecord, options: ServerOptions) -> None:
    """Log a request that has ended."""
    LOGGER.info("%s %s %d", record.method, record.request_id, record.status)


def log_failure(record: RequestRecord, error: BaseException) -> None:
    """Log what went wrong in a request, with its traceback."""
    LOGGER.error("%s failed", record.request_id, exc_info=error)
