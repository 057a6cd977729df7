"""Which Ray cluster is used: the one on the command line, never one that a variable names; and an
address where nothing answers does not block."""

import os
import socket
import sys
import time

import pytest

from chain_of_steps.experiments import ray_cluster


class FakeRay:
    """Ray, as far as it is asked to connect."""

    def __init__(self):
        self.asked, self.seen = [], []

    def is_initialized(self):
        return False

    def init(self, **how):
        self.asked.append(how["address"])
        self.seen.append(os.environ.get("RAY_ADDRESS"))


@pytest.fixture
def fake(monkeypatch):
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


@pytest.mark.parametrize(("given", "asked"), [(None, "local"), ("auto", "auto"), ("h:1", "h:1")])
def test_a_cluster_named_by_a_variable_is_ignored(fake, monkeypatch, given, asked):
    monkeypatch.setenv("RAY_ADDRESS", "ray://other:10001")
    monkeypatch.setattr(ray_cluster, "_refuse_silence", lambda address: None)
    with pytest.warns(UserWarning, match="RAY_ADDRESS=ray://other:10001 is ignored; .* --address"):
        ray_cluster.connect(given)
    assert fake.asked == [asked] and fake.seen == [None]


def test_where_something_else_listens_the_wait_ends(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr(ray_cluster, "PATIENCE", 10)
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never says a word
        address = f"127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ValueError, match=rf"no Ray cluster answer.* at '{address}'; start one"):
            ray_cluster._refuse_silence(address)
    assert time.monotonic() - began < 30


def test_where_nothing_listens_it_is_said(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr(ray_cluster, "PATIENCE", 10)
    with pytest.raises(ValueError, match=r"no Ray cluster answer.* at '127\.0\.0\.1:9'; start one"):
        ray_cluster._refuse_silence("127.0.0.1:9")
