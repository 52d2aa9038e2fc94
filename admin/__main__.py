"""`python -m admin` is `connector`."""

from admin.cli import main

if __name__ == "__main__":
    main()
