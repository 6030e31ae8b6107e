"""Replicas of a model on Ray Serve, with the face that a server knows models by."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from foretell.errors import ConfigError, ForetellError, RequestError
from foretell.scale.ray.cluster import Cluster, threads_each
from foretell.scale.ray.gate import unavailable
from foretell.scale.ray.model import Opening
from foretell.scale.ray.replica import Replica
from foretell.server.asgi import Message, Scope
from foretell.server.options import ServerOptions
from foretell.utils.quoting import one_line

LOOK_SECONDS = 1.0
UPSCALE_SECONDS = 10.0
"""Of too many requests, after which another replica is begun."""

MAX_RUNNING = 256
"""Requests that an engine runs at a time where nothing else is said."""

ROOM_BESIDE = 64
"""Requests that a replica may have beside those of its engine: such as it refuses, or answers
without the engine. With none, they would wait until a text has ended."""


@dataclass(frozen=True)
class Sizing:
    """How many replicas there are, and what each has.

    Attributes:
        replicas: at the beginning, and at least.
        max_replicas: at most, as requests come; None: their number stays.
        target_requests: that a replica has at a time, on average, where their number may change.
        threads: CPUs that each reserves and computes with; None: as many as there are for each.

    Raises:
        ConfigError: there may be fewer replicas at most than at least.
    """

    replicas: int = 1
    max_replicas: int | None = None
    target_requests: int = 32
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ConfigError(
                f"max_replicas={self.max_replicas} must be at least replicas={self.replicas}"
            )

    @property
    def most(self) -> int:
        """How many there may be."""
        return self.max_replicas or self.replicas


class Deployed:
    """Stands where an `AsyncLLM` stands in a server: opened it is deployed, closed it is no more.

    Args:
        cluster: has the replicas.
        name: of the server, among all of the cluster's.
        opening: the model.
        options: of the server; who may ask is the front's business, which keeps its keys.
        sizing: how many replicas.

    Attributes:
        num_running: replicas that can be asked.
        failure: None: where a replica fails, Ray begins another one.
    """

    failure = None
    tokenizer = SimpleNamespace(chat_template=None)

    def __init__(
        self, cluster: Cluster, name: str, opening: Opening, options: ServerOptions, sizing: Sizing
    ) -> None:
        self._cluster = cluster
        self._threads = _threads(cluster, sizing)
        self._opening = opening.elsewhere(self._threads)
        self._options = replace(options, api_keys=(), allowed_hosts=None, cors_origins=())
        self._sizing = sizing
        told = repr((self._opening, self._options, sizing)).encode()
        self._server = f"{name}-"
        self._name = self._server + hashlib.sha256(told).hexdigest()[:8]
        self._info: Any = None
        self._handle: Any = None
        self._watching: asyncio.Task[None] | None = None
        self.num_running = 0

    @property
    def model_name(self) -> str:
        """The name or path of the model."""
        return self._opening.name

    @property
    def info(self) -> Any:
        """What runs the model; RequestError before it does."""
        if self._info is None:
            raise RequestError("there is no replica yet")
        return self._info

    async def open(self) -> Deployed:
        """Deploy it, and wait until its replicas are there; ForetellError if they cannot be."""
        handle = await asyncio.to_thread(self._deploy)
        self._handle = handle.options(stream=True)
        told = await handle.describe.remote()
        self._info = SimpleNamespace(description=f"{told['description']}, on Ray")
        self.num_running = await asyncio.to_thread(self._count)
        self._watching = asyncio.create_task(self._watch())
        return self

    async def close(self) -> None:
        """Have no replicas any more."""
        if self._watching is not None:
            self._watching.cancel()
        if not self._cluster.is_ours:  # which ends with all that is in it
            await asyncio.to_thread(self._delete)

    async def ended(self) -> None:
        """Waits for ever: what ends by itself is begun again."""
        await asyncio.Event().wait()

    async def answer(self, scope: Scope, body: bytes) -> AsyncGenerator[list[Message], None]:
        """The messages of an answer, first of all none; ApiError where its replica has died."""
        from ray.exceptions import RayActorError
        from ray.serve.exceptions import RayServeException

        answers = self._handle.answer.remote(scope, body)
        try:
            async for messages in answers:
                yield messages
        except RayActorError:
            raise unavailable("the replica that was at this request has died: ask again") from None
        except RayServeException as error:
            raise unavailable(f"no replica can be asked: {one_line(error)}") from None
        finally:
            answers.cancel()

    def _deploy(self) -> Any:
        from ray import serve

        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        serve.start(proxy_location="Disabled")
        if self._is_there():
            return serve.get_app_handle(self._name)
        deployment = serve.deployment(
            name="model",
            ray_actor_options={"num_cpus": self._threads},
            graceful_shutdown_wait_loop_s=0.2,
            graceful_shutdown_timeout_s=max(1.0, self._options.shutdown_timeout),
            health_check_period_s=2.0,
            max_constructor_retry_count=3,
            max_ongoing_requests=self._most_at_once(),
            **self._numbers(),
        )(Replica)
        try:
            app = deployment.bind(self._opening, self._options)
            return serve.run(app, name=self._name, route_prefix=None)
        except RuntimeError as error:
            raise ForetellError(self._why(error)) from error

    def _is_there(self) -> bool:
        """Whether a front that was killed has left just these replicas; others of it are ended."""
        from ray import serve

        apps = serve.status().applications
        for name in apps:
            if name.startswith(self._server) and name != self._name:
                serve.delete(name)
        return self._name in apps and apps[self._name].status == "RUNNING"

    def _most_at_once(self) -> int:
        """Requests that a replica may have at a time: all that its engine takes, and some more."""
        options = self._opening.options
        running = options.get("max_running", MAX_RUNNING)
        return int(running + (options.get("max_waiting") or 0) + ROOM_BESIDE)

    def _numbers(self) -> dict[str, Any]:
        sizing = self._sizing
        if sizing.max_replicas is None:
            return {"num_replicas": sizing.replicas}
        scaled = {
            "min_replicas": sizing.replicas,
            "max_replicas": sizing.max_replicas,
            "target_ongoing_requests": sizing.target_requests,
            "upscale_delay_s": UPSCALE_SECONDS,
        }
        return {"autoscaling_config": scaled}

    def _why(self, error: RuntimeError) -> str:
        """What Ray says of a replica that could not be begun."""
        found = self._status()
        told = found.message if found is not None and found.message else error
        return f"no replica could be begun: {one_line(_last_line(str(told)))}"

    def _status(self) -> Any:
        """What Ray says of the replicas; None where it knows nothing of them."""
        from ray import serve

        app = serve.status().applications.get(self._name)
        return None if app is None else app.deployments.get("model")

    def _count(self) -> int:
        found = self._status()
        return 0 if found is None else int(found.replica_states.get("RUNNING", 0))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.num_running = await asyncio.to_thread(self._count)

    def _delete(self) -> None:
        from ray import serve

        serve.delete(self._name)


def _threads(cluster: Cluster, sizing: Sizing) -> int:
    """CPUs of each replica; ConfigError if a cluster that cannot grow has not enough of them."""
    cpus = cluster.cpus()
    each = threads_each(cpus, sizing.most) if sizing.threads is None else sizing.threads
    if cluster.is_ours and sum(one // each for one in cpus) < sizing.replicas:
        raise ConfigError(
            f"{sizing.replicas} replicas of {each} threads need more CPUs than the {sum(cpus)} "
            "that are there: give fewer --replicas or --threads"
        )
    return each


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else text
