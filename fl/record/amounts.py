"""Wei as people read them."""

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
