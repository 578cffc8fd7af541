import pytest
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.mqtt.address import BrokerAddress, read_address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://localhost", BrokerAddress("localhost", 1883)),
        ("mqtts://broker.example:8884/", BrokerAddress("broker.example", 8884, tls=True)),
        ("mqtts://broker.example", BrokerAddress("broker.example", 8883, tls=True)),
        ("mqtt://[::1]:1999", BrokerAddress("::1", 1999)),
        ("mqtts://anna:p%40ss%3A@host", BrokerAddress("host", 8883, "anna", "p@ss:", tls=True)),
        ("mqtt://anna@host", BrokerAddress("host", 1883, "anna")),
        ("mqtt://anna:@host", BrokerAddress("host", 1883, "anna", "")),
    ],
)
def test_a_url_says_where_the_broker_is(url, expected):
    assert read_address(url, {"DOWNLINK_BROKER": url}) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "localhost:1883",
        "http://host",
        "mqtt://",
        "mqtt://:1883",
        "mqtt://host:99999",
        "mqtt://host:0",
        "mqtt://host:port",
        "mqtt://host/topic",
        "mqtt://host?tls=yes",
        "mqtt://ho st",
        "mqtt://[::1",
        "mqtt://:sesame@host",
    ],
)
def test_what_is_no_broker_url_is_one_line_that_says_how_it_is_written(url):
    with pytest.raises(ConfigError, match=r"^the broker's URL [^\n]* mqtt://\[user[^\n]*$"):
        read_address(url, {})


def test_an_error_does_not_show_the_password():
    with pytest.raises(ConfigError) as caught:
        read_address("mqtt://anna:sesame@host:port", {})
    assert "sesame" not in str(caught.value)


def test_a_password_in_a_url_that_is_not_the_environments_is_refused_and_not_told():
    with pytest.raises(ConfigError, match=r"^[^\n]*DOWNLINK_BROKER_PASSWORD_FILE[^\n]*$") as caught:
        read_address("mqtt://anna:sesame@host", {"DOWNLINK_BROKER": "mqtt://anna@host"})
    assert "sesame" not in str(caught.value)


def test_the_password_shows_neither_in_str_nor_in_repr():
    url = "mqtts://anna:sesame@host"
    address = read_address(url, {"DOWNLINK_BROKER": url})
    assert str(address) == "mqtts://anna@host:8883"
    assert "sesame" not in repr(address)


def test_a_numeric_host_is_shown_as_it_is_written():
    assert str(BrokerAddress("::1", 8883, tls=True)) == "mqtts://[::1]:8883"


def test_the_password_of_a_user_comes_from_the_environment():
    assert read_address("mqtts://anna@host", {"DOWNLINK_BROKER_PASSWORD": "sesame"}).password == "sesame"


def test_the_password_comes_from_a_file_without_its_line_end(tmp_path):
    (tmp_path / "secret").write_text("sesame\n")
    environ = {"DOWNLINK_BROKER_PASSWORD_FILE": str(tmp_path / "secret"), "DOWNLINK_BROKER_PASSWORD": "other"}
    assert read_address("mqtts://anna@host", environ).password == "sesame"


def test_a_password_file_that_is_missing_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"^\$DOWNLINK_BROKER_PASSWORD_FILE: cannot read \S+: No such file"):
        read_address("mqtt://anna@host", {"DOWNLINK_BROKER_PASSWORD_FILE": str(tmp_path / "secret")})


def test_without_a_user_the_environments_password_is_not_used():
    assert read_address("mqtt://host", {"DOWNLINK_BROKER_PASSWORD": "sesame"}).password is None


def test_a_broker_that_is_not_ours_is_taken_to_be_alive():
    assert BrokerAddress("host", 1883).alive


@pytest.mark.parametrize("name", ["DOWNLINK_TLS_CA", "DOWNLINK_TLS_CERT", "DOWNLINK_TLS_KEY"])
@pytest.mark.parametrize("host", ["localhost", "broker.example"])
def test_tls_files_for_a_url_without_tls_are_a_mistake_and_not_ignored(name, host):
    with pytest.raises(ConfigError, match=rf"^[^\n]*\${name} is set: write mqtts://[^\n]*$"):
        read_address(f"mqtt://{host}", {name: "/a/file"})
    assert read_address(f"mqtt://{host}", {name: ""}).port == 1883


@pytest.mark.parametrize("host", ["broker", "192.0.2.7", "[2001:db8::1]", "0.0.0.0", "localhost.example"])
def test_a_password_leaves_this_machine_without_tls_only_where_that_is_asked_for(host):
    environ = {"DOWNLINK_BROKER_PASSWORD": "sesame"}
    with pytest.raises(ConfigError, match=r"^the password would go to [^\n]*DOWNLINK_BROKER_IN_CLEAR=yes[^\n]*$"):
        read_address(f"mqtt://anna@{host}", environ)
    assert read_address(f"mqtts://anna@{host}", environ).password == "sesame"
    assert read_address(f"mqtt://anna@{host}", environ | {"DOWNLINK_BROKER_IN_CLEAR": "yes"}).password == "sesame"
    url = f"mqtt://anna:sesame@{host}"
    with pytest.raises(ConfigError, match="without TLS"):
        read_address(url, {"DOWNLINK_BROKER": url, "DOWNLINK_BROKER_IN_CLEAR": "no"})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_a_password_to_this_machine_needs_no_tls(host):
    assert read_address(f"mqtt://anna@{host}", {"DOWNLINK_BROKER_PASSWORD": "sesame"}).password == "sesame"


def test_a_consent_that_is_neither_yes_nor_no_is_a_mistake():
    with pytest.raises(ConfigError, match="it is yes or no"):
        read_address("mqtt://host", {"DOWNLINK_BROKER_IN_CLEAR": "maybe"})
