"""How to show untrusted values in messages. Pure."""


def shown(value: object, limit: int = 40) -> str:
    """Show a caller's value in a message: printable, short, at bounded cost, written as in JSON."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = ascii(value[: limit + 1] if isinstance(value, str) else value)
    return text if len(text) <= limit + 2 else f"{text[:limit]}…"


def shown_name(name: str, limit: int = 40) -> str:
    """Show a caller's name in a message: printable and short like `shown`, but not quoted."""
    text = ascii(name[: limit + 1])[1:-1]
    return text if len(text) <= limit else f"{text[:limit]}…"
