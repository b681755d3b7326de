"""The trials of a study in a database, by Optuna's storage. Calls are repeated while the database is not reachable."""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

import sslreg
from sslreg_tune.parameters import Values
from sslreg_tune.trial_record import Origin, State

T = TypeVar("T")

#: The seconds for which a database that does not answer is tried again, and between two attempts.
PATIENCE, PAUSE = 120.0, 1.0
#: How often the database is opened, and the seconds between two attempts.
OPENING_ATTEMPTS, OPENING_PAUSE = 3, 0.5
#: The seconds that SQLite waits for another process that writes.
SQLITE_TIMEOUT = 60

_STATES: dict[TrialState, State] = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


class StorageError(sslreg.SslregError):
    """A database that cannot be used."""


@dataclass(frozen=True)
class TrialValues:
    """The values of a trial.

    Attributes:
        values: The values, as they are read from the database.
        seed: The seed of the run.
        origin: Where the values come from.
        params: The values as Optuna has them.
        distributions: The distributions of the values.
    """

    values: Values
    seed: int
    origin: Origin
    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]


@dataclass(frozen=True)
class StoredTrial:
    """A trial in the database.

    Attributes:
        number: Its number from 0.
        state: Its state.
        folder: The ID of the folder of the study in which it runs.
        values: The values of its parameters; None if its process was killed before it knew them.
        seed: The seed of its run.
        origin: Where its values come from.
        figure: The figure of a finished trial.
        intermediate: The figures during its training, by finished epochs.
        epochs: The number of epochs that it has trained.
        sessions: When it was trained: start and end of each session, in seconds since 1970.
        reason: Why it failed.
        seen: When its process has reported most recently, in seconds since 1970.
        ended: When it ended, in seconds since 1970; None while it runs.
        frozen: The trial as Optuna has it.
    """

    number: int
    state: State
    folder: str
    values: Mapping[str, Any] | None
    seed: int
    origin: Origin
    figure: float | None
    intermediate: Mapping[int, float]
    epochs: int
    sessions: Sequence[tuple[float, float]]
    reason: str | None
    seen: float
    ended: float | None
    frozen: FrozenTrial


class TrialStorage:
    """The trials of a study in a database.

    Args:
        url: The URL of the database.
        name: The name of the study in the database.
        lowest: Whether the smallest figure is best.

    Raises:
        UserError: The URL is wrong, or a driver is missing.
        StorageError: The database cannot be opened.
    """

    def __init__(self, url: URL, name: str, *, lowest: bool) -> None:
        self._patience = PATIENCE
        self.url = url
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._storage = _open(url)
        direction = StudyDirection.MINIMIZE if lowest else StudyDirection.MAXIMIZE
        self._study = self._retry(lambda: self._open_study(name, direction))

    def _open_study(self, name: str, direction: StudyDirection) -> int:
        try:
            return self._storage.create_new_study([direction], name)
        except DuplicatedStudyError:
            return self._storage.get_study_id_from_name(name)

    def read_attributes(self) -> dict[str, Any]:
        """Return the attributes of the study."""
        return self._retry(lambda: self._storage.get_study_user_attrs(self._study))

    def set_attribute(self, name: str, value: Any) -> None:
        """Set an attribute of the study."""
        self._retry(lambda: self._storage.set_study_user_attr(self._study, name, value))

    def read_trials(self) -> list[StoredTrial]:
        """Return all trials, by number."""
        trials = self._retry(lambda: self._storage.get_all_trials(self._study, deepcopy=False))
        return [_to_stored_trial(trial) for trial in sorted(trials, key=lambda trial: trial.number)]

    def read_trial(self, number: int) -> StoredTrial:
        """Return a trial."""
        return _to_stored_trial(self._retry(lambda: self._storage.get_trial(self._find(number))))

    def create_trial(self, folder: str) -> int:
        """Create a running trial in a folder of the study, and return its number, which no other trial has."""
        attributes = {"folder": folder}
        template = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs=attributes)
        trial = self._retry(lambda: self._storage.create_new_trial(self._study, template))
        return self._retry(lambda: self._storage.get_trial(trial).number)

    def assign(self, number: int, chosen: TrialValues) -> None:
        """Set the values of a running trial. They are known once the last write has succeeded."""
        for name, distribution in chosen.distributions.items():
            internal = distribution.to_internal_repr(chosen.params[name])
            self._retry(partial(self._set_param, number, name, internal, distribution))
        self.set_trial_attribute(number, "origin", chosen.origin)
        self.set_trial_attribute(number, "seed", chosen.seed)
        self.set_trial_attribute(number, "values", chosen.values)

    def _set_param(self, number: int, name: str, internal: float, distribution: BaseDistribution) -> None:
        self._storage.set_trial_param(self._find(number), name, internal, distribution)

    def report(self, number: int, epochs: int, figure: float) -> None:
        """Record the figure of a running trial after a number of epochs."""
        self._retry(lambda: self._storage.set_trial_intermediate_value(self._find(number), epochs, figure))

    def set_trial_attribute(self, number: int, name: str, value: Any) -> None:
        """Set an attribute of a running trial."""
        self._retry(lambda: self._storage.set_trial_user_attr(self._find(number), name, value))

    def finish(self, number: int, figure: float) -> None:
        """End a trial with its figure."""
        self._end(number, TrialState.COMPLETE, [figure])

    def prune(self, number: int) -> None:
        """End a trial as pruned."""
        intermediate = self.read_trial(number).intermediate
        # Optuna judges a pruned trial by its last figure.
        self._end(number, TrialState.PRUNED, [intermediate[max(intermediate)]] if intermediate else None)

    def fail(self, number: int, reason: str) -> None:
        """End a trial as failed."""
        self.set_trial_attribute(number, "reason", reason)
        self._end(number, TrialState.FAIL, None)

    def _end(self, number: int, state: TrialState, values: list[float] | None) -> None:
        try:
            self._retry(lambda: self._storage.set_trial_state_values(self._find(number), state, values))
        except UpdateFinishedTrialError:
            return  # an attempt before has reached the database, although its answer was lost

    def _find(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study, number)

    @contextmanager
    def without_retries(self) -> Iterator[None]:
        """Raise StorageError in the block as soon as the database does not answer."""
        self._patience = 0.0
        try:
            yield
        finally:
            self._patience = PATIENCE

    def _retry(self, call: Callable[[], T]) -> T:
        """Call a function until the database answers. Raises StorageError if that takes too long."""
        end = time.monotonic() + self._patience
        while True:
            try:
                return call()
            except (StorageInternalError, SQLAlchemyError) as error:
                if time.monotonic() >= end:
                    raise StorageError(
                        f"the storage {describe_url(self.url)} does not answer: {_find_reason(error, self.url)}",
                        hint="nothing is lost: run the same command again when it does",
                        code="storage",
                    ) from None
                time.sleep(min(PAUSE, self._patience))


