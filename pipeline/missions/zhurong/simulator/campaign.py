"""Several sols, each in several passes to Earth, each received by several stations.

In: a scenario, and how many of each. Out: for every pass and station the files of `simulate`, and one file that
lists them. The rover starts where the sol before ended, and all counters continue. The packets of a sol are relayed
in one pass; the orbiter sends them in parts, some hours apart, cut between packets: a record may begin in one pass and
end in the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ....model.errors import ConfigError, Problem
from . import link, truth
from .arrays import Longs
from .files import check_writable, write_together
from .frames import first_counts
from .heavens import conjunction
from .packets import PacketStream, queue
from .relay import Relay, relay
from .run import Counters, Stay, files_of, observe, records_of, send, simulate_stay, summary, write
from .scenario import Scenario, Summary
from .timeline import utc
from .traverse import Traverse
from .truth import Sent

_NEXT_PASS_NS = 7_200_000_000_000
"""From one pass to Earth to the next [assumed]."""
_MOST = {"sols": 400, "passes": 8, "stations": 3}


@dataclass(frozen=True, slots=True)
class Campaign:
    """The scenario of the first sol, and the number of sols, passes of each and stations."""

    scenario: Scenario
    sols: int = 1
    passes: int = 1
    stations: int = 1

    def check(self) -> None:
        """Raise ConfigError with every problem."""
        found: list[Problem] = []
        try:
            self.scenario.check()
        except ConfigError as error:
            found += error.problems
        found += [
            Problem(f"{value}: must be in 1 to {most}", key=name)
            for name, most in _MOST.items()
            if not 1 <= (value := getattr(self, name)) <= most
        ]
        if self.scenario.radar_files and self.sols > 1:
            found.append(Problem("genuine radar records are of one sol", key="radar_files"))
        if found:
            raise ConfigError(found)


def simulate_campaign(
    out: Path, campaign: Campaign, progress: Callable[[float], None] | None = None
) -> list[Summary]:
    """Write the passes, named after `out` (`pass_path`), and `.campaign.json`. Returns them in the order of sending."""
    progress = progress or (lambda _: None)
    campaign.check()
    check_writable(path for name in names(out, campaign) for path in files_of(name))
    counters = Counters({}, first_counts(campaign.scenario.seed))
    made: list[Summary] = []
    entries: dict[str, Any] = {}
    since: Traverse | None = None
    for k in range(campaign.sols):
        scenario = _scenario(campaign.scenario, k, 0)
        stay = simulate_stay(scenario, lambda _: None, since)
        since = stay.rover
        whole = queue(records_of(stay.measurements), scenario.seed, counters.sequence)
        way = relay(stay.timeline.stop_ns, len(whole.octets))
        for j, part in enumerate(parts(whole, campaign.passes)):
            summaries, entry = _pass(out, campaign, (k, j), stay, whole, part, _later(way, j), counters)
            made += summaries
            entries[_name(out, campaign, scenario.sol, j)] = entry
        progress((k + 1) / campaign.sols)
    write_together({out.with_name(out.stem + ".campaign.json"): truth.text({"passes": entries})})
    return made


def _scenario(first: Scenario, k: int, j: int) -> Scenario:
    """The scenario of sol `k` and pass `j`, from 0, with a seed of its own."""
    return replace(first, sol=first.sol + k, seed=first.seed + 1009 * k + 17 * j)


def _later(way: Relay, j: int) -> Relay:
    """Relay and transmission of the `j`th pass: some hours later, and after a conjunction if it falls into one."""
    send_ns = way.send_ns + j * _NEXT_PASS_NS
    quiet = conjunction(send_ns)
    return replace(way, send_ns=quiet[1] + j * _NEXT_PASS_NS if quiet else send_ns, silence=quiet or way.silence)


def _pass(
    out: Path,
    campaign: Campaign,
    place: tuple[int, int],
    stay: Stay,
    whole: PacketStream,
    part: tuple[int, int],
    way: Relay,
    counters: Counters,
) -> tuple[list[Summary], dict[str, Any]]:
    """Write one pass. Returns its summaries, and its entry in the campaign's file."""
    k, j = place
    scenario = _scenario(campaign.scenario, k, j)
    orbiter_measurements = observe(scenario, way.send_ns, stay.timeline.duration_s, down=j == 0)
    received = send(whole, part, orbiter_measurements, scenario, way, counters, campaign.stations)
    paths = [pass_path(out, campaign, scenario.sol, j, station) for station in range(campaign.stations)]
    for path, sent in zip(paths, received, strict=True):
        write(path, scenario, stay, orbiter_measurements, sent)
    made = [summary(files_of(path), stay.timeline.sol, sent) for path, sent in zip(paths, received, strict=True)]
    return made, _entry(paths, stay, received)


def _entry(paths: list[Path], stay: Stay, received: list[Sent]) -> dict[str, Any]:
    first = received[0]
    both = replace(first, broken=link.faults_of_all([sent.broken for sent in received]))
    taken = both.packets_taken()
    gone = np.concatenate([both.broken.lost, both.broken.uncorrectable])
    return {
        "files": [path.name for path in paths],
        "sol": stay.timeline.sol,
        "start_utc": utc(stay.timeline.start_ns),
        "stop_utc": utc(stay.timeline.stop_ns),
        "quiet": stay.timeline.quiet,
        "odometer_m": round(stay.rover.odometer_m, 3),
        "frame_id": stay.rover.frame_id,
        "relay": first.relay.as_truth(),
        "light_time_s": first.light_ns / 1e9,
        "relay_frames": first.n_relay,
        "relay_missing_at_all_stations": int(np.count_nonzero(gone < first.n_relay)),
        "packets_taken_at_all_stations": np.stack(
            [both.stream.apid[taken], both.stream.sequence_count[taken]], axis=1
        ).tolist(),
    }


def parts(whole: PacketStream, n: int) -> list[tuple[int, int]]:
    """First and last (beyond) packet of each part, of about as many bytes each."""
    edges: Longs = np.searchsorted(whole.start, np.arange(1, n) * len(whole.octets) // n)
    cuts = [0, *edges.tolist(), len(whole)]
    return list(pairwise(cuts))


def pass_path(out: Path, campaign: Campaign, sol: int, j: int, station: int) -> Path:
    """`NAME-sol011-1.station1.cadu`: numbers of which there is only one are omitted, so a single pass is `out`."""
    name = _name(out, campaign, sol, j)
    name += f".station{station + 1}" if campaign.stations > 1 else ""
    return out.with_name(name + out.suffix)


def _name(out: Path, campaign: Campaign, sol: int, j: int) -> str:
    name = out.stem + (f"-sol{sol:03d}" if campaign.sols > 1 else "")
    return name + (f"-{j + 1}" if campaign.passes > 1 else "")


def pass_files(out: Path, campaign: Campaign) -> list[tuple[Path, ...]]:
    """The files of each pass that `simulate` or `simulate_campaign` writes, the pass itself last."""
    alone = (campaign.sols, campaign.passes, campaign.stations) == (1, 1, 1)
    return [files_of(name) for name in ([out] if alone else names(out, campaign))]


def names(out: Path, campaign: Campaign) -> list[Path]:
    """All passes of a campaign."""
    return [
        pass_path(out, campaign, campaign.scenario.sol + k, j, station)
        for k in range(campaign.sols)
        for j in range(campaign.passes)
        for station in range(campaign.stations)
    ]
