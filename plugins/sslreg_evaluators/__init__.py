"""The default evaluators."""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    def add(name: str, target: str, summary: str) -> None:
        registry.evaluator(name, f"sslreg_evaluators.{target}", summary=summary)

    add("knn", "knn:KNN", "accuracy of a weighted vote of the nearest neighbors")
    add("few_shot", "few_shot:FewShot", "accuracy of the nearest neighbor with a few labels per class")
    add("linear", "linear:Linear", "accuracy of a linear classifier on the embeddings")
    add(
        "label_efficiency",
        "label_efficiency:LabelEfficiency",
        "accuracy of a linear classifier, from few labels to all",
    )
    add("fine_tune", "fine_tune:FineTune", "accuracy after training the whole backbone on the labels")
    add("retrieval", "retrieval:Retrieval", "retrieval of images of the same class: mean average precision, recall")
    add("clustering", "clustering:Clustering", "k-means compared with the classes: mutual information, Rand index")
    add("spectrum", "spectrum:Spectrum", "singular values of the embeddings, which show a collapse; needs no labels")
    add("invariance", "invariance:Invariance", "how far each augmentation moves an embedding; needs no labels")
    add("dense_knn", "dense_knn:DenseKNN", "segmentation by the nearest neighbors of patches: mean IoU, pixel accuracy")
    add("dense_linear", "dense_linear:DenseLinear", "segmentation by a linear classifier of patches: the same metrics")