def file_url(path: Path) -> URL:
    """Return the URL of an SQLite database in a file."""
    return URL.create("sqlite", database=str(path))


def parse_url(text: str) -> URL:
    """Return the URL of a database, with psycopg as the driver of PostgreSQL unless it names another.

    Raises:
        UserError: The text is not such a URL.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise _storage_error(
            f"--storage {text.partition(':')[0]}:… is not the URL of a database",
            "write sqlite:///FILE or postgresql://USER@HOST/DATABASE",
        ) from None
    if url.drivername in ("postgres", "postgresql"):
        # SQLAlchemy would load psycopg2, which is no longer developed.
        return url.set(drivername="postgresql+psycopg")
    return url


def describe_url(url: URL) -> str:
    """Return a URL without its password."""
    return url.render_as_string(hide_password=True)


def _open(url: URL) -> RDBStorage:
    """Open a database. Raises UserError or StorageError."""
    if url.drivername == "postgresql+psycopg" and importlib.util.find_spec("psycopg") is None:
        raise _storage_error(f"--storage {describe_url(url)} needs psycopg", "pip install 'psycopg[binary]'")
    is_sqlite = url.drivername.partition("+")[0] == "sqlite"
    # Trials take long: a connection that is kept would be from before a restart of the server.
    options: dict[str, Any] = {"poolclass": NullPool}
    if is_sqlite:
        options["connect_args"] = {"timeout": SQLITE_TIMEOUT}
    # Optuna formats the text.
    text = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    last: Exception | None = None
    for _ in range(OPENING_ATTEMPTS):
        try:
            return RDBStorage(text, engine_kwargs=options)
        except (NoSuchModuleError, ImportError) as error:
            raise _storage_error(
                f"--storage {describe_url(url)}: no driver for {url.drivername} is installed",
                f"install the driver, or use sqlite:///FILE or postgresql://…: {_find_reason(error, url)}",
            ) from None
        except (SQLAlchemyError, StorageInternalError) as error:
            last = error  # another process may be creating the same tables
            time.sleep(OPENING_PAUSE)
    assert last is not None
    raise StorageError(
        f"the storage {describe_url(url)} cannot be opened: {_find_reason(last, url)}",
        hint="check the address, the user and the password of --storage, and that the server is running",
        code="storage",
    ) from None


def _storage_error(message: str, hint: str) -> sslreg.UserError:
    return sslreg.UserError(message, hint=hint, code="storage")


def _find_reason(error: BaseException, url: URL) -> str:
    """Return the first line of a database's message, without a password."""
    while not isinstance(error, sqlalchemy.exc.DBAPIError) and error.__cause__ is not None:
        error = error.__cause__
    reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    return reason.replace(str(url.password), "***") if url.password else reason


def _to_stored_trial(trial: FrozenTrial) -> StoredTrial:
    attributes = trial.user_attrs
    state = _STATES[trial.state]
    sessions = [(start, end) for start, end in attributes.get("sessions", [])]
    begun = 0.0 if trial.datetime_start is None else trial.datetime_start.timestamp()
    return StoredTrial(
        number=trial.number,
        state=state,
        folder=attributes.get("folder", ""),
        values=attributes.get("values"),
        seed=attributes.get("seed", 0),
        origin=attributes.get("origin", "search"),
        figure=trial.value if state == "finished" else None,
        intermediate=dict(sorted(trial.intermediate_values.items())),
        epochs=attributes.get("epochs", 0),
        sessions=sessions,
        reason=attributes.get("reason"),
        seen=max([begun, *(end for _, end in sessions)]),
        ended=None if trial.datetime_complete is None else trial.datetime_complete.timestamp(),
        frozen=trial,
    )
