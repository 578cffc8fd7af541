"""Counters and gauges of the services for Prometheus: a register for each process, read at `/metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Meters:
    """Meters of every service, in a register of its own or, in one process, in that of `other`."""

    malformed: Counter
    incoming: Gauge
    outgoing: Gauge
    connected: Gauge
    trouble: Gauge
    certificate: Gauge

    def __init__(self, other: Meters | None = None) -> None:
        self._register: CollectorRegistry = other._register if other else CollectorRegistry()  # noqa: SLF001
        if other:
            self.malformed, self.incoming = other.malformed, other.incoming
            self.outgoing, self.connected, self.trouble = other.outgoing, other.connected, other.trouble
            self.certificate = other.certificate
            return
        self.malformed = self._counter("malformed_messages", "payloads that were no stage message", "stage")
        self.incoming = self._gauge("incoming_messages", "stage messages that wait to be handled", "stage")
        self.outgoing = self._gauge("outgoing_messages", "messages that the broker has not acknowledged")
        self.connected = self._gauge("broker_connected", "1 while there is a connection to the broker")
        self.trouble = self._gauge(
            "stage_trouble", "1 while the broker refuses stage topics to the service", "stage"
        )
        self.certificate = self._gauge("certificate_seconds", "until the first certificate in use ends")

    def text(self) -> bytes:
        """All meters in the text format of Prometheus."""
        return generate_latest(self._register)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"downlink_{name}", about, labels, registry=self._register)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"downlink_{name}", about, labels, registry=self._register)

    def _histogram(self, name: str, about: str) -> Histogram:
        return Histogram(f"downlink_{name}", about, registry=self._register, buckets=_SECONDS)


class IngestMeters(Meters):
    """Of the ingest stage, by station."""

    def __init__(self, other: Meters | None = None) -> None:
        super().__init__(other)
        self.recorded = self._counter("recorded_bytes", "bytes on disk", "station")
        self.lost = self._gauge("lost_datagrams", "dropped by the kernel", "station")
        self.odd = self._gauge("odd_datagrams", "of another size than a whole number of frames", "station")
        self.lag_bytes = self._gauge("lag_bytes", "recorded and not confirmed as published", "station")
        self.lag_seconds = self._gauge("lag_seconds", "age of the oldest byte that is not confirmed", "station")
        self.unconfirmed = self._gauge("unconfirmed_bytes", "sent to decode and not confirmed", "station")
        self.open_passes = self._gauge("unsettled_passes", "passes that may still be sent again", "station")
        self.runs = self._gauge("runs", "tries at the passes that may still be sent again", "station")
        self.refused = self._gauge("refused_connections", "TLS handshakes that failed at a listener", "station")
        self.damaged = self._gauge("damaged_passes", "passes whose recording is damaged, never closed", "station")
        self.stalled = self._gauge("stalled_passes", "passes without progress although bytes wait", "station")
        self.disk_full = self._gauge("disk_full", "1 while the recording cannot be written", "station")
        self.checkpoint_failed = self._gauge(
            "positions_failed", "1 while positions of passes cannot be written", "station"
        )
        self.publish_away = self._gauge("publish_away", "1 while publish is offline: no pass is sent meanwhile")


class DecodeMeters(Meters):
    """Of the decode stage."""

    def __init__(self, other: Meters | None = None) -> None:
        super().__init__(other)
        self.batches = self._counter("decoded_batches", "batches through the chain")
        self.octets = self._counter("decoded_bytes", "bytes through the chain")
        self.seconds = self._histogram("decode_seconds", "time of a batch in the chain")
        self.runs = self._gauge("held_runs", "runs whose state is in memory")
        self.quarantined = self._gauge("quarantined_batches", "batches that broke the chain")
        self.replaced = self._gauge(
            "latest_thinned", "newest values that gave way to newer ones before they were sent", "station"
        )
        self.frames = self._gauge("frames", "frames of the newest run, by fate", "station", "fate")
        self.lost_frames = self._gauge("lost_frames", "missing by their count", "station")
        self.corrected = self._gauge("corrected_symbols", "symbols that Reed-Solomon corrected", "station")
        self.packets = self._gauge("packets", "packets of the newest run", "station")

    def report(self, station: str, report: Mapping[str, Any]) -> None:
        """Set the gauges of a station by the pass report of its newest run."""
        for fate, n in report["frames"].items():
            if isinstance(n, int):
                self.frames.labels(station, fate).set(n)
        symbols = report["frames"].get("corrected_symbols", {})
        self.corrected.labels(station).set(sum(int(k) * n for k, n in symbols.items()))
        self.lost_frames.labels(station).set(sum(one["lost_frames"] for one in report["channels"]))
        self.packets.labels(station).set(report["packets"]["read"])


class HistoryMeters(Meters):
    """Of the history."""

    def __init__(self, other: Meters | None = None) -> None:
        super().__init__(other)
        self.rows = self._counter("history_rows", "rows written")
        self.failed = self._gauge("history_failed", "1 while rows cannot be written")
        self.lag = self._gauge("history_lag_seconds", "age of the oldest product whose rows are not written")
        self.seconds = self._histogram("history_seconds", "time of a commit of rows")


class PublishMeters(Meters):
    """Of the publish stage."""

    def __init__(self, other: Meters | None = None) -> None:
        super().__init__(other)
        self.published = self._counter("published_messages", "acknowledged by the broker")
        self.refused = self._counter("refused_messages", "messages that the broker refused")
        self.keys_failed = self._gauge(
            "keys_failed", "1 while the keys of what is published cannot be kept on disk"
        )
        self.refused_topics = self._gauge("refused_topics", "topics whose newest message the broker refused")
        self.broker_answers = self._gauge(
            "broker_answers", "1 while a watched broker publishes its $SYS topics", "broker"
        )
        self.broker_clients = self._gauge("broker_clients", "of a watched broker", "broker", "state")
        self.broker_heap = self._gauge("broker_heap_bytes", "memory of a watched broker", "broker")
        self.broker_dropped = self._gauge("broker_dropped_messages", "that a watched broker dropped", "broker")
        self.dropped = self._gauge("dropped_duplicates", "published before, and not again")
        self.seconds = self._histogram("publish_seconds", "time until the broker has acknowledged a batch")
        self.latency = self._histogram(
            "link_latency_seconds", "from the receipt of a byte to its products published"
        )
