"""sslreg evaluate: tables of metrics, invariance profiles, and evaluations.json."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import geometric_mean

import pytest

from sslreg import Run
from sslreg.cli.invariance_table import profile_tables, split_profiles, summarize_profile


@pytest.fixture
def run(tiny_run: Run, tmp_path: Path) -> Path:
    """A finished run to which the test may write."""
    return shutil.copytree(tiny_run.path, tmp_path / "run")


def kept(run: Path) -> dict:
    return json.loads((run / "evaluations.json").read_text())


def test_evaluate_reproduces_the_metrics_of_the_run(cli, run: Path, tiny_run: Run) -> None:
    result = cli("evaluate", run, "--json")
    figures = json.loads(result.out)
    final = {name: value for name, value in tiny_run.summary["final"].items() if name != "loss"}
    assert figures["trained"] == pytest.approx(final, abs=1e-6)
    assert figures["untrained"] == pytest.approx(tiny_run.summary["baseline"]["untrained"], abs=1e-6)
    assert figures["raw_pixels"] == pytest.approx(tiny_run.summary["baseline"]["raw_pixels"], abs=1e-6)


def test_baselines_are_computed_once(cli, run: Path) -> None:
    first = json.loads(cli("evaluate", run, "knn", "--json").out)
    result = cli("evaluate", run, "knn", "neighbors", "--json")  # the run has computed those of neighbors
    for subject in ("raw pixels", "the untrained backbone"):
        assert f"reusing the metrics of {subject} for knn, neighbors" in result.err
    assert "  trained backbone: knn" in result.err
    assert "untrained backbone: " not in result.err
    assert "raw pixels: " not in result.err
    assert {subject: figures["knn_top1"] for subject, figures in json.loads(result.out).items()} == {
        subject: figures["knn_top1"] for subject, figures in first.items()
    }


def test_baselines_of_other_data_are_computed_anew(cli, run: Path, tiny_spec: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(tiny_spec.replace("test: {use: digits, split: test}", "test: {use: digits}"))
    stored = (run / "baselines.json").read_bytes()
    result = cli("evaluate", run, "neighbors", "--data", other, "--json")
    assert "reusing" not in result.err
    assert "raw pixels: neighbors" in result.err
    assert (run / "baselines.json").read_bytes() == stored


def test_evaluate_takes_evaluators_that_the_spec_does_not_name(cli, run: Path, tiny_run: Run) -> None:
    figures = json.loads(cli("evaluate", run, "knn", "--json").out)
    assert set(figures["trained"]) == {"knn_top1", "knn_top1_ci", "knn_top5", "knn_top5_ci"}


def test_a_misspelled_evaluator_is_reported_without_a_location(cli, run: Path) -> None:
    result = cli("evaluate", run, "knnn")
    assert result.status == 2
    assert "did you mean 'knn'" in result.err
    assert "-->" not in result.err


def test_evaluate_compares_with_both_baselines(cli, run: Path) -> None:
    out = cli("evaluate", run).out
    assert "raw pixels" in out
    assert "untrained" in out


def test_a_metric_is_shown_with_its_interval(cli, run: Path, tiny_run: Run) -> None:
    final = tiny_run.summary["final"]
    out = cli("evaluate", run).out
    assert f"{final['neighbors_top1']:.3f} ± {final['neighbors_top1_ci']:.3f}" in out
    assert "_ci" not in out


def test_the_profile_is_shown_by_group_with_a_summary(cli, run: Path) -> None:
    result = cli("evaluate", run, "invariance")
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    for group in ("shape", "texture", "color"):
        title = next(number for number, line in enumerate(lines) if line.startswith(f"{group}: 0 if"))
        assert any(line.startswith("geometric mean") and line.count("±") == 3 for line in lines[title : title + 4])
        assert any(line.startswith(f"{group}: ") and "training " in line for line in lines)
    rotation = next(line for line in lines if line.startswith("  rotation"))
    assert sum(rotation.count(block) for block in "▁▂▃▄▅▆▇█") == 12  # four strengths of three subjects
    assert "affine_rotation_s25" not in result.out
    assert "saturation" not in result.out  # the digits are gray
    assert max(map(len, lines[: lines.index("read back from the features by a linear map: R², at most 1")])) <= 80


def test_json_has_every_metric_and_nothing_else(cli, run: Path) -> None:
    figures = json.loads(cli("evaluate", run, "invariance", "--json").out)
    assert set(figures) == {"trained", "raw_pixels", "untrained"}
    for name in ("invariance_affine_rotation_s25", "invariance_affine_rotation_readback_ci", "invariance_color"):
        assert name in figures["trained"]
        assert name in figures["raw_pixels"]


def test_evaluations_are_merged_into_the_runs_file(cli, run: Path) -> None:
    first = json.loads(cli("evaluate", run, "knn", "--json").out)
    assert kept(run) == {"steps": 42, **first}
    cli("evaluate", run, "spectrum")
    assert {"knn_top1", "knn_top1_ci", "spectrum_rankme"} <= set(kept(run)["trained"])
    assert kept(run)["raw_pixels"]["knn_top1"] == first["raw_pixels"]["knn_top1"]


def test_metrics_on_other_data_are_not_kept(cli, run: Path, tiny_run: Run, tiny_spec: str, tmp_path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(tiny_spec.replace("test: {use: digits, split: test}", "test: {use: digits}"))
    figures = json.loads(cli("evaluate", run, "neighbors", "--data", other, "--json").out)
    assert figures["trained"]["neighbors_top1"] != tiny_run.summary["final"]["neighbors_top1"]
    assert not (run / "evaluations.json").exists()


def test_metrics_of_earlier_weights_are_dropped(cli, run: Path) -> None:
    old = {"steps": 21, "trained": {"knn_top1": 0.1}, "raw_pixels": {}, "untrained": {}}
    (run / "evaluations.json").write_text(json.dumps(old))
    cli("evaluate", run, "spectrum")
    assert "knn_top1" not in kept(run)["trained"]


def figures(trained: float, untrained: float, interval: float = 0.05) -> dict[str, dict[str, float]]:
    """A profile of one augmentation, and the metric of another evaluator."""

    def of(value: float) -> dict[str, float]:
        names = ("invariance_grayscale", "invariance_grayscale_s25", "invariance_grayscale_s100", "invariance_color")
        own = dict.fromkeys(names, value) | {f"{name}_ci": interval for name in names}
        return own | {"invariance_grayscale_s25": value / 2, "knn_top1": 0.9}

    return {"trained": of(trained), "untrained": of(untrained), "raw_pixels": of(untrained)}


def summarize(
    **changes: tuple[float, float],
) -> str:
    """Summarize the changes of color augmentations, each from a value without training to one with training."""

    def of(index: int) -> dict[str, float]:
        own = {name: values[index] for name, values in changes.items()}
        color = geometric_mean(own.values())
        relative = sum(0.05 / value for value in own.values()) / len(own)
        return own | {f"{name}_ci": 0.05 for name in own} | {"color": color, "color_ci": relative * color}

    (sentence,) = summarize_profile({"trained": of(1), "untrained": of(0), "raw_pixels": of(0)})
    return sentence


@pytest.mark.parametrize(
    ("trained", "summary"),
    [
        (0.2, "training made the features overlook it (×0.25, 0.18 to 0.33); most of all grayscale (0.80 → 0.20)"),
        (0.95, "training made the features notice it (×1.19, 1.06 to 1.33); most of all grayscale (0.80 → 0.95)"),
        (0.75, "training changed nothing measurable (×0.94, 0.82 to 1.07)"),
        (0.0, "training made the features overlook it (×0.00, 0.00 to 0.07); most of all grayscale (0.80 → 0.00)"),
    ],
)
def test_a_change_is_stated_if_intervals_do_not_overlap(trained: float, summary: str) -> None:
    plain, (profile,) = split_profiles(figures(trained, 0.8))
    assert plain["trained"] == {"knn_top1": 0.9}
    assert list(summarize_profile(profile)) == [f"color: {summary}"]


def test_one_large_distance_does_not_decide_a_summary() -> None:
    summary = summarize(solarize=(9.0, 2.0), grayscale=(0.2, 0.6), color_jitter_hue=(0.2, 0.7))
    assert summary == (
        "color: mixed (×1.33, 1.07 to 1.69): training made the features overlook solarize (9.00 → 2.00) "
        "and notice color_jitter_hue (0.20 → 0.70), grayscale (0.20 → 0.60)"
    )


def test_a_summary_says_mixed_if_most_rows_are_unchanged() -> None:
    summary = summarize(solarize=(0.9, 0.2), grayscale=(0.5, 0.5), color_jitter_hue=(0.5, 0.5))
    assert ": mixed (×0.61" in summary
    assert summary.endswith("overlook solarize (0.90 → 0.20); 2 of 3 unchanged")


def test_a_summary_agrees_with_its_rows() -> None:
    rows = {name: (0.5, 0.1 + position / 100) for position, name in enumerate(("grayscale", "solarize"))}
    assert summarize(**rows, color_jitter_hue=(0.5, 0.45)).startswith("color: training made the features overlook it")


def test_a_sparkline_is_ordered_by_strength() -> None:
    _, (profile,) = split_profiles(figures(1.4, 0.8))
    (table,) = profile_tables(profile)
    assert list(table.columns[0].cells) == ["geometric mean", "grayscale"]
    assert [cell.split()[-1] for column in table.columns[1:] for cell in list(column.cells)[1:]] == ["▆▲", "▄▇", "▄▇"]


def test_the_factor_of_a_summary_is_that_of_the_printed_means() -> None:
    own = {"grayscale": (0.5, 0.1), "solarize": (4.0, 1.0)}
    means = [geometric_mean(values[index] for values in own.values()) for index in (0, 1)]
    assert f"(×{means[1] / means[0]:.2f}, " in summarize(**own)


@pytest.mark.parametrize("extreme", [1e30, float("inf"), float("nan"), -1.0])
def test_extreme_distances_end_no_table_and_no_summary(extreme: float) -> None:
    for trained, untrained in ((extreme, 0.5), (0.5, extreme)):
        _, (profile,) = split_profiles(figures(trained, untrained, interval=abs(extreme)))
        (table,) = profile_tables(profile)
        assert max(len(cell) for column in table.columns for cell in column.cells) < 25
        assert all(len(sentence) < 150 for sentence in summarize_profile(profile))


def test_metrics_without_strengths_are_not_a_profile() -> None:
    plain, profiles = split_profiles({"trained": {"taste_color": 0.5}, "untrained": {"taste_color": 0.4}})
    assert profiles == []
    assert plain["trained"] == {"taste_color": 0.5}
