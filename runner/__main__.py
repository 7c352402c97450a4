"""`python -m runner` is `botrunner`."""

from runner.cli.main import main

if __name__ == "__main__":
    main()
