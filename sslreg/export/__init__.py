"""Export of backbones and embeddings, and queries of embeddings."""
