"""Amounts and times as people read them."""

from datetime import UTC, datetime

from fl.market.terms import GWEI


def gwei(wei: int) -> str:
    """Wei as gwei with nine decimals at most, exact."""
    whole, rest = divmod(abs(wei), GWEI)
    text = f"{whole:,}" + (f".{rest:09}".rstrip("0") if rest else "")
    return "−" + text if wei < 0 else text


def short_gwei(wei: int) -> str:
    """Wei as gwei, to two decimals where they are needed."""
    text = f"{abs(wei) / GWEI:,.2f}".removesuffix(".00")
    return "−" + text if wei < 0 and text != "0" else text


def utc(time: int) -> str:
    """A Unix time, to the second."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: int) -> str:
    """A length of time by its two largest units: 2 h 5 min, 40 s."""
    parts = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"
