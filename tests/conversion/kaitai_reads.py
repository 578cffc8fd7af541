"""Run by the Python that has kaitaistruct and satnogs-decoders: reads packets with their classes, prints the values.

In: {"decoder": module and class of satnogsdecoders.decoder, or "own", "packets": [hex], "paths": [a.b.c]}. Out: for
each packet the values of the paths that it has. "own" is a class as the compiler of Kaitai writes them, below.
"""

import json
import sys


def own_class():
    """What the compiler makes of OWN in test_kaitai.py, written by hand on kaitaistruct's own stream."""
    from kaitaistruct import KaitaiStruct

    class Own(KaitaiStruct):
        def __init__(self, stream):
            self._io = stream
            read = stream
            self.version = read.read_bits_int_be(3)
            self.flag = read.read_bits_int_be(1) != 0
            self.kind = read.read_bits_int_be(4)
            self.odd = read.read_bits_int_be(11)
            read.align_to_byte()
            self.count = read.read_u1()
            self.temperature = read.read_s2le()
            self.ratio = read.read_f4be()
            self.name = read.read_bytes(8).split(b"\0")[0].decode("ascii")
            self.motto = read.read_bytes_term(0, False, True, True).decode("ascii")
            self.k = read.read_u1()
            self.samples = [read.read_u2be() for _ in range(self.k)]
            self.n = read.read_u1()
            self.blob = read.read_bytes(self.n * 2)
            if self.version == 2:
                self.extra = read.read_u4le()
            self.low = read.read_bits_int_le(4)
            self.middle = read.read_bits_int_le(11)
            self.high = read.read_bits_int_le(1)
            read.align_to_byte()
            self.celsius = self.temperature * 0.25 - 40
            self.half = self.count >> 1
            if self.kind == 1:
                self.body = Health(stream)
            elif self.kind in {2, 3}:
                self.body = Science(stream)

    class Health:
        def __init__(self, stream):
            self.voltage = stream.read_u2be()
            self.current = stream.read_s2be()

    class Science:
        def __init__(self, stream):
            self.field = [stream.read_f8le() for _ in range(3)]

    return Own


def plain(value):
    return list(value) if isinstance(value, bytes) else value.value if hasattr(value, "value") else value


def values_of(packet, paths):
    found = {}
    for path in paths:
        here = packet
        for name in path.split("."):
            here, around = getattr(here, name, None), here
        here = getattr(around, f"_raw__raw_{name}", here)  # before it was processed
        if here is not None:
            found[path] = plain(here)
    return found


def main():
    import importlib
    from io import BytesIO

    from kaitaistruct import KaitaiStream

    asked = json.load(sys.stdin)
    if asked["decoder"] == "own":
        kind = own_class()
    else:
        module, _, name = asked["decoder"].partition(".")
        kind = getattr(importlib.import_module(f"satnogsdecoders.decoder.{module}"), name)
    answers = []
    for text in asked["packets"]:
        packet = kind(KaitaiStream(BytesIO(bytes.fromhex(text))))
        answers.append(values_of(packet, asked["paths"]))
    print("ANSWER" + json.dumps(answers))


if __name__ == "__main__":
    main()
