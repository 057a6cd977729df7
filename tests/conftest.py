"""Shared fixtures: a given frame, tiny models, and a browser."""

import numpy as np
import pytest
import tiny
import torch
from browser import ARGS, chromium_path
from playwright.sync_api import sync_playwright

from chain_of_steps.models.video_model import VideoModel


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tiny tensors are not worth a second thread, here and in the processes that tests start."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def picture() -> np.ndarray:
    """A given frame, (32, 32, 3) uint8."""
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


@pytest.fixture(params=tiny.PIPELINES)
def model(request) -> VideoModel:
    """Each kind of tiny model in turn."""
    return VideoModel(tiny.PIPELINES[request.param](), request.param)


@pytest.fixture(scope="module")
def browser():
    """Chromium, closed after each module: papermill cannot run while playwright does."""
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()
