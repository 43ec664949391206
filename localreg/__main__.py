"""`python -m localreg` is the command `localreg`."""

from localreg.cli import main

if __name__ == "__main__":
    main()
