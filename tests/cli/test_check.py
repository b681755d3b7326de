"""sslreg check"""

from __future__ import annotations


def test_the_actual_learning_rate_is_shown(cli) -> None:
    result = cli("check", "imagenet-simclr", "--set", "data.batch_size=1024")
    assert result.status == 0
    assert "learning rate: 0.3 for 256 samples per step, 1.2 for the actual 1024" in result.out


def test_an_unscaled_learning_rate_is_not_shown(cli) -> None:
    assert "learning rate" not in cli("check", "digits-simclr").out


def test_a_default_learning_rate_is_scaled_too(cli) -> None:
    result = cli("check", "digits-simclr", "--set", "optimizer={use: adamw, base_batch_size: 64}")
    assert "learning rate: 0.001 for 64 samples per step, 0.002 for the actual 128" in result.out


def test_warnings_of_the_trial_are_shown(cli) -> None:
    result = cli("check", "digits-moco", "--set", "loss.symmetric=true")
    assert result.status == 0
    assert "warning[symmetric-loss]: loss 'nt_xent' is symmetric" in result.err
    assert "--> --set:1:" in result.err


def test_expected_metrics_are_shown_with_their_source(cli) -> None:
    assert "knn_top1: expected 0.847 (lightly" in cli("check", "cifar10-simclr").out
    assert "expected" not in cli("check", "digits-simclr").out


def test_a_folder_is_refused_and_a_runs_spec_is_suggested(cli, tiny_run, tmp_path) -> None:
    assert "this is a folder" in cli("check", tmp_path).err
    assert str(tiny_run.folder.resolved_spec) in cli("check", tiny_run.path).err


def test_the_valid_index_of_a_single_item_is_named(cli) -> None:
    assert "its only item is 0" in cli("check", "digits-simclr", "--set", "views.9.repeat=3").err
