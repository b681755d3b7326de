from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from sslreg_models.batch_shuffle import BatchShuffle


def test_alone_the_batch_stays_as_it_is_unless_asked_for() -> None:
    images = torch.rand(5, 1, 2, 2)
    shuffle = BatchShuffle(images, within=False)
    assert shuffle.rows is images
    assert shuffle.undo(images) is images


def test_a_shuffled_batch_holds_the_same_images_and_finds_back() -> None:
    images = torch.arange(50.0).view(50, 1)
    shuffle = BatchShuffle(images, within=True)
    assert not torch.equal(shuffle.rows, images)
    assert torch.equal(shuffle.rows.sort(dim=0).values, images)
    assert torch.equal(shuffle.undo(shuffle.rows * 2), images * 2)


def in_one_of_two_processes(rank: int, rendezvous: str, results: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    torch.manual_seed(rank)
    images = torch.arange(32.0).view(32, 1) + 100 * rank
    shuffle = BatchShuffle(images, within=False)
    torch.save((images, shuffle.rows, shuffle.undo(shuffle.rows + 0.5)), f"{results}/{rank}.pt")
    dist.destroy_process_group()


def test_across_processes_the_batches_are_mixed_and_each_gets_its_own_back(tmp_path: Path) -> None:
    mp.spawn(in_one_of_two_processes, (str(tmp_path / "rendezvous"), str(tmp_path)), nprocs=2)
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for images, shuffled, restored in ranks:
        assert torch.equal(restored, images + 0.5)
        assert (shuffled < 100).any()
        assert (shuffled >= 100).any()
    before = torch.cat([images for images, _, _ in ranks])
    after = torch.cat([shuffled for _, shuffled, _ in ranks])
    assert torch.equal(after.sort(dim=0).values, before)
