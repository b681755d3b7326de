"""Entry point of ``python -m sslreg``; ``torchrun -m sslreg`` starts it, too."""

from sslreg.cli import main

main()
