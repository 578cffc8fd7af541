"""The truth beside a pass: arrays of true values, and accounts of what was sent and what was received."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from . import frames as aos
from .arrays import Anything, Flags, Longs, Octets
from .faults import FrameFaults
from .frames import Profile
from .link import Reception, Slots, counter
from .packets import Measurement, PacketStream
from .relay import Relay
from .scenario import Scenario
from .timeline import Timeline, utc
from .traverse import Traverse

_LARGE = 4000


@dataclass(frozen=True, slots=True)
class Sent:
    """One transmission: packets, frames, faults, reception."""

    stream: PacketStream
    own: PacketStream | None
    """The orbiter's packets."""
    frames: Octets
    """Relay frames first, then those of the other channels."""
    broken: FrameFaults
    slots: Slots
    reception: Reception
    profile: Profile
    light_ns: int
    relay: Relay
    whole: PacketStream
    """All packets of the stay, of which `stream` may be a part."""
    first: int = 0
    """The first packet of the part."""

    def packets_by_apid(self) -> dict[int, int]:
        """Packets sent on both channels."""
        total = Counter(self.stream.by_apid())
        total.update(self.own.by_apid() if self.own else {})
        return dict(sorted(total.items()))

    def packets_taken(self) -> Flags:
        """bool[n_packets]: at least one byte was in a frame that was lost or could not be corrected."""
        return self._taken(self.stream, 0)

    def own_taken(self) -> Flags:
        """The same of the orbiter's packets, whose frames follow the rover's."""
        return self._taken(self.own, self.n_relay) if self.own else np.zeros(0, np.bool_)

    def whole_taken(self) -> Flags:
        """The same of all packets of the stay: those of other parts are not here."""
        taken = np.ones(len(self.whole), np.bool_)
        n = min(len(self.whole) - self.first, int(np.count_nonzero(self.stream.record >= 0)))
        taken[self.first : self.first + n] = self.packets_taken()[:n]
        return taken

    @property
    def n_relay(self) -> int:
        """Frames of the rover's packets."""
        return len(self.stream.octets) // self.profile.zone_bytes

    def _taken(self, stream: PacketStream, first_row: int) -> Flags:
        zone_bytes = self.profile.zone_bytes
        gone = np.zeros(len(self.frames), np.int64)
        gone[self.broken.lost] = gone[self.broken.uncorrectable] = 1
        until = np.append(0, np.cumsum(gone[first_row:]))
        first = stream.start // zone_bytes
        last = (stream.start + stream.length - 1) // zone_bytes
        taken: Flags = until[last + 1] > until[first]
        return taken


def arrays(
    measurements: Sequence[Measurement],
    orbiter_measurements: Sequence[Measurement],
    rover: Traverse,
    timeline: Timeline,
    sent: Sent,
) -> dict[str, Anything]:
    """All truth arrays by name; floats of more than 4,000 values are float32."""
    found: dict[str, Anything] = {
        "rover_time_utc_ns": timeline.start_ns + (rover.time_s * 1e9).astype(np.int64),
        "rover_position_ned_m": rover.position_ned_m,
        "rover_attitude_deg": rover.attitude_deg,
        "rover_mast_deg": rover.mast_deg,
    }
    found |= _measured(measurements, sent.whole, sent.whole_taken())
    if sent.own:
        found |= _measured(orbiter_measurements, sent.own, sent.own_taken())
    return {name: _compact(values) for name, values in found.items()}


def _measured(measurements: Sequence[Measurement], stream: PacketStream, taken: Flags) -> dict[str, Anything]:
    """Truth arrays of all measurements of one stream of packets."""
    found: dict[str, Anything] = {}
    base = 0
    for measurement in measurements:
        found |= {f"{measurement.name}_{name}": values for name, values in measurement.truth.items()}
        found |= _records(measurement.name, stream, taken, base, len(measurement.records))
        base += len(measurement.records)
    return found


def _records(name: str, stream: PacketStream, taken: Flags, base: int, n: int) -> dict[str, Anything]:
    """Per record: sequence count of its first packet, how many packets, and whether all of them arrived."""
    mine = np.flatnonzero((stream.record >= base) & (stream.record < base + n))
    record = stream.record[mine] - base
    first = mine[np.unique(record, return_index=True)[1]]
    return {
        f"{name}_sequence_count": stream.sequence_count[first],
        f"{name}_packets": np.bincount(record, minlength=n),
        f"{name}_arrived": np.bincount(record, weights=taken[mine], minlength=n) == 0,
    }


