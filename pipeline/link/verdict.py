"""Whether a pass was read with the right settings, decided from its report alone.

In: the pass report (`Receiver.report()`, with the keys that later stages add). Out: sentences, each naming the keys of
the mission file to check. Pure functions; a report of a pass that has not ended is accepted, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .settings import LinkSettings

Report = Mapping[str, Any]

_PACKET_KEYS = "framing and packet_prefix_bytes in [link]"
_ZONE_KEYS = {
    "aos": "insert_zone_bytes, header_error_control and operational_control_field in [link]",
    "tm": "frame_type in [link], and whether the secondary header is as long as it says",
    "uslp": "insert_zone_bytes in [link]",
}
_CHANNELS_NAMED = 3
_SPACECRAFT = 8
"""A station receives fewer spacecraft in one pass."""
_SCATTERED_RATIO = 4
_EARLY_HEADERS = 100
"""Number of headers from which on a pass is judged before its end."""
_MOST_FAILED = 50
"""Failed frames for each one that passes, at which the settings are doubted."""


def problems(report: Report) -> list[str]:
    """Return a sentence for each sign of wrong settings or of a recording of something else; empty for a sound pass.

    Single frames that are lost, corrected or fail their check are no such sign.
    """
    if not report["bytes"]["read"]:
        return ["the recording is empty"]
    found = _packet_file_problems(report) if _is_packet_file(report) else _frame_problems(report)
    return found + _skipped(report) + undescribed(report) + _headed_segments(report)


def nothing_right(report: Report) -> bool:
    """Whether nothing of the pass is usable: no channel has sound frames, or no packet was decoded.

    A sound channel of idle frames only is no evidence if another channel is wrong. True for an empty recording, and for
    a file of packets if most of its bytes are in no packet (packets have no check).
    """
    if (undescribed(report) and not report["records"]["decoded"]) or not report["bytes"]["read"]:
        return True
    if _is_packet_file(report):
        n_packets = report["packets"]["read"] + report["packets"]["idle_packets"]
        return bool(n_packets <= report["packets"]["bad_headers"] or _is_chance(report) or _skipped(report))
    if _scattered(report) or _is_mostly_bad(report):
        return True
    used = [channel for channel in report["channels"] if channel["frames"]]
    sound = [channel for channel in used if not channel_problem(report, channel)]
    return not sound or (len(sound) < len(used) and not any(map(_has_content, sound)))


def channel_problem(report: Report, channel: Report) -> str:
    """Return a sentence if the packet headers of a channel are more often bad than good; else an empty string.

    `channel` is its entry in the report. With the right packet zone there is hardly any bad header; with a wrong one
    nearly every frame has one, and some packets are found by chance.
    """
    bad = channel["bad_headers"]
    n_packets = channel["packets"] + channel["idle_packets"] + channel["encapsulation_packets"]
    if bad <= n_packets and 2 * bad <= channel["frames"] - channel["idle_frames"]:
        return ""
    where = _ZONE_KEYS[report["link"]["frame_type"]]
    return (
        f"{_name(channel)}: {bad:,} bad packet headers beside {n_packets:,} packets in {channel['frames']:,} frames: "
        f"see {where}"
    )


@dataclass(frozen=True, slots=True)
class HeaderCounts:
    """Packet headers of a channel so far: `n_bad` impossible ones, `n_good` of packets of any kind."""

    channel: str
    n_bad: int
    n_good: int


def early_problem(counts: HeaderCounts, link: LinkSettings) -> str:
    """Return a sentence if more headers are bad than good during a pass; empty if not, or if few were seen."""
    if counts.n_bad <= counts.n_good or counts.n_bad + counts.n_good < _EARLY_HEADERS:
        return ""
    framed = link.framing != "packets"
    keys = _ZONE_KEYS[link.frame_type] if framed else _PACKET_KEYS
    found = f"{counts.n_bad:,} bad packet headers beside {counts.n_good:,} packets so far"
    return f"{counts.channel}: {found}: see {keys}"


def _is_packet_file(report: Report) -> bool:
    return bool(report["link"]["framing"] == "packets")


def _packet_file_problems(report: Report) -> list[str]:
    packets, n_bytes = report["packets"], report["bytes"]["read"]
    keys = f"see {_PACKET_KEYS}"
    if report["bytes"].get("skipped_zeros") == n_bytes:
        return [f"nothing but {n_bytes:,} zero octets: nothing was recorded"]
    if not packets["read"] and not packets["idle_packets"]:
        return [f"no packet in {n_bytes:,} bytes: {keys}"]
    if packets["bad_headers"] > packets["read"] + packets["idle_packets"]:
        return [f"{packets['bad_headers']:,} bad packet headers beside {packets['read']:,} packets: {keys}"]
    if _is_chance(report):
        return [f"bad packet headers, and of {packets['read']:,} packets no two are of one APID: {keys}"]
    return []


def _is_chance(report: Report) -> bool:
    """Whether the packets of a file may be found by chance: each has a different APID, and there are bad headers."""
    packets = report["packets"]
    return bool(packets["bad_headers"]) and packets["read"] == len(packets["by_apid"])


def _frame_problems(report: Report) -> list[str]:
    frames, link = report["frames"], report["link"]
    good = frames["clean"] + frames["corrected"]
    if not frames["read"]:
        return [_no_frame(link, report["bytes"]["read"])]
    if not good:
        keys = (
            "reed_solomon, randomizer, fecf"
            if link["framing"] in {"cadu", "codeblocks"}
            else "frame_length_bytes, fecf"
        )
        return [f"none of {frames['read']:,} frames passed its check: see {keys} and frame_type in [link]"]
    if not any(channel["frames"] for channel in report["channels"]):
        return [
            f"none of {good:,} good frames is on a wanted channel{_others(report)}: see [[channel]] and frame_type"
        ]
    bad = [text for channel in report["channels"] if (text := channel_problem(report, channel))]
    return _scattered(report) + (bad or _no_packets(report) or _nearly_all_failed(report))


def _scattered(report: Report) -> list[str]:
    """Report that most frames are of many other spacecraft, as happens if headers are read at a wrong position."""
    n_used = sum(channel["frames"] for channel in report["channels"])
    n_others = sum(channel["frames"] for channel in report["other_channels"])
    n_spacecraft = len({channel["scid"] for channel in report["other_channels"]})
    if n_others <= _SCATTERED_RATIO * n_used or n_spacecraft <= _SPACECRAFT:
        return []
    keys = "frame_length_bytes, frame_type and fecf in [link]"
    return [f"{n_others:,} frames are of {n_spacecraft:,} other spacecraft: see {keys}"]


def _nearly_all_failed(report: Report) -> list[str]:
    """Report that hardly any frame passed its check: more than by chance, fewer than in a noisy pass."""
    frames = report["frames"]
    n_failed = frames["failed_check"] + frames["uncorrectable"]
    if _MOST_FAILED * (frames["read"] - n_failed) > frames["read"]:
        return []
    return [
        f"{n_failed:,} of {frames['read']:,} frames failed their check: see frame_length_bytes and frame_type in [link]"
    ]


def _is_mostly_bad(report: Report) -> bool:
    """Whether no channel has a whole packet or data, and most frames failed their check or are of other channels."""
    frames = report["frames"]
    n_bad = frames["failed_check"] + frames["uncorrectable"] + frames["other_channel"]
    return 2 * n_bad > frames["read"] and not any(
        _has_content({**channel, "truncated_packets": 0}) for channel in report["channels"] if channel["frames"]
    )


def _no_frame(link: Report, n_bytes: int) -> str:
    if link["framing"] == "cadu":
        return (
            f"no frame behind a marker {link['sync_marker']} in {n_bytes:,} bytes: "
            "see framing, sync_marker and frame_length_bytes in [link]"
        )
    return f"no frame in {n_bytes:,} bytes: see framing, frame_type and frame_length_bytes in [link]"


def _others(report: Report) -> str:
    """Name the channels that were received instead, the busiest first."""
    names = [f"{channel['scid']}/{channel['vcid']}" for channel in report["other_channels"][:_CHANNELS_NAMED]]
    return f", they are on {', '.join(names)} (spacecraft/channel)" if names else ""


def _no_packets(report: Report) -> list[str]:
    """Report that packet channels have no packets, if no channel of another service has data either."""
    used = [channel for channel in report["channels"] if channel["frames"]]
    if not _is_mostly_bad(report) and any(map(_has_content, used)):
        return []
    n_frames, n_idle = (sum(channel[key] for channel in used) for key in ("frames", "idle_frames"))
    why = "they are all idle" if n_idle == n_frames else "none ends, or all are idle"
    if _is_mostly_bad(report):
        frames = report["frames"]
        n_failed = frames["failed_check"] + frames["uncorrectable"]
        why = (
            f"of {frames['read']:,} frames {n_failed:,} failed their check and {frames['other_channel']:,} are of "
        )
        why += f"other channels{_others(report)}: see [link] and [[channel]]"
    return [f"no packet in {_frames(n_frames)} of {', '.join(map(_name, used))}: {why}"]


def _frames(n: int) -> str:
    return f"{n:,} frame{'' if n == 1 else 's'}"


def _has_content(channel: Report) -> bool:
    n_packets = channel["packets"] + channel["encapsulation_packets"] + channel["truncated_packets"]
    return bool(n_packets or channel["service"] in {"data", "bitstream"})


def _skipped(report: Report) -> list[str]:
    skipped = report["bytes"]["skipped"]
    read = report["bytes"]["read"] - report["bytes"].get("overhead", 0)
    if 2 * skipped <= read or not (report["frames"]["read"] or report["packets"]["read"]):
        return []
    return [f"{100 * skipped / read:.0f} % of the bytes could not be used: is this a recording of this mission?"]


def undescribed(report: Report) -> list[str]:
    """Report that no container was found for most of the packets."""
    records, n_packets = report.get("records"), report["packets"]["read"]
    if records is None or not n_packets:
        return []
    n_decoded, reasons = records["decoded"], sorted(records["set_aside"].items(), key=lambda item: -item[1])
    n_set_aside = sum(count for _, count in reasons)
    if n_decoded and n_set_aside <= n_decoded:
        return []
    why = f" ({reasons[0][0]})" if reasons else ""
    how_many = (
        f"{n_decoded:,} of {n_decoded + n_set_aside:,} packets were"
        if n_decoded
        else f"none of {n_packets:,} packets was"
    )
    return [f"{how_many} decoded{why}: see xtce and root in [dictionary]"]


def _headed_segments(report: Report) -> list[str]:
    """Report that segments with secondary headers were joined, and the likely length of these headers."""
    records = report.get("records", {})
    n_segments, n_alike = records.get("headed_segments", 0), records.get("alike_bytes", 0)
    if not n_segments:
        return []
    words = f"{n_segments:,} segments within records have a secondary header of their own, which was read as data"
    keys = f"segment_header_bytes = {n_alike}" if n_alike else "segment_header_bytes"
    alike = f" (all begin with the {n_alike} bytes of the first segment)" if n_alike else ""
    return [f'{words}{alike}: see {keys} in [dictionary], or segments = "separate"']


def _name(channel: Report) -> str:
    return f"{channel['name']} ({channel['scid']}/{channel['vcid']})"
