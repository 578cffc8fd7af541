import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import coding, link
from downlink_pipeline.missions.zhurong.simulator.frames import PROFILES


def test_the_randomiser_begins_as_the_standard_prints_it():
    assert coding.randomizer(8).tobytes().hex() == "ff480ec09a0d70bc"


def test_the_randomiser_repeats_after_255_bytes():
    sequence = coding.randomizer(1020)
    assert np.array_equal(sequence[:765], sequence[255:])


def test_the_generator_polynomial_is_the_standards():
    exponents = [0, 249, 59, 66, 4, 43, 126, 251, 97, 30, 3, 213, 50, 66, 170, 5, 24]  # 131.0-B, annex on RS
    power = [1]
    while len(power) < 255:
        power.append(power[-1] << 1 if power[-1] < 128 else (power[-1] << 1) ^ 0x187)
    expected = [power[exponent] for exponent in exponents]
    assert coding.generator().tolist() == expected + expected[-2::-1]


def test_the_randomisers_sequence_is_itself_a_codeword():
    codeword = coding.randomizer(255)
    assert np.array_equal(coding.parity(codeword[None, :223])[0], codeword[223:])


def test_parity_equals_that_of_reedsolo():
    reedsolo = pytest.importorskip("reedsolo")
    coder = reedsolo.RSCodec(32, nsize=255, fcr=112, prim=0x187, generator=173)  # 173 = alpha^11
    messages = np.random.default_rng(3).integers(0, 256, (5, 223), np.uint8)
    expected = [list(coder.encode(bytes(message))[223:]) for message in messages]
    assert coding.parity(messages).tolist() == expected


def test_a_shortened_codeword_is_a_whole_one_that_begins_with_zeros():
    message = np.random.default_rng(4).integers(0, 256, (1, 220), np.uint8)
    whole = np.hstack([np.zeros((1, 3), np.uint8), message])
    assert np.array_equal(coding.parity(message), coding.parity(whole))


def test_symbols_are_dealt_to_four_codewords_in_turn():
    frame = np.random.default_rng(5).integers(0, 256, (1, 892), np.uint8)
    block = coding.encode_frames(frame, 4)[0]
    for codeword in (block[k::4] for k in range(4)):
        assert np.array_equal(coding.parity(codeword[None, :223])[0], codeword[223:])


@pytest.mark.parametrize(("profile", "cadu_bytes"), [("high", 1024), ("low", 256)])
def test_a_cadu_has_the_length_heard_from_tianwen_1(profile, cadu_bytes):
    assert PROFILES[profile].cadu_bytes == cadu_bytes


def test_the_low_rate_sends_a_frame_each_quarter_of_a_second():
    assert PROFILES["low"].slot_ns == 250_000_000


def test_the_block_is_randomised_after_it_is_coded():
    profile = PROFILES["high"]
    frame = np.zeros((1, 892), np.uint8)
    assert np.array_equal(link.encode(frame, profile)[0], coding.randomizer(1020))
