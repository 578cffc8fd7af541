"""A file as cfdp-py sends it in class 1: the PDUs of `data/cfdp_py.json`, in which no code of this project had a hand.

cfdp-py 0.7 wants an older fastcrc than this project, so it runs in an environment of its own:
`pip install cfdp-py packaging 'fastcrc<0.4'`, then `python tests/missions/zhurong/instruments/make_cfdp_witness.py`.
"""

import json
import os
import random
import tempfile
from importlib import import_module
from pathlib import Path

ENTITY, GROUND, TRANSACTION = 33, 1, 4242
SEGMENT_BYTES = 960


def silent(base):
    """An object of a class whose abstract methods do nothing."""
    return type("Silent", (base,), dict.fromkeys(base.__abstractmethods__, lambda *_, **__: None))()


def send(content, checksum):
    cfdp, wire = import_module("cfdppy"), import_module("spacepackets.cfdp")
    mib, handlers = import_module("cfdppy.mib"), import_module("cfdppy.handler")
    one_byte = import_module("spacepackets.util").ByteFieldU8
    numbers = import_module("spacepackets.seqcount").SeqCountProvider(16)
    numbers.count = TRANSACTION
    unacknowledged = wire.TransmissionMode.UNACKNOWLEDGED
    kind = getattr(wire.ChecksumType, checksum)
    remote = cfdp.RemoteEntityConfig(one_byte(GROUND), SEGMENT_BYTES, 1100, False, False, unacknowledged, kind)
    local = cfdp.LocalEntityConfig(one_byte(ENTITY), mib.IndicationConfig(), silent(mib.DefaultFaultHandlerBase))
    handler = handlers.SourceHandler(
        local,
        silent(cfdp.CfdpUserBase),
        cfdp.RemoteEntityConfigTable([remote]),
        silent(mib.CheckTimerProvider),
        numbers,
    )
    path = Path("a.strip")
    path.write_bytes(content)
    handler.put_request(cfdp.PutRequest(one_byte(GROUND), path, path, unacknowledged, False))
    pdus = []
    while not pdus or pdus[-1][0] & 0x10 or pdus[-1][8] != 4:
        handler.state_machine()
        while handler.packets_ready:
            pdus.append(bytes(handler.get_next_packet().pdu.pack()))
    return pdus


def main():
    content = random.Random(5).randbytes(2501)
    target = Path(__file__).resolve().parent / "data/cfdp_py.json"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        kinds = {"modular": "MODULAR", "crc32": "CRC_32", "crc32c": "CRC_32C"}
        found = {name: [pdu.hex() for pdu in send(content, kind)] for name, kind in kinds.items()}
    target.write_text(json.dumps({"content": content.hex(), "pdus": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
