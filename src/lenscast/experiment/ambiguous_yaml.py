"""What readers of YAML make of a text on which its versions differ, and what to write in its place."""

import re


def ambiguous(text: str, kind: str) -> str:
    """What readers of YAML make of a text, and what to write in its place."""
    quoted = f"'{text}'"
    if kind == "boolean":
        return f"{text} is true or false to some readers of YAML; write {quoted} if it is a name"
    if kind == "date":
        return f"{text} is a date to some readers of YAML; write a number, or {quoted} if it is a name"
    return f"{text} is {_readings(text, kind)}; write {_decimal(text, kind)}, or {quoted} if it is a name"


def _readings(text: str, kind: str) -> str:
    """Numbers that readers of YAML take a text for."""
    if kind == "base_60":
        return f"{_base_60(text)} (base 60) to some readers of YAML"
    if kind == "integer" and re.fullmatch(r"[-+]?0[0-7_]+", text):
        return f"{int(text.replace('_', ''), 8)} (octal) to some readers of YAML and {_decimal(text, kind)} to others"
    return "a number to some readers of YAML and text to others"


def _decimal(text: str, kind: str) -> str:
    """The decimal number that a text most likely stands for."""
    plain = text.replace("_", "")
    if kind == "base_60":
        return _base_60(text)
    if kind == "integer" and re.fullmatch(r"[-+]?0[obx].+", plain):
        return str(int(plain, 0))
    return re.sub(r"^([-+]?)0+(?=\d)", r"\1", plain).lstrip("+")


def _base_60(text: str) -> str:
    """A number in base 60 as a decimal one."""
    sign = -1 if text.startswith("-") else 1
    *whole, last = text.lstrip("+-").replace("_", "").split(":")
    value = 0
    for part in whole:
        value = 60 * value + int(part)
    return f"{sign * (60 * value + float(last)):.15g}"
