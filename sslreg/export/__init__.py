"""Takes what a run learned out of it: embeddings and backbones in files that other programs read."""
