"""The one exception that means: the person at the keyboard can mend this."""


class UserError(ValueError):
    """Says in one line which key or file is wrong, what is allowed and what to do.

    The command line prints it without a traceback and exits with 2.
    """
