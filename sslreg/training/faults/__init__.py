"""What goes wrong while training, what is done about it, and how a run ends."""
