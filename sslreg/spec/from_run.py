"""Constructor parameters that the run fills in."""

from __future__ import annotations

from dataclasses import dataclass

from sslreg.suggestions import did_you_mean

#: The facts about a run that a component can ask for, with their meaning, in the order in which they become known.
FACTS: dict[str, str] = {
    "world_size": "number of processes that train together",
    "num_samples": "number of samples in the training set",
    "num_classes": "number of classes in the training set, if it has labels",
    "batch_size": "number of samples in a batch, over all processes together",
    "in_channels": "number of channels of a view",
    "image_size": "length of the longer side of the largest view, in pixels",
    "steps_per_epoch": "number of optimizer steps in an epoch",
    "total_steps": "number of optimizer steps in the whole run",
    "num_features": "width of the backbone's features",
    "embedding_dim": "width of the embeddings that the loss compares",
    "run_folder": "path of the run's folder; for callbacks and loggers",
}


@dataclass(frozen=True)
class FromRun:
    """Marks a constructor parameter that the run fills in: ``dim: Annotated[int, FromRun("embedding_dim")]``.

    The parameter cannot be written in a spec. If the run does not know the fact (``num_classes`` without labels), the
    parameter's default is used.

    Args:
        name: one of the names in `FACTS`.

    Raises:
        ValueError: there is no such fact.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in FACTS:
            raise ValueError(f"a run has no fact {self.name!r}; {did_you_mean(self.name, FACTS)}")
