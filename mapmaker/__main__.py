"""`python -m mapmaker` is `mapmaker`."""

from mapmaker.cli import main

if __name__ == "__main__":
    main()
