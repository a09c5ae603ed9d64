"""The lanes of the bill as reports name them."""

from underspend.core.usage import Lane

EXTRA = "extra"
"""What is billed beside tokens: web searches and the like."""

LANE_NAMES = {
    Lane.INPUT.value: "fresh input",
    Lane.CACHE_WRITE_5M.value: "cache write 5m",
    Lane.CACHE_WRITE_1H.value: "cache write 1h",
    Lane.CACHE_READ.value: "cache read",
    Lane.OUTPUT.value: "output",
    EXTRA: "searches and fees",
}
"""The lanes in words."""
