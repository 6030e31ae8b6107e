"""The server's interface as an OpenAPI document, made from the tables of fields and settings."""

from foretell.server.openapi.document import describe

__all__ = ["describe"]
