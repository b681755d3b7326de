"""Lightning callbacks: metrics, progress, evaluations, guards and checkpoints."""
