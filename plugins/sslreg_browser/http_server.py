"""The HTTP server: its port, its limits for clients, and its end."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

import sslreg

ADDRESS = "127.0.0.1"

#: The number of connections. One more closes another, so that hanging clients never keep out the page.
MAX_CONNECTIONS = 128
#: The seconds in which a client has to send the headers of a request.
HEADER_TIMEOUT = 10.0
#: The seconds in which a client has to read a part of a response.
READ_TIMEOUT = 30.0
#: The largest size of the headers of a request in bytes.
MAX_HEADERS = 16_384


def listen(port: int) -> socket.socket:
    """Return a socket that listens on the loopback address.

    Args:
        port: The port; 0 chooses a free one.

    Raises:
        UserError: The port cannot be used.
    """
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        reason = "is used by another program" if error.errno == errno.EADDRINUSE else f"cannot be used: {error}"
        raise sslreg.UserError(
            f"port {port} {reason}", hint="--port 0 chooses a free port", code="bad-argument"
        ) from error


class Deadline:
    """The time until which a client has to do something. Otherwise, it is disconnected."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def start(self, transport: asyncio.Transport, seconds: float) -> None:
        """Set the time, unless it is set."""
        if self._timer is None and not transport.is_closing():
            self._timer = asyncio.get_running_loop().call_later(seconds, transport.abort)

    def cancel(self) -> None:
        """Cancel the time, because the client has done it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class LimitedProtocol(H11Protocol):
    """HTTP for clients that may hang: each wait for a client ends, and there are at most `MAX_CONNECTIONS`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._started = time.monotonic()
        self._header_deadline = Deadline()
        self._read_deadline = Deadline()

    @property
    def is_answering(self) -> bool:
        """Whether the server works on a request of this connection."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does this only for sockets with a protocol number. Otherwise, a response may be delayed by 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > MAX_CONNECTIONS:
            self._close_another_connection()
        self._header_deadline.start(transport, HEADER_TIMEOUT)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.is_answering:
            self._header_deadline.cancel()
        else:
            self._header_deadline.start(self.transport, HEADER_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        self._header_deadline.cancel()
        self._read_deadline.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read_deadline.start(self.transport, READ_TIMEOUT)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_deadline.cancel()

    def _close_another_connection(self) -> None:
        """Close the oldest connection, if possible one whose client waits for no response."""
        others = [other for other in self.connections if isinstance(other, LimitedProtocol) and other is not self]
        oldest = min(others, key=lambda other: (other.is_answering, other._started))
        oldest.transport.abort()
        self.connections.discard(oldest)


class Server(uvicorn.Server):
    """A server that ends at once, also while clients are connected: by Ctrl-C, by SIGTERM, and with its terminal.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http=LimitedProtocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=MAX_HEADERS,
        )
        super().__init__(config)

    def stop(self) -> None:
        """End the server that runs in another thread."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        # With nohup, a program ignores that its terminal is closed.
        previous = {number: old for number in numbers if (old := signal.getsignal(number)) is not signal.SIG_IGN}
        for number in previous:
            signal.signal(number, self._end_process)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _end_process(self, number: int, _: object) -> None:
        """End the process. Threads that work would delay its end, and they have nothing to lose."""
        if number == signal.SIGINT:
            with suppress(OSError):
                os.write(2, b"\n")  # the terminal has echoed ^C
        os._exit(0)
