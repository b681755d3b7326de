"""``python -m sslreg``, which is how ``torchrun -m sslreg`` starts it."""

from sslreg.cli import main

main()
