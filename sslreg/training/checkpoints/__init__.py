"""What a run saves to go on from, and how that is written and read."""
