"""The default evaluators."""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.evaluator(
        "knn", "sslreg_evaluators.knn:KNN", summary="accuracy of a weighted vote among the nearest neighbours"
    )
    registry.evaluator(
        "few_shot",
        "sslreg_evaluators.few_shot:FewShot",
        summary="accuracy of the nearest neighbour with a few labels per class",
    )
