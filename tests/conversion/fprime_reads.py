"""Run by the Python that has fprime-gds: reads packets with F Prime's own decoders, and prints the values.

In: {"dictionary": path, "set": name of the packet set, "packets": [hex of space packets]}. Out: for each packet the
values by the qualified name of each channel or argument; null where F Prime refuses a value (a label that is none, a
bool of 1).
"""

import json
import sys


def decoders(asked):
    from fprime_gds.common.decoders.ch_decoder import ChDecoder
    from fprime_gds.common.decoders.event_decoder import EventDecoder
    from fprime_gds.common.decoders.pkt_decoder import PktDecoder
    from fprime_gds.common.loaders.ch_json_loader import ChJsonLoader
    from fprime_gds.common.loaders.event_json_loader import EventJsonLoader
    from fprime_gds.common.loaders.pkt_json_loader import PktJsonLoader

    path = asked["dictionary"]
    channels, names, _ = ChJsonLoader(path).construct_dicts(path)
    packets, _, _ = PktJsonLoader(path).construct_dicts(asked["set"], names)
    events, _, _ = EventJsonLoader(path).construct_dicts(path)
    return ChDecoder(channels), EventDecoder(events), PktDecoder(packets, channels)


def values_of(octets, channels, events, packets):
    apid, body = int.from_bytes(octets[:2], "big") & 0x7FF, octets[8:]
    if apid == 2:
        found = events.decode_api(body)[0]
        name = found.template.get_full_name()
        return {f"{name}.{each[0]}": value.val for each, value in zip(found.template.args, found.args, strict=True)}
    found = (channels if apid == 1 else packets).decode_api(body)
    return {each.template.get_full_name(): each.val_obj.val for each in found}


def main():
    asked = json.load(sys.stdin)
    known = decoders(asked)
    answers = []
    for text in asked["packets"]:
        try:
            answers.append(values_of(bytes.fromhex(text), *known))
        except Exception:  # noqa: BLE001 - each type of F Prime has its own
            answers.append(None)
    print("ANSWER" + json.dumps(answers))


if __name__ == "__main__":
    main()
