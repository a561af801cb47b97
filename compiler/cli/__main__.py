"""`python -m scanlet.cli`."""

from scanlet.cli import main

if __name__ == "__main__":
    main()
