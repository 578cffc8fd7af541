"""Subscribe to products and have each as an xarray Dataset, with units, times and quality.

    python examples/subscribe.py --port 1883 'zhurong/+/product/magnetometer/field'

Needs aiomqtt, msgpack, numpy and xarray. The broker's `latest` topics are plain JSON and need none of this.
"""

import argparse
import asyncio

import aiomqtt
import msgpack
import numpy as np
import xarray as xr


def array(entry):
    """`{"dtype", "shape", "data"}` as a NumPy array, a view of the message's bytes."""
    return np.frombuffer(entry["data"], entry["dtype"]).reshape(entry["shape"])


def dataset(product):
    """A product as a Dataset: a variable for each array, coordinate `utc`, `quality` and `usable` beside them."""
    variables = {
        name: (entry["dims"], array(entry), {"units": entry["unit"], "long_name": entry["description"]})
        for name, entry in product["arrays"].items()
    }
    quality = array(product["quality"])
    variables["quality"] = ("row", quality, {"bits": str(product["quality_bits"])})
    variables["usable"] = ("row", (quality & product["doubtful_mask"]) == 0)
    _, utc_ns, _ = variables.pop("time_utc_ns")
    found = xr.Dataset(variables, coords={"utc": ("row", utc_ns.astype("datetime64[ns]"))})
    return found.assign_attrs(id=product["id"], level=product["level"], instrument=product["instrument"])


async def watch(host, port, topic, count):
    seen = set()  # a product may come twice, with the same id
    async with aiomqtt.Client(host, port) as client:
        await client.subscribe(topic, qos=1)
        print(f"subscribed to {topic}", flush=True)
        async for message in client.messages:
            product = msgpack.unpackb(message.payload)
            if product["id"] in seen:
                continue
            seen.add(product["id"])
            found = dataset(product)
            good = found.where(found["usable"], drop=True)
            print(f"{found.attrs['id']}  {found.sizes['row']} rows, {good.sizes['row']} usable", flush=True)
            if "field_a_magnitude_nt" in found:
                field = good["field_a_magnitude_nt"]
                print(f"    |B| = {float(field.mean()):.2f} {field.attrs['units']} on average", flush=True)
            if len(seen) == count:
                return


parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("topic", nargs="?", default="zhurong/+/product/magnetometer/field")
parser.add_argument("--host", default="localhost")
parser.add_argument("--port", type=int, default=1883)
parser.add_argument("--count", type=int, help="end after so many products")
asked = parser.parse_args()
asyncio.run(watch(asked.host, asked.port, asked.topic, asked.count))
