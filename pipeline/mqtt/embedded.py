"""Embedded broker: a child process on a free loopback port, for as long as a run lasts.

mosquitto where it is installed, else amqtt in a Python process. The child has a session of its own, so the terminal's
Ctrl-C does not reach it and the run can drain into it. One that dies is restarted on the same port, a few times; after
that `ended` gives the reason.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import structlog

from ..model.errors import RunError
from ..system.allocator import CHILD_SETTINGS

LOOPBACK = "127.0.0.1"

_log = structlog.get_logger("broker")

MOSQUITTO_CONFIGURATION = """\
listener {port} {host}
allow_anonymous true
persistence false
set_tcp_nodelay true
max_queued_messages 0
max_packet_size 67108864
max_queued_bytes 0
max_inflight_messages 200
log_dest stderr
log_type error
log_type warning
"""
"""No queue limits: mosquitto silently drops messages beyond them. The in-flight limit is the flow control."""


@dataclass(frozen=True, slots=True)
class Program:
    """A broker that can be started: the command for a port and a folder of its own."""

    name: str
    command: Callable[[int, Path], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Patience:
    """`start_s`: timeout of a start. `n_restarts`: after a broker died, `pause_s` before each."""

    start_s: float = 10.0
    n_restarts: int = 5
    pause_s: float = 0.5


def find_program(path: str | None = None) -> Program:
    """Find mosquitto, else amqtt. RunError, with what to install, where there is neither."""
    mosquitto = shutil.which("mosquitto", path=f"{path or os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if mosquitto:
        return Program("mosquitto", lambda port, folder: _mosquitto(mosquitto, port, folder))
    if find_spec("amqtt"):
        return Program("amqtt", _amqtt)
    raise RunError(
        "no MQTT broker: name one with --broker, or install mosquitto (apt install mosquitto) or amqtt "
        "(pip install amqtt)"
    )


class EmbeddedBroker:
    """The child process, and the task that restarts it."""

    def __init__(self, program: Program, patience: Patience | None = None) -> None:
        self.program = program
        self.port = 0
        self.pid = 0
        self._patience = patience or Patience()
        self._why_ended = ""

    def ended(self) -> str:
        """Why the broker is not restarted any more; empty while it runs or is restarted."""
        return self._why_ended

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="downlink-broker-")
        try:
            await self._start_on_free_port()
        except BaseException:
            self._folder.cleanup()
            raise
        self._keeper = asyncio.create_task(self._keep(), name="embedded broker")
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._why_ended = "it was stopped"
        self._keeper.cancel()
        await asyncio.wait([self._keeper])
        await _stop(self._process)
        self._folder.cleanup()

    async def _start_on_free_port(self, n_tries: int = 3) -> None:
        """Start; on another port where another process took the free one first."""
        for attempt in range(n_tries):
            self.port = _free_port()
            try:
                await self._start()
            except RunError:
                if attempt == n_tries - 1:
                    raise
            else:
                return

    async def _start(self) -> None:
        folder = Path(self._folder.name)
        command = [*_die_with_parent(), *self.program.command(self.port, folder)]
        with (folder / "stderr").open("wb") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
                env={**os.environ, **CHILD_SETTINGS},
            )
        self.pid = self._process.pid
        try:
            await self._wait_until_ready()
        except BaseException:
            await _stop(self._process)
            raise

    async def _wait_until_ready(self) -> None:
        """Wait until the child, and not another process on its port, accepts a connection."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience.start_s):
                while self._process.returncode is None:
                    if await _takes_connection(self.port) and self._process.returncode is None:
                        return
                    await asyncio.sleep(0.02)
        raise RunError(f"the embedded broker ({self.program.name}) does not start: {self._failure()}")

    async def _keep(self) -> None:
        for _ in range(self._patience.n_restarts):
            status = await self._process.wait()
            _log.warning("the embedded broker ended; starting it again", broker=self.program.name, status=status)
            await asyncio.sleep(self._patience.pause_s)
            try:
                await self._start()
            except RunError as error:
                self._why_ended = str(error)
                return
        status = await self._process.wait()
        self._why_ended = f"the embedded broker ({self.program.name}) ends again and again, with status {status}"

    def _failure(self) -> str:
        lines = (Path(self._folder.name) / "stderr").read_text("utf-8", "replace").split("\n")
        written = [line.strip() for line in lines if line.strip()]
        if written:
            return written[-1]
        if self._process.returncode is not None:
            return f"it ended with status {self._process.returncode}"
        return f"no answer within {self._patience.start_s:g} s"


def _mosquitto(program: str, port: int, folder: Path) -> list[str]:
    configuration = folder / "mosquitto.conf"
    configuration.write_text(MOSQUITTO_CONFIGURATION.format(host=LOOPBACK, port=port), "utf-8")
    return [program, "-c", str(configuration)]


def _amqtt(port: int, _folder: Path) -> list[str]:
    """Run it by its path, with -P: else its folder, which has modules named like libraries, is on sys.path."""
    return [sys.executable, "-P", str(Path(__file__).with_name("amqtt_child.py")), str(port)]


def _die_with_parent() -> list[str]:
    """Prefix of a command by which Linux ends the broker together with a killed run (PR_SET_PDEATHSIG).

    It has no effect on a mosquitto that root starts: the kernel clears the setting when mosquitto gives up root.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


async def _stop(process: asyncio.subprocess.Process, patience_s: float = 3.0) -> None:
    """SIGTERM, then SIGKILL after `patience_s`; the process is reaped."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(sign)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await process.wait()


async def _takes_connection(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
