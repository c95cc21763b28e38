"""What a user of TensorBoard sees of a training: its pages in a headless Chromium."""
import re

import browser
import numpy as np
import pytest
from tensorboard_runs import fit, tensorboard, two_branches

pytest.importorskip("tensorboard", exc_type=ImportError)
if not browser.EXECUTABLE:
    pytest.skip("there is no Chromium here: apt-get install chromium", allow_module_level=True)

WEIGHTS = {f"{layer}/{weight}" for layer in ("left", "right", "classes") for weight in ("kernel", "bias")}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """(history, a function that opens a tab with options, the browser, a folder for pictures)."""
    logs, pictures = tmp_path_factory.mktemp("logs"), tmp_path_factory.mktemp("pictures")
    history = fit(two_branches(), logs, histogram_freq=1, write_images=True)
    profile = tmp_path_factory.mktemp("profile")
    with tensorboard(logs, epochs=3) as (_, address), browser.Browser(profile, size=(1280, 1600)) as page:
        yield history, lambda tab: page.open(f"{address}/#{tab}"), page, pictures


def corners(path):
    """The points of an SVG path of straight lines."""
    return np.array(re.findall(r"[ML](-?[\d.e-]+),(-?[\d.e-]+)", path), float)


def test_the_curves_are_those_of_the_history(seen):
    history, open_tab, page, pictures = seen
    open_tab("scalars&_smoothingWeight=0&_ignoreYOutliers=false")
    page.click("button.heading", "epoch_loss")  # only the first groups of cards are open
    lines = page.wait_for("""Object.fromEntries(everywhere('tf-scalar-card').map(card =>
        [card.tag, everywhere('path.line', card.shadowRoot).map(line => line.getAttribute('d'))]))""",
        lambda found: all([len(corners(line)) for line in found.get(f"epoch_{name}", [])] == [3, 3]
                          for name in ("loss", "accuracy")))
    page.picture(pictures / "scalars.png")
    for name in ("loss", "accuracy"):
        values = np.array([history[name], history[f"val_{name}"]])
        drawn = np.array([corners(line)[:, 1] for line in lines[f"epoch_{name}"]])
        if abs(np.corrcoef(drawn.ravel(), values.ravel())[0, 1]) < 0.999:  # the order of the two runs is not fixed
            drawn = drawn[::-1]
        # One straight scale takes the numbers to heights, upwards.
        scale, start = np.polyfit(values.ravel(), drawn.ravel(), 1)
        assert scale < 0
        np.testing.assert_allclose(drawn, scale * values + start, atol=1e-3 * np.ptp(drawn))


def test_each_weight_has_a_histogram_for_every_epoch(seen):
    _, open_tab, page, pictures = seen
    open_tab("histograms")
    page.click("button.heading", "right")
    drawn = page.wait_for("""Object.fromEntries(everywhere('tf-histogram-loader').map(card =>
        [card.tag, everywhere('path.outline', card.shadowRoot).map(line => (line.getAttribute('d') || '').length)]))""",
        lambda found: len(found) == len(WEIGHTS) and all(len(outlines) == 3 for outlines in found.values()))
    page.picture(pictures / "histograms.png")
    assert set(drawn) == {f"{name}/histogram" for name in WEIGHTS}
    assert min(length for outlines in drawn.values() for length in outlines) > 100


def test_weights_are_seen_as_pictures_of_their_size(seen):
    _, open_tab, page, pictures = seen
    open_tab("images")
    sizes = page.wait_for("""Object.fromEntries(everywhere('tf-image-loader').map(card =>
        [card.tag, everywhere('img', card.shadowRoot).map(image => [image.naturalWidth, image.naturalHeight])[0]]))""",
        lambda found: len(found) >= 4 and all(size and size[0] for size in found.values()))
    page.picture(pictures / "images.png")
    assert sizes["classes/kernel/image"] == [4, 3] and sizes["left/kernel/image"] == [64, 4]


def test_the_graph_shows_layers_and_their_connections_at_once(seen):
    _, open_tab, page, pictures = seen
    open_tab("graphs")
    edges = page.wait_for("everywhere('g.edge').map(edge => edge.getAttribute('data-edge'))", lambda found: len(found) > 5)
    nodes = page.evaluate("everywhere('g.node').map(node => node.getAttribute('data-name'))")
    page.wait_for("everywhere('g.node').map(node => node.getBoundingClientRect().width)")  # until it fills the page
    page.picture(pictures / "graphs.png")
    assert set(nodes) == {"image", "flat", "left", "right", "add", "classes"}
    assert set(edges) == {"image--flat", "flat--left", "flat--right", "left--add", "right--add", "add--classes"}


def test_the_first_page_shows_cards_of_every_kind(seen):
    _, open_tab, page, pictures = seen
    open_tab("timeseries")
    for card in ("scalar-card canvas, scalar-card svg", "histogram-card tb-histogram", "image-card img"):
        page.wait_for(f"everywhere('{card}').length")
    page.picture(pictures / "timeseries.png")
