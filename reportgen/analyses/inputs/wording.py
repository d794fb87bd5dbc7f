"""What several parts of this section say alike."""

SUSPECTS_FILE = "inputs-suspect-labels.csv"
ORDER_FILE = "inputs-classes.json"
COPIES_FILE = "inputs-copies.csv"
MORE_TIME = "Raise inputs.seconds."
LATE = f"No time was left to ask. {MORE_TIME}"


def say_left(left: int) -> str:
    """How many more were to be tried, when the time was over; empty if none."""
    return f" No time was left to try {left} more: raise inputs.seconds." if left else ""


def say_change(kind: str, strength: float) -> str:
    """A change in words."""
    return {
        "shift": f"moved by {strength:.0f} pixel{'s' if strength != 1 else ''}",
        "mirror": "mirrored",
        "brightness": f"brighter by {strength:.0%}",
        "JPEG": f"stored as JPEG of quality {strength:.0f}",
        "noise": f"with noise of {strength:.0%}",
        "blur": f"blurred by {strength:g} pixel{'s' if strength != 1 else ''}",
        "contrast": f"with {strength:.0%} of their contrast",
    }[kind]
