"""Client ids that cannot be guessed: a broker gives connection and session to any client that presents the id.

A broker ends the connection of a client when another comes with its id (MQTT 5.0 3.1.4-3), and mosquitto 2.0 ties no
id to a user. Each service therefore adds a code to its ids, made from a key of 128 bits in its state folder: the same
after a restart, so that its session is resumed, and unknown to all who cannot read that folder.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from ..model.errors import RunError

KEY_FILE = "client.key"
KEY_BYTES = 16
CODE_DIGITS = 24


class ClientIds:
    """Ids of the services that share a state folder, by their names. RunError where the folder cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._key = _key(folder)

    def of(self, name: str) -> str:
        """The id of a client of this name: the name, and a code of 96 bits."""
        code = hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:CODE_DIGITS]
        return f"{name}-{code}"


def _key(folder: Path) -> bytes:
    """The key in the folder, else a new one; of several processes at once that of the first."""
    path = folder / KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            found = path.read_bytes()
            if len(found) == KEY_BYTES:
                return found
            path.unlink()  # cut short when the disk was full or the power failed
        return _new_key(path)
    except OSError as error:
        raise RunError(f"cannot write in {folder}: {error.strerror}") from error


def _new_key(path: Path) -> bytes:
    """Written whole under another name first, then linked: a link fails where the name is taken."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(part, path)
        return path.read_bytes()
    finally:
        part.unlink()
