"""The tabs of Zhurong's package, as the live page has them."""

from downlink_pipeline.commands.tabs import package_tabs
from downlink_pipeline.dashboard.tabs import makers, shown

TABS = [tab for tab in package_tabs() if tab.mission == "zhurong"]
SHOWN = shown(TABS)
LOOKS = tuple(makers(TABS))
