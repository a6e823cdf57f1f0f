"""Makes `python -m support_api` the command line of the support desk. Knows nothing but the command line."""

from support_api.cli import main

if __name__ == "__main__":
    main()
