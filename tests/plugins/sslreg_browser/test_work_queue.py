from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sslreg_browser.work_queue import WorkQueue


def make_request(is_connected: bool = True) -> Request:
    async def receive() -> dict[str, Any]:
        if is_connected:
            await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    return Request({"type": "http"}, receive)


def test_a_function_runs_in_another_thread() -> None:
    async def main() -> tuple[int, str]:
        def work(a: int, *, b: str) -> tuple[int, str]:
            return a, b + threading.current_thread().name

        return await WorkQueue("work", 1).run(make_request(), work, 1, b="in ")

    assert asyncio.run(main()) == (1, "in work_0")


def test_no_more_functions_run_at_the_same_time_than_there_are_threads() -> None:
    running, largest = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, largest
        with lock:
            running += 1
            largest = max(largest, running)
        threading.Event().wait(0.005)
        with lock:
            running -= 1

    async def main() -> None:
        queue = WorkQueue("work", 2)
        await asyncio.gather(*(queue.run(make_request(), work) for _ in range(10)))

    asyncio.run(main())
    assert largest == 2


def test_too_many_requests_are_refused_at_once() -> None:
    release = threading.Event()

    async def main() -> None:
        queue = WorkQueue("work", 1, waiting=2)
        tasks = [asyncio.create_task(queue.run(make_request(), release.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException) as refused:
            await queue.run(make_request(), release.wait)
        assert refused.value.status_code == 503
        release.set()
        await asyncio.gather(*tasks)
        await queue.run(make_request(), release.wait)

    asyncio.run(main())


def test_nothing_runs_for_a_client_that_has_left() -> None:
    calls: list[int] = []

    async def main() -> None:
        with pytest.raises(HTTPException):
            await WorkQueue("work", 1).run(make_request(is_connected=False), calls.append, 1)

    asyncio.run(main())
    assert calls == []


def test_an_error_of_the_function_reaches_the_caller() -> None:
    async def main() -> None:
        queue = WorkQueue("work", 1, waiting=0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await queue.run(make_request(), lambda: 1 // 0)

    asyncio.run(main())
