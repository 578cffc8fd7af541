"""Run by the Python that has ait-core: reads packets with AIT's own dictionary of them, and prints the values.

In: {"dictionary": path, "packets": [[name of the packet, hex]]}. Out: for each packet raw values and values by field.
"""

import json
import os
import sys
from pathlib import Path


def configured(folder):
    """AIT wants a configuration when it is imported."""
    path = folder / "ait.yaml"
    path.write_text("default:\n  mission: 'test'\n")
    os.environ["AIT_ROOT"] = str(folder)
    os.environ["AIT_CONFIG"] = str(path)


def without_network():
    """AIT fetches the leap seconds when it is imported; here it gets a list of one."""
    import requests

    class Answer:
        status_code = 200
        text = "#@\t4900000000\n2272060800\t10\t# 1 Jan 1972\n3692217600\t37\t# 1 Jan 2017\n"

    requests.get = lambda *_, **__: Answer


def plain(value):
    if isinstance(value, int | float | str) or value is None:
        return value
    return list(value) if hasattr(value, "__len__") else str(value)


def main():
    asked = json.load(sys.stdin)
    configured(Path(asked["dictionary"]).parent)
    without_network()
    from ait.core import tlm

    known = tlm.TlmDict(asked["dictionary"])
    answers = []
    for name, text in asked["packets"]:
        packet = tlm.Packet(known[name], bytearray.fromhex(text))
        names = [field.name for field in known[name].fields]
        answers.append({each: [plain(getattr(packet.raw, each)), plain(getattr(packet, each))] for each in names})
    print("ANSWER" + json.dumps(answers))


if __name__ == "__main__":
    main()
