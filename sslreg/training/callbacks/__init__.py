"""What is looked at while training: evaluations, and whether the embeddings collapse."""
