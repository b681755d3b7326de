"""What a run saves in order to resume, and how checkpoints are written and read."""
