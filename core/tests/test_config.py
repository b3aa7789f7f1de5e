"""The table of environment variables, and the page that shows it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import smartsim
from smartsim import config
from smartsim._core.config import CONFIG, get_config
from smartsim.error import SSConfigError
from smartsim.wlm import detect_launcher

SOURCES = Path(smartsim.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "environment.md"
NUMBERS = [variable for variable in config.VARIABLES if isinstance(variable.default, (int, float))]
PATHS_AND_NAMES = [variable for variable in config.VARIABLES if isinstance(variable.default, str)]


def ids(variable):
    return variable.name


def test_names_are_unique():
    names = [variable.name for variable in config.VARIABLES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("variable", config.VARIABLES, ids=ids)
@pytest.mark.parametrize("environ", [{}, {"": ""}])
def test_unset_means_default(variable, environ):
    assert variable.read(environ) == variable.default
    assert not variable.is_set(environ)


@pytest.mark.parametrize("variable", config.VARIABLES, ids=ids)
def test_empty_means_unset(variable):
    assert variable.read({variable.name: " "}) == variable.default


@pytest.mark.parametrize("variable", NUMBERS, ids=ids)
@pytest.mark.parametrize("text", ["ten", "1e", "0x10", "--1", "nan"])
def test_a_bad_number_is_named(variable, text):
    with pytest.raises(SSConfigError) as caught:
        variable.read({variable.name: text})
    message = str(caught.value)
    assert variable.name in message
    assert repr(text) in message
    assert variable.kind in message
    assert variable.shown_default in message


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        (config.JM_INTERVAL, "0"),
        (config.JM_INTERVAL, "-1"),
        (config.JM_INTERVAL, "inf"),
        (config.STOP_GRACE, "-0.1"),
        (config.TELEMETRY_FREQUENCY, "0"),
        (config.TELEMETRY_FREQUENCY, "601"),
        (config.TEST_PORT, "65536"),
        (config.WLM_TRIALS, "0"),
        (config.TEST_BATCH_RESOURCES, "{"),
    ],
)
def test_out_of_range(variable, text):
    with pytest.raises(SSConfigError, match=variable.name):
        variable.read({variable.name: text})


def test_batch_resources_must_be_an_object():
    assert config.TEST_BATCH_RESOURCES.read({"SMARTSIM_TEST_BATCH_RESOURCES": '{"nodes": 2}'}) == {"nodes": 2}
    with pytest.raises(TypeError, match="JSON object"):
        config.TEST_BATCH_RESOURCES.read({"SMARTSIM_TEST_BATCH_RESOURCES": "[1]"})


def test_good_values():
    assert config.JM_INTERVAL.read({"SMARTSIM_JM_INTERVAL": "0.5"}) == 0.5
    assert config.STOP_GRACE.read({"SMARTSIM_STOP_GRACE": "0"}) == 0
    assert config.PLUGINS.read({"SMARTSIM_PLUGINS": " a, b ,,"}) == ("a", "b")
    assert config.TEST_NUM_PORTS.read({"SMARTSIM_TEST_NUM_PORTS": "3"}) == 25


@given(st.sampled_from(config.VARIABLES), st.text())
def test_reading_gives_the_kind_or_a_clear_error(variable, text):
    try:
        value = variable.read({variable.name: text})
    except (SSConfigError, TypeError) as error:
        value, problem = variable.default, str(error)
    else:
        problem = variable.name
    assert variable.name in problem
    assert isinstance(value, type(variable.default))


@given(st.integers(1, 600))
def test_integers_round_trip(number):
    assert config.TELEMETRY_FREQUENCY.read({config.TELEMETRY_FREQUENCY.name: f" {number} "}) == number


# --- telemetry -------------------------------------------------------------------------------------------------------


@given(st.booleans(), st.booleans())
def test_our_own_word_is_not_taken_for_a_request(enabled, asked):
    environ: dict[str, str] = {}
    config.set_telemetry(environ, enabled, asked=asked)
    assert config.telemetry_enabled(environ) is enabled
    assert config.telemetry_requested(environ) is (enabled and asked)


@given(st.dictionaries(st.sampled_from(["SMARTSIM_FLAG_TELEMETRY", "SMARTSIM_FLAG_TELEMETRY_DEFAULTED"]), st.text()))
def test_asking_whether_telemetry_is_requested_never_raises(environ):
    assert config.telemetry_requested(environ) in {True, False}


# --- nothing is read that is not in the table ------------------------------------------------------------------------


def test_every_variable_in_the_sources_is_in_the_table():
    known = {variable.name for variable in config.VARIABLES}
    pattern = re.compile(r"^SMARTSIM_[A-Z_]+$")
    # The first word of a line of output; what the supervisor sets for jobs, to recognise them later.
    ours = {"SMARTSIM_ORC_SHARD_INFO", "SMARTSIM_JOB", "SMARTSIM_JOB_EXPERIMENT"}
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and pattern.match(node.value):
                assert node.value in known | ours, f"{path}: {node.value} is missing in smartsim.config"


def test_the_page_shows_the_table():
    text = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- table: from smartsim.config -->\n", "<!-- end of table -->"
    shown = text.partition(begin)[2].partition(end)[0]
    assert shown.strip() == config.documentation().strip(), (
        "update the page: python -c 'from smartsim import config; print(config.documentation())'"
    )


# --- 0.8's names -----------------------------------------------------------------------------------------------------


def test_config_under_old_names(monkeypatch):
    for name in list(config.VARIABLES):
        monkeypatch.delenv(name.name, raising=False)
    assert get_config() is CONFIG
    assert CONFIG.telemetry_subdir == ".smartsim/telemetry"
    assert CONFIG.telemetry_enabled is True
    assert (CONFIG.telemetry_frequency, CONFIG.telemetry_cooldown) == (5, 90)
    assert (CONFIG.jm_interval, CONFIG.wlm_trials) == (10, 10)
    assert (CONFIG.test_launcher, CONFIG.test_device, CONFIG.test_num_gpus, CONFIG.test_port) == (
        "local",
        "CPU",
        1,
        6780,
    )
    assert CONFIG.test_batch_resources == {}
    assert CONFIG.test_account is None
    assert CONFIG.test_alloc_spec_sheet_path is None
    assert CONFIG.test_interface
    monkeypatch.setenv("SMARTSIM_TEST_INTERFACE", "lo,eth0")
    monkeypatch.setenv("SMARTSIM_TEST_LAUNCHER", "other")
    assert CONFIG.test_interface == ["lo", "eth0"]
    assert CONFIG.test_launcher == "other"
    with pytest.raises(AttributeError, match="no_such"):
        _ = CONFIG.no_such


def test_database_settings(monkeypatch, tmp_path):
    for name in ("REDIS_PATH", "REDIS_CLI_PATH", "REDIS_CONF"):
        monkeypatch.delenv(name, raising=False)
    assert Path(CONFIG.database_exe).is_file()
    assert Path(CONFIG.database_conf).is_file()
    client = tmp_path / "redis-cli"
    client.write_text("#!/bin/sh\n")
    client.chmod(0o755)
    monkeypatch.setenv("REDIS_CLI_PATH", str(client))
    assert CONFIG.database_cli == str(client)
    monkeypatch.setenv("REDIS_PATH", str(tmp_path / "absent"))
    with pytest.raises(SSConfigError, match="absent"):
        _ = CONFIG.database_exe


def test_detection_needs_no_scheduler():
    assert isinstance(detect_launcher(), str)
