"""`python -m foretell` is the command line."""

from foretell.cli.entry import run

if __name__ == "__main__":
    run()
