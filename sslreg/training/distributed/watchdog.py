"""What becomes of a run when one of its processes dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import lightning.pytorch as lightning
import torch.distributed as dist
from rich.console import Console

from sslreg.atomic_files import write_json
from sslreg.errors import SslregError
from sslreg.runs.folder import RunFolder
from sslreg.spec.diagnostic_rendering import render
from sslreg.training.distributed.ranks import started_from_outside
from sslreg.training.rewind import RewindRun
from sslreg.training.stop_signals import StopRequested

#: The processes that Lightning has started for this one. It does so once: they take part in all that is trained here.
_CHILDREN: list[subprocess.Popen[bytes]] = []
#: Seconds between two looks at the other processes.
INTERVAL = 0.1
#: Seconds in which a process may end by itself after another has died.
GRACE = 5.0


@contextmanager
def watched(trainer: lightning.Trainer, folder: RunFolder, console: Console) -> Iterator[None]:
    """Train within; when another process dies, this one ends too, soon and with the reason.

    SslregError: the connection to another process broke, as it does at once over gloo. A process that would go on
    waiting for the dead one, as it does with NCCL, is ended, and the reason printed. That needs somebody who watches:
    torchrun and srun do for the processes that they start, this does for those that Lightning starts.
    """
    watch = _Watch(trainer, folder, console)
    watch.start()
    try:
        yield
    except RuntimeError as error:
        watch.leave()
        if not _is_lost_connection(error):
            watch.end_children()
            raise
        if trainer.local_rank != 0:  # one message a host will do
            raise SystemExit(1) from error
        found = watch.verdict()
        watch.end_children()
        raise found from error
    except (RewindRun, StopRequested):
        raise  # all of them do that, each by itself
    except BaseException:
        watch.leave()
        watch.end_children()
        raise
    finally:
        watch.leave()


def _is_lost_connection(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or "gloo" in str(error)


class _Watch(threading.Thread):
    """Looks after the processes that this one has started, and after the one that started it."""

    def __init__(self, trainer: lightning.Trainer, folder: RunFolder, console: Console) -> None:
        super().__init__(daemon=True, name="sslreg-watch")
        self.trainer = trainer
        self.folder = folder
        self.console = console
        self.children = _CHILDREN if trainer.world_size > 1 else []
        self._is_child = trainer.local_rank != 0 and not started_from_outside(trainer)
        self._parent = os.getppid()
        self._left = threading.Event()

    def run(self) -> None:
        while not self._left.wait(INTERVAL):
            self._take_over()
            orphaned = self._is_child and os.getppid() != self._parent
            if (orphaned or self._death() is not None) and not self._left.wait(GRACE):
                self._end()

    def leave(self) -> None:
        """The training is over, well or not; what happens to other processes is no longer looked at."""
        self._left.set()

    def verdict(self) -> SslregError:
        """What to say of a connection that was lost, once it is known which process died."""
        until = time.monotonic() + GRACE
        while self.children and self._death() is None and time.monotonic() < until:
            time.sleep(INTERVAL)
        return SslregError(
            self._death() or "the connection to another process of this run broke: it has ended, or is out of reach",
            hint=f"go on with: sslreg train --resume {self.folder.path}",
            code="process-lost",
        )

    def end_children(self) -> None:
        """Wait for the processes that this one has started, and kill those that go on without it."""
        until = time.monotonic() + GRACE
        for child in self.children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, until - time.monotonic()))
            child.kill()

    def _take_over(self) -> None:
        """Take Lightning's children from the thread that watches them: it would kill this process without a word."""
        launcher: Any = self.trainer.strategy.launcher
        started = getattr(launcher, "procs", [])
        if self.children or self._is_child or len(started) != self.trainer.num_devices - 1:
            return
        self.children += [child for child in started if isinstance(child, subprocess.Popen)]
        if self.children:
            launcher.procs = list(started)
            started.clear()  # an empty list has nobody to watch

    def _death(self) -> str | None:
        """How the first of the children died, if one has."""
        first = self.trainer.node_rank * self.trainer.num_devices + 1
        for rank, child in enumerate(self.children, start=first):
            status = child.poll()
            if status is not None and status < 0:
                return f"the process of rank {rank} was killed by signal {-status} ({signal.Signals(-status).name})"
            if status:
                return f"the process of rank {rank} ended with status {status}; what it said is above"
        return None

    def _end(self) -> None:
        """End this process, which waits for one that has died."""
        if not self._is_child:
            self.console.print(render(self.verdict().diagnostics, {}))
        for child in self.children:
            child.kill()
        if self.trainer.is_global_zero and self.folder.summary.exists():
            with suppress(SslregError, OSError, ValueError):  # nothing may keep this process from its end
                write_json(self.folder.summary, json.loads(self.folder.summary.read_text()) | {"status": "failed"})
        os._exit(1)
