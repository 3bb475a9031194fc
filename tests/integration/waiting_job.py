"""A job of tests: it waits until it is ended."""

import threading

if __name__ == "__main__":
    threading.Event().wait()
