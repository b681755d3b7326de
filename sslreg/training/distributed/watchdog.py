"""A watchdog that ends a run when one of its processes dies."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import lightning.pytorch as lightning
import torch.distributed as dist
from rich.console import Console

from sslreg.blocked_waits import call_briefly
from sslreg.errors import SslregError
from sslreg.runs.folder import RunFolder
from sslreg.runs.run_writer import overwrite_status
from sslreg.spec.diagnostic_rendering import render
from sslreg.training.distributed.ranks import is_launched_externally

#: The processes that Lightning has started for this one. It starts them once; they take part in all that is trained.
LIGHTNING_CHILDREN: list[subprocess.Popen[bytes]] = []
#: Seconds between two checks of the other processes.
INTERVAL = 0.1
#: Seconds that a process has to exit after another has died.
GRACE = 5.0


@contextmanager
def watch_processes(
    trainer: lightning.Trainer, folder: RunFolder, console: Console, shared: tuple[type[BaseException], ...]
) -> Iterator[None]:
    """End this process soon, and with the reason, when another process dies during the block.

    Over gloo the connection to a dead process breaks at once. With NCCL a process would wait for the dead one; the
    watchdog prints the reason and ends it. torchrun and srun watch the processes that they start; this function watches
    those that Lightning starts.

    Args:
        trainer: The trainer that runs in the block.
        folder: The run's folder.
        console: Where the reason is printed.
        shared: Exceptions that all processes raise by themselves. They leave the other processes alone.

    Raises:
        SslregError: The connection to another process broke.
    """
    watchdog = _Watchdog(trainer, folder, console)
    watchdog.start()
    try:
        yield
    except RuntimeError as error:
        watchdog.stop()
        if not _is_lost_connection(error):
            watchdog.end_children()
            raise
        if trainer.local_rank != 0:  # one message per host is enough
            raise SystemExit(1) from error
        lost = watchdog.lost_process_error()
        watchdog.end_children()
        raise lost from error
    except shared:
        raise
    except BaseException:
        watchdog.stop()
        watchdog.end_children()
        raise
    finally:
        watchdog.stop()


def _is_lost_connection(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or "gloo" in str(error)


class _Watchdog(threading.Thread):
    """A thread that checks the processes that this one has started, and the one that started it."""

    def __init__(self, trainer: lightning.Trainer, folder: RunFolder, console: Console) -> None:
        super().__init__(daemon=True, name="sslreg-watchdog")
        self.trainer = trainer
        self.folder = folder
        self.console = console
        self.children = LIGHTNING_CHILDREN if trainer.world_size > 1 else []
        self._is_child = trainer.local_rank != 0 and not is_launched_externally(trainer)
        self._parent = os.getppid()
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            self._adopt_children()
            orphaned = self._is_child and os.getppid() != self._parent
            if (orphaned or self._describe_death() is not None) and not self._stopped.wait(GRACE):
                self._end_process()

    def stop(self) -> None:
        """Ignore what happens to other processes from now on."""
        self._stopped.set()

    def lost_process_error(self) -> SslregError:
        """Return the error for a lost connection. Wait until it is known which process died."""
        deadline = time.monotonic() + GRACE
        while self.children and self._describe_death() is None and time.monotonic() < deadline:
            time.sleep(INTERVAL)
        return SslregError(
            self._describe_death()
            or "the connection to another process of this run broke: it has ended, or is out of reach",
            hint=f"resume with: {self.folder.resume_command}",
            code="process-lost",
        )

    def end_children(self) -> None:
        """Wait for the processes that this one has started, and kill those that do not exit."""
        deadline = time.monotonic() + GRACE
        for child in self.children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            child.kill()

    def _adopt_children(self) -> None:
        """Take Lightning's children from its own watching thread, which would kill this process without a message."""
        launcher: Any = self.trainer.strategy.launcher
        processes = getattr(launcher, "procs", [])
        if self.children or self._is_child or len(processes) != self.trainer.num_devices - 1:
            return
        self.children += [child for child in processes if isinstance(child, subprocess.Popen)]
        if self.children:
            launcher.procs = list(processes)
            processes.clear()  # Lightning's thread holds this list and has nothing to watch any more

    def _describe_death(self) -> str | None:
        """Return how the first child that died did so, None if all children live."""
        first = self.trainer.node_rank * self.trainer.num_devices + 1
        for rank, child in enumerate(self.children, start=first):
            status = child.poll()
            if status is not None and status < 0:
                return f"the process of rank {rank} was killed by signal {-status} ({signal.Signals(-status).name})"
            if status:
                return f"the process of rank {rank} ended with status {status}; its message is above"
        return None

    def _end_process(self) -> None:
        """End this process, which waits for one that has died."""
        if not self._is_child:
            message = render(self.lost_process_error().diagnostics, {})
            call_briefly(partial(self.console.print, message))
        for child in self.children:
            child.kill()
        if self.trainer.is_global_zero:
            call_briefly(partial(overwrite_status, self.folder, "failed"))
        os._exit(1)
