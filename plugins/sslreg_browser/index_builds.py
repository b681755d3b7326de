"""Feature indexes that are built in the background and kept in memory, as far as it is bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sslreg
from sslreg_browser.feature_encoder import FeatureEncoder
from sslreg_browser.feature_index import CancelledError, FeatureIndex, build_index
from sslreg_browser.index_cache import IndexCache
from sslreg_browser.map_process import project
from sslreg_browser.query_images import QueryImages

#: The number of runs whose features are kept. A new one replaces the one that was used least recently.
_KEPT = 2


@dataclass
class IndexBuild:
    """The build of a run's index in a thread.

    Attributes:
        run: The run.
        most: The largest number of images.
        anew: Whether to embed the images again if their features are in the user's cache.
        stage: ``waiting``, ``loading``, ``embedding``, ``projecting`` (there is a map by principal components),
            ``ready`` or ``failed``.
        done, total: The numbers of images that are embedded, and of all.
        error: Why it failed.
        encoder: The encoder, once the model is loaded.
        images: The images of the index, once all are embedded and there is a map.
    """

    run: sslreg.Run
    most: int
    anew: bool = False
    stage: str = "waiting"
    done: int = 0
    total: int = 0
    error: str = ""
    encoder: FeatureEncoder | None = None
    images: QueryImages | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def is_unfinished(self) -> bool:
        return self.stage not in ("ready", "failed")

    @property
    def is_outdated(self) -> bool:
        """Whether the run has a newer checkpoint than the one whose features these are."""
        if self.encoder is None:
            return False
        try:
            return self.run.checkpoint_path != self.encoder.checkpoint
        except sslreg.SslregError:
            return False

    def cancel(self) -> None:
        """End the build soon. Its features are no longer kept."""
        self._cancelled.set()

    def build(self) -> None:
        """Build the index, and then its map: by principal components at once, by t-SNE when that is made.

        Both are read from the user's cache if they are there.
        """
        try:
            self._require_wanted()
            self.stage = "loading"
            encoder = self.encoder = FeatureEncoder(self.run)
            cache = IndexCache(self.run, encoder, self.most)
            index = None if self.anew else cache.load()
            if index is None:
                self.stage = "embedding"
                index = build_index(self.run, encoder, self.most, self._report)
                index.make_map()
                cache.save(index)
            self.images, self.stage = QueryImages(index, encoder), "projecting"
            if not index.has_final_map:
                self._make_final_map(index)
                cache.save(index)
            self.stage = "ready"
        except CancelledError:
            self.stage, self.error = "failed", "The features of another run were wanted."
        except sslreg.SslregError as error:
            self.stage, self.error = "failed", str(error.diagnostics[0].message)
        except Exception as error:  # noqa: BLE001 - the code of a model may raise anything
            self.stage, self.error = "failed", f"{type(error).__name__}: {error}"

    def _make_final_map(self, index: FeatureIndex) -> None:
        projected = project(index.features["trained"], self._cancelled)
        if projected is None:
            raise CancelledError
        index.place(*projected)

    def _report(self, done: int, total: int) -> None:
        self._require_wanted()
        self.done, self.total = done, total

    def _require_wanted(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError


class IndexBuilds:
    """Builds indexes one after the other, and keeps the last ones.

    Args:
        most: The largest number of images of an index.
        start: Starts a function in the background; by default, in a thread that ends with the process.
    """

    def __init__(self, most: int, start: Callable[[Callable[[], None]], None] | None = None) -> None:
        self.most = most
        self._start = start or _start_thread
        self._builds: dict[Path, IndexBuild] = {}
        self._lock, self._building = threading.Lock(), threading.Lock()

    def find(self, path: Path) -> IndexBuild | None:
        """Return the build of a run's index; None if it was not started or is no longer kept."""
        with self._lock:
            build = self._builds.pop(path, None)
            if build is not None:
                self._builds[path] = build  # the last one was used most recently
            return build

    def start(self, path: Path, *, anew: bool = False) -> IndexBuild:
        """Start the build of a run's index unless it was started before, and return it.

        Args:
            path: The folder of the run.
            anew: Whether to replace a build that is finished.

        Raises:
            UserError: The folder holds no run.
        """
        known = self.find(path)
        if known is not None and (known.is_unfinished or not (anew or known.stage == "failed")):
            return known
        build = IndexBuild(sslreg.load_run(path), self.most, anew)
        with self._lock:
            self._builds.pop(path, None)
            self._builds[path] = build
            while len(self._builds) > _KEPT:
                self._builds.pop(next(iter(self._builds))).cancel()
        self._start(lambda: self._build(build))
        return build

    def close(self) -> None:
        """End all builds soon."""
        with self._lock:
            for build in self._builds.values():
                build.cancel()

    def _build(self, build: IndexBuild) -> None:
        with self._building:
            build.build()


def _start_thread(function: Callable[[], None]) -> None:
    threading.Thread(target=function, name="sslreg-features", daemon=True).start()
