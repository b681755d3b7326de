"""Training what a spec describes, and resuming it."""
