"""Training in several processes: collectives, ranks, synchronized batch normalization, and a watchdog for them."""
