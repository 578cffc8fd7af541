"""Stacks of services, subscribers and relays; a bundled pass decoded without a broker."""

import pytest
from downlink_pipeline.messages.topics import product_message
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass
from history_products import put, recorder
from service_stack import MOSQUITTO, Stack
from subscribers import Relay, Subscriber, without_receipt

__all__ = ["put", "recorder"]


@pytest.fixture(scope="module")
def make_stacks():
    """Make a Stack with these arguments; all its processes end with the module."""
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    stacks = []

    def make(*arguments, **more):
        stacks.append(Stack(*arguments, **more))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.stop()


@pytest.fixture
def make_stack(tmp_path):
    """Make a Stack with these arguments; all its processes end with the test."""
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    stacks = []

    def make(**arguments):
        stacks.append(Stack(tmp_path, **arguments))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.stop()


@pytest.fixture(name="without_receipt")
def _without_receipt():
    return without_receipt


@pytest.fixture
def subscriber():
    return Subscriber


@pytest.fixture(scope="session")
def relay():
    return Relay


@pytest.fixture(scope="session")
def undisturbed(bundled):
    """Payloads by id of a bundled pass decoded in one go, without receive times."""

    def payloads(name="damaged.cadu", stream="test"):
        line = ProcessingChain(load_mission("zhurong"), stream)
        products = [product for batch in read_pass(bundled / name) for product in line.process(batch).products]
        products += line.flush().products
        return {product.id: without_receipt(product_message(product).payload) for product in products}

    return payloads
