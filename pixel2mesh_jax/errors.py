"""The one exception that a user is meant to read."""


class InputError(ValueError):
    """The user's input cannot be used; the message says why and what is valid.

    The command line prints the message on one line and exits with code 2. Every other
    exception is a defect of the program and keeps its traceback.
    """