def _compact(values: Anything) -> Anything:
    return values.astype(np.float32) if values.dtype == np.float64 and values.size > _LARGE else values


def accounts(
    scenario: Scenario, timeline: Timeline, measurements: Sequence[Measurement], sent: Sent
) -> dict[str, Any]:
    """The scenario, what was sent, and which frames and packets the faults damaged."""
    stream, broken, slots, reception = sent.stream, sent.broken, sent.slots, sent.reception
    channel = (sent.frames[:, 1] & 0x3F).astype(np.int64)
    count = counter(sent.frames)
    taken = sent.packets_taken()

    def named(rows: Longs) -> list[list[int]]:
        return [[aos.SPACECRAFT, int(channel[row]), int(count[row])] for row in rows]

    return {
        "scenario": asdict(scenario) | {"radar_files": [path.name for path in scenario.radar_files]},
        "sol": timeline.sol,
        "start_utc": utc(timeline.start_ns),
        "stop_utc": utc(timeline.stop_ns),
        "link": {
            "sent_from_utc": utc(int(slots.sent_ns[0])),
            "received_from_utc": utc(int(reception.received_ns[0])),
            "received_until_utc": utc(int(reception.received_ns[-1]) + sent.profile.slot_ns),
            "light_time_s": sent.light_ns / 1e9,
            "frame_bytes": sent.profile.frame_bytes,
            "cadu_bytes": sent.profile.cadu_bytes,
        },
        "relay": sent.relay.as_truth(),
        "bytes": len(reception.octets),
        "packets_sent": {str(apid): n for apid, n in sent.packets_by_apid().items()},
        "frames_sent": frames_by_channel(sent.frames),
        "frames_received": _received(channel, sent),
        "faults": {
            "lost_frames": named(broken.lost),
            "uncorrectable_frames": named(broken.uncorrectable),
            "duplicate_frames": named(broken.duplicated),
            "noise": [list(piece) for piece in reception.noise],
            "packets_taken": np.stack([stream.apid[taken], stream.sequence_count[taken]], axis=1).tolist(),
        },
        "noise": {measurement.name: measurement.noise for measurement in measurements},
        "keys": {
            "frames": "[spacecraft id, virtual channel, virtual channel frame count]",
            "noise of the link": "[offset in the pass, length], bytes",
            "packets_taken": "[apid, sequence count]: at least one byte in a lost or uncorrectable frame",
            "noise": "one sigma that the sensor adds to the truth, before quantisation",
            "arrays": f"of the npz file: floats of more than {_LARGE} values are rounded to float32; "
            "magnetic fields to 2^-10 nT, LIBS spectra to 2^-6 DN; radar samples of some records only, "
            "checksums of all",
        },
    }


def _received(channel: Longs, sent: Sent) -> dict[str, int]:
    """The accounts of what arrived: read = clean + corrected + uncorrectable."""
    broken, slots, reception, n_relay = sent.broken, sent.slots, sent.reception, sent.n_relay
    frame = slots.frame[reception.slot]
    spoilt = int(np.count_nonzero(np.isin(frame, broken.uncorrectable)))
    corrected = int(np.count_nonzero(reception.corrected[reception.slot]))
    return {
        "read": len(frame),
        "clean": len(frame) - corrected - spoilt,
        "corrected": corrected,
        "uncorrectable": spoilt,
        "relay": int(np.count_nonzero(channel[frame] == aos.RELAY)) - spoilt,
        "orbiter": int(np.count_nonzero(channel[frame] == aos.REAL_TIME)),
        "other_channel": int(np.count_nonzero(channel[frame] == aos.IDLE)),
        "relay_duplicates": int(np.count_nonzero(slots.again[reception.slot])),
        "relay_missing": int(np.count_nonzero(np.concatenate([broken.lost, broken.uncorrectable]) < n_relay)),
    }


def frames_by_channel(frames: Octets) -> dict[str, int]:
    """Frames sent, "scid/vcid"."""
    vcids, n = np.unique(frames[:, 1] & 0x3F, return_counts=True)
    return {f"{aos.SPACECRAFT}/{vcid}": int(k) for vcid, k in zip(vcids, n, strict=True)}


def text(content: dict[str, Any]) -> bytes:
    """JSON, one line for each entry of the first two levels."""
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            inner = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f"  {json.dumps(key)}: {{\n{inner}\n  }}")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()
