"""Several processes that train one model: what they agree on, and what becomes of the run when one dies."""
