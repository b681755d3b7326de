"""Builds of indexes: their states, and how many are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import sslreg
from sslreg import Run
from sslreg_browser import index_builds
from sslreg_browser.index_builds import IndexBuilds


class Background:
    """Starts functions only when told to."""

    def __init__(self) -> None:
        self.functions: list[Callable[[], None]] = []

    def __call__(self, function: Callable[[], None]) -> None:
        self.functions.append(function)

    def run(self) -> None:
        while self.functions:
            self.functions.pop(0)()


def test_a_build_ends_with_an_index_and_its_map(tiny_run: Run) -> None:
    background = Background()
    builds = IndexBuilds(20, background)
    assert builds.find(tiny_run.path) is None
    build = builds.start(tiny_run.path)
    assert (build.stage, build.images) == ("waiting", None)
    background.run()
    assert (build.stage, build.done, build.total, build.error) == ("ready", 20, 20, "")
    assert build.images is not None
    assert build.images.index.map is not None
    assert "t-SNE" in build.images.index.map.method
    assert builds.find(tiny_run.path) is builds.start(tiny_run.path) is build
    assert not build.is_outdated


def test_another_server_finds_the_features_and_the_map(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    background = Background()
    first = IndexBuilds(20, background).start(tiny_run.path)
    background.run()
    for name in ("build_index", "project"):
        monkeypatch.setattr(index_builds, name, None)  # a call would fail
    second = IndexBuilds(20, background).start(tiny_run.path)
    background.run()
    assert (second.stage, second.error) == ("ready", "")
    assert first.images is not None
    assert second.images is not None
    assert second.images.index.map == first.images.index.map
    third = IndexBuilds(20, background).start(tiny_run.path, anew=True)
    background.run()
    assert third.stage == "failed"


def test_a_finished_build_is_replaced_on_request(tiny_run: Run) -> None:
    background = Background()
    builds = IndexBuilds(12, background)
    first = builds.start(tiny_run.path)
    assert builds.start(tiny_run.path, anew=True) is first  # it is not finished
    first.stage = "ready"
    assert builds.start(tiny_run.path, anew=True) is not first


def test_a_run_without_a_checkpoint_fails_with_the_reason_and_may_be_tried_again(tiny_run: Run, tmp_path: Path) -> None:
    for name in ("spec.resolved.yaml", "lock.json", "summary.json"):
        (tmp_path / name).write_bytes((tiny_run.path / name).read_bytes())
    background = Background()
    builds = IndexBuilds(20, background)
    build = builds.start(tmp_path)
    background.run()
    assert build.stage == "failed"
    assert "checkpoint" in build.error
    assert builds.start(tmp_path) is not build


def test_a_folder_without_a_run_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(sslreg.UserError, match="not the folder of a run"):
        IndexBuilds(20).start(tmp_path)


def test_the_least_recently_used_build_is_cancelled(tiny_run: Run, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.symlink_to(tiny_run.path)
    background = Background()
    builds = IndexBuilds(20, background)
    first, second = builds.start(paths[0]), builds.start(paths[1])
    builds.find(paths[0])
    builds.start(paths[2])
    assert builds.find(paths[1]) is None
    background.functions[1]()
    assert second.stage == "failed"
    assert builds.find(paths[0]) is first


def test_closing_ends_builds(tiny_run: Run) -> None:
    background = Background()
    builds = IndexBuilds(20, background)
    build = builds.start(tiny_run.path)
    builds.close()
    background.run()
    assert (build.stage, build.images) == ("failed", None)
