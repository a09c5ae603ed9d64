"""`python -m underspend` is `underspend`."""

from underspend.cli.main import main

if __name__ == "__main__":
    main()
