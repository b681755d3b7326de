"""The default optimizers and schedules."""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.optimizer("sgd", "torch.optim:SGD", summary="stochastic gradient descent with momentum")
    registry.optimizer("adamw", "torch.optim:AdamW", summary="Adam with decoupled weight decay")
    registry.optimizer(
        "lars", "sslreg_optimizers.lars:LARS", summary="SGD with an adaptive learning rate for each layer"
    )
    registry.schedule(
        "cosine",
        "sslreg_optimizers.cosine:CosineWithWarmup",
        summary="a linear warm-up, then half a cosine until the end of the run",
    )
    registry.schedule(
        "cosine_weight_decay",
        "sslreg_optimizers.cosine_weight_decay:CosineWeightDecay",
        summary="half a cosine from the optimizer's weight decay to another one",
    )
