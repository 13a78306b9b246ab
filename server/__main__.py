"""`python -m server`: the same as the command `stenoline`."""

from server.cli import main

if __name__ == "__main__":
    main()
