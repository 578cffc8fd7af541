"""Run by the Python that has openc3: reads packets with OpenC3's own definitions of them, and prints the values.

In: a JSON object on standard input: {"config": path, "target": name, "packets": [hex, ...]}. Out: for each packet its
name, raw and converted values by item.
"""

import json
import os
import sys


def plain(value):
    if isinstance(value, bytes | bytearray):
        return list(value)
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def main():
    os.environ.setdefault("OPENC3_NO_STORE", "1")
    from openc3.packets.packet_config import PacketConfig

    asked = json.load(sys.stdin)
    config = PacketConfig()
    config.process_file(asked["config"], asked["target"])
    packets = config.telemetry[asked["target"]]
    answers = []
    for text in asked["packets"]:
        octets = bytes.fromhex(text)
        packet = next(each for each in packets.values() if each.identify(octets))
        packet.buffer = octets
        names = [item.name for item in packet.sorted_items if item.data_type != "DERIVED"]
        values = {name: [plain(packet.read(name, kind)) for kind in ("RAW", "CONVERTED")] for name in names}
        answers.append({"packet": packet.packet_name, "values": values})
    print("ANSWER" + json.dumps(answers))


if __name__ == "__main__":
    main()
