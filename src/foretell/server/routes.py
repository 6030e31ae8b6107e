"""Routes, and who may have their answers when."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.routing import Route, Router

from foretell.server.asgi import App
from foretell.server.errors import ApiError
from foretell.utils.quoting import quote
from foretell.utils.suggestions import did_you_mean


class Endpoint(Route):
    """What is answered at one path.

    Args:
        method: of HTTP.
        path: may have a part in braces.
        app: answers.
        is_open: whether it is answered without a key, and to pages of any origin.
        needs_model: whether it is answered only where there is a model, and work goes on.

    Attributes:
        is_probe: whether it is asked again and again, how the server is.
    """

    is_probe = False

    def __init__(
        self, method: str, path: str, app: App, *, is_open: bool = False, needs_model: bool = True
    ) -> None:
        super().__init__(path, app, methods=[method])
        self.is_open = is_open
        self.needs_model = needs_model


class Probe(Endpoint):
    """What tells how the server is, also without a model.

    Args:
        path, app, is_open: as for any.
    """

    is_probe = True

    def __init__(self, path: str, app: App, *, is_open: bool = False) -> None:
        super().__init__("GET", path, app, is_open=is_open, needs_model=False)


class Endpoints(Router):
    """All of them, as an application of ASGI; what is wrong with a path is raised."""

    def __init__(self, endpoints: Iterable[Route]) -> None:
        super().__init__([*endpoints], redirect_slashes=False)

    def at(self, path: str) -> Endpoint | None:
        """The endpoint of a path, whatever the method; None if there is none."""
        found = (one for one in self.routes if isinstance(one, Endpoint))
        return next((one for one in found if one.path_regex.match(path)), None)

    def refusal(self, error: HTTPException, path: str) -> ApiError:
        """What Starlette's router says of a path, in the form of this server."""
        headers = error.headers or {}
        message = error.detail
        if error.status_code == 404:
            message = f"there is nothing at {quote(path)}: {self._meant(path)}"
        elif error.status_code == 405:
            message = f"{quote(path)} takes {headers.get('allow', 'another method')} alone"
        return ApiError(error.status_code, message, headers=headers)

    def _meant(self, path: str) -> str:
        """Which path may be meant; base addresses of clients often lack the version."""
        paths = [one.path for one in self.routes if isinstance(one, Endpoint)]
        plain = "/" + path.strip("/")
        for one in (plain, f"/v1{plain}", plain.removeprefix("/v1")):
            if one in paths:
                return f"did you mean {one!r}?"
        return did_you_mean(plain, paths, "/openapi.json tells of all there is")
