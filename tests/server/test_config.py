"""Settings from defaults, file, environment and flags."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.config import PREFIX, BadSetting, Config, described, load

NAMES = {f.name: f for f in fields(Config)}


def test_later_wins(tmp_path: Path):
    file = tmp_path / "stenoline.toml"
    file.write_text('port = 1\nsilence_ms = 300\nlanguage = "zh"\nallow_origin = ["https://a.example"]\n')
    config = load({"port": "3", "host": None}, {"STENOLINE_PORT": "2", "STENOLINE_SILENCE_MS": "400"}, file)
    assert (config.port, config.silence_ms, config.language) == (3, 400, "zh")
    assert config.allow_origin == ("https://a.example",) and config.host == "127.0.0.1"


def test_every_setting_can_be_set_in_each_way(tmp_path: Path):
    texts = {bool: "true", int: "", float: "", str: "", tuple: "x.example, y.example"}
    for name, f in NAMES.items():
        rule = f.metadata
        value = "false" if f.default is True else texts[type(f.default)]
        value = ",".join(rule["choices"][:2]) if rule["choices"] and type(f.default) is tuple else value
        value = value or (rule["choices"][-1] if rule["choices"] else str(rule["high"] or "text"))
        if name.startswith("tls_"):
            continue  # the two come together
        by_flag, by_variable = load({name: value}, {}), load({}, {PREFIX + name.upper(): value})
        assert getattr(by_flag, name) == getattr(by_variable, name) != f.default
        quoted = value if type(f.default) in (bool, int, float) else f"{value!r}".replace("'", '"')
        (tmp_path / "one.toml").write_text(f"{name} = {quoted}\n")
        assert getattr(load({}, {}, tmp_path / "one.toml"), name) == getattr(by_flag, name)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"port": "abc"}, r"port is 'abc', expected a whole number"),
        ({"port": "70000"}, r"port is 70000, expected 0 to 65,535"),
        ({"port": "-1"}, r"port is -1, expected"),
        ({"silence_ms": "1.5"}, r"silence_ms is '1.5', expected a whole number"),
        ({"idle_s": "soon"}, r"idle_s is 'soon', expected a number"),
        ({"idle_s": "nan"}, r"idle_s is nan, expected"),
        ({"redact": "email,name"}, r"redact has 'name', expected some of email, phone, card, number"),
        ({"script": "klingon"}, r"script is 'klingon', expected one of nothing, simplified, traditional"),
        ({"precision": "int4"}, r"precision is 'int4', expected one of auto, int8"),
        ({"insecure": "perhaps"}, r"insecure is 'perhaps', expected true or false"),
        ({"tls_cert": "a.pem"}, r"tls_cert and tls_key come together"),
        ({"log_level": "loud"}, r"log_level is 'loud', expected one of debug"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(flags, message):
    with pytest.raises(BadSetting, match=message):
        load(flags, {})
    with pytest.raises(BadSetting, match=message):
        load({}, {PREFIX + name.upper(): value for name, value in flags.items()})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("prot = 1", r"unknown setting 'prot'; known ones: host, port"),
        ("port = ", "is not TOML"),
        ("port = true", r"port is True, expected a whole number"),
        ('port = "x"', r"port is 'x', expected a whole number"),
        ("host = 5", r"host is 5, expected text"),
        ("allow_host = 5", r"allow_host is 5, expected a list of texts"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, content: str, message: str):
    (tmp_path / "s.toml").write_text(content)
    with pytest.raises(BadSetting, match=message):
        load({}, {}, tmp_path / "s.toml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(BadSetting, match=r"config file .*nowhere\.toml cannot be read: No such file"):
        load({}, {}, tmp_path / "nowhere.toml")


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), st.text(max_size=12), max_size=4))
def test_any_environment_gives_settings_or_a_named_fault(values):
    try:
        load({}, {PREFIX + name.upper(): value for name, value in values.items()})
    except BadSetting as error:
        assert any(name in str(error) for name in values)


def test_every_help_says_the_unit():
    for name, f in NAMES.items():
        for suffix, unit in (("_ms", "in ms"), ("_s", "in s"), ("_bytes", "in bytes")):
            if name.endswith(suffix):
                assert unit in f.metadata["help"], name


def test_only_what_differs_is_logged():
    assert described(Config()) == {} and described(Config(port=9)) == {"port": 9}
