from downlink_pipeline.system.backoff import Backoff


def test_pauses_double_up_to_the_longest_and_begin_again_after_a_success():
    backoff = Backoff(0.1, 1.0)
    assert [backoff.next_s() for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert backoff.next_s() == 0.1


def test_a_first_pause_is_never_longer_than_the_longest():
    assert Backoff(5.0, 1.0).next_s() == 1.0
