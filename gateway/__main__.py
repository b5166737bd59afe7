"""`python -m gateway` is `push-gateway`."""

from gateway.cli import main

main()
