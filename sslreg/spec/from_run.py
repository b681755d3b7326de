"""Constructor arguments that only the run knows."""

from __future__ import annotations

from dataclasses import dataclass

from sslreg.suggestions import did_you_mean

#: What a run can tell a component, in the order in which it becomes known, with what it means.
FACTS: dict[str, str] = {
    "world_size": "processes that train together",
    "num_samples": "samples in the training set",
    "num_classes": "classes of the training set, where it has labels",
    "batch_size": "samples in a batch, over all processes together",
    "in_channels": "channels of a view",
    "image_size": "pixels of the larger side of the first view",
    "steps_per_epoch": "optimizer steps in an epoch",
    "total_steps": "optimizer steps in the whole run",
    "num_features": "width of the backbone's features",
    "embedding_dim": "width of the embeddings that the loss compares",
    "run_folder": "the folder that the run writes into, a path; for callbacks and loggers",
}


@dataclass(frozen=True)
class FromRun:
    """Marks a constructor parameter as filled by the run: ``dim: Annotated[int, FromRun("embedding_dim")]``.

    Such a parameter is hidden from specs and from the schema. Where it has a default, the default serves when the
    run does not know the fact (``num_classes`` without labels). ValueError: `name` is not among `FACTS`.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in FACTS:
            raise ValueError(f"a run does not know {self.name!r}; {did_you_mean(self.name, FACTS)}")
