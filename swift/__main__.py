"""`python -m swift` is the same as `swift`."""

from swift.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
