"""`python -m bench.caps`: see `simulate`."""

from bench.caps.simulate import main

if __name__ == "__main__":
    main()
