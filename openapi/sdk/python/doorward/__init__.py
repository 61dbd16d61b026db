"""Doorward: sign in, and stay signed in.

`Doorward` and `AsyncDoorward` hold a user's tokens, renew them when they expire and keep them in a
store. Everything else that the API offers is in the generated package `doorward_client`, whose
functions take `door.client`.
"""

from doorward_client.models import FieldError, Session, User

from ._aio import AsyncDoorward
from ._client import Doorward
from .problem import Problem
from .retry import Retry
from .stores import AsyncStore, FileStore, MemoryStore, Store
from .tokens import Tokens

__all__ = [
    "AsyncDoorward",
    "AsyncStore",
    "Doorward",
    "FieldError",
    "FileStore",
    "MemoryStore",
    "Problem",
    "Retry",
    "Session",
    "Store",
    "Tokens",
    "User",
]
