"""Errors that a user can mend. A command shows their words alone; any other exception is a bug, with its traceback.

They are also what Python's own idiom calls for, so `except ValueError` and `except KeyError` catch them. Errors of the
system (OSError: no permission, a full disk) count with them.
"""


class UserError(Exception):
    """Something that the user can mend; the words say what came, what was expected, and what to do."""


class WrongValue(UserError, ValueError):
    """A request that makes no sense, or a file that is damaged."""


class UnknownName(UserError, KeyError):
    """A name that is not there; the words list those that are."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show it in quotes


def words(error: UserError | OSError) -> str:
    """What to tell the user, in one line."""
    if isinstance(error, OSError) and error.strerror:
        error = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())
