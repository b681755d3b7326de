import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

import sslreg
from sslreg_augmentations.elastic import Elastic


@pytest.mark.parametrize(("alpha", "sigma"), [(40.0, 3.0), ((10.0, 60.0), (2.0, 3.5))])
def test_it_is_torchvisions_elastic_on_the_same_noise(
    images: Tensor,
    alpha: float | tuple[float, float],
    sigma: float | tuple[float, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeds = torch.arange(8)
    reference = v2.ElasticTransform(alpha, sigma)
    results = Elastic(alpha, sigma).apply(images, {"seed": seeds})
    for row, result in enumerate(results):
        fields = iter(sslreg.noise_like(seeds[row : row + 1], (2, 40, 32))[0, :, None, None])
        with monkeypatch.context() as patch:
            patch.setattr(torch, "rand", lambda *size, fields=fields: next(fields))
            displacement = reference.make_params([images[row]])["displacement"]
        assert torch.allclose(result, tv.elastic(images[row], displacement), atol=1e-4)


def test_without_strength_it_would_be_the_image(images: Tensor) -> None:
    assert torch.allclose(Elastic(alpha=1e-6).apply(images, {"seed": torch.arange(8)}), images, atol=1e-5)


def test_outside_of_the_image_is_the_fill(images: Tensor) -> None:
    white = Elastic(alpha=300.0, sigma=2.0, fill=1.0).apply(torch.ones_like(images), {"seed": torch.arange(8)})
    assert torch.allclose(white, torch.ones_like(images))


@pytest.mark.parametrize("arguments", [{"alpha": 0.0}, {"sigma": (1.0, 0.0)}])
def test_strength_and_smoothness_are_positive(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Elastic(**arguments)
