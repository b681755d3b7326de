"""Work that takes long: it runs in threads, so that it never delays a page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class WorkQueue:
    """A queue of work for few threads.

    Args:
        name: The name of the threads.
        threads: The number of threads, that is of functions that run at the same time.
        waiting: The number of requests that may wait. Others are refused with status 503.

    Attributes:
        count: The number of requests that wait or run.
    """

    def __init__(self, name: str, threads: int, waiting: int = 32) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._slots = asyncio.Semaphore(threads)
        self._capacity = threads + waiting
        self.count = 0

    async def run(
        self,
        request: Request,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a function in a thread and return its result.

        Nothing runs for a client that has left while its request waited.
        """
        if self.count >= self._capacity:
            raise HTTPException(503, "the server is busy", {"Retry-After": "1"})
        self.count += 1
        try:
            async with self._slots:
                if await request.is_disconnected():
                    raise HTTPException(503, "the client has left")
                call = lambda: function(*args, **kwargs)  # noqa: E731 - run_in_executor takes no keywords
                return await asyncio.get_running_loop().run_in_executor(self._executor, call)
        finally:
            self.count -= 1


async def run_quick(
    request: Request, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run a function that takes less than a second, such as making views, and return its result.

    Each area has a separate queue, so that none waits for another one that takes longer than it should.
    """
    area = request.url.path.removeprefix("/api").split("/")[1]
    queue: WorkQueue = request.app.state.quick_work[area]
    return await queue.run(request, function, *args, **kwargs)


async def run_slow(
    request: Request, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run a function that takes seconds, such as embedding images, and return its result. One runs at a time."""
    queue: WorkQueue = request.app.state.slow_work
    return await queue.run(request, function, *args, **kwargs)
