"""Run the command line as `python -m services.control`."""

from services.control.main import main

if __name__ == "__main__":
    main()
