"""What the loop refuses, each naming a field, its value and the rule.

LoopError
├── BadRequestError   422: a value breaks a rule
├── NotFoundError     404: nothing has that name
└── ConflictError     409: it contradicts what was accepted before
"""


class LoopError(ValueError):
    """A request that is refused.

    Args:
        field: Path of the field, such as `context.device`.
        value: What it holds.
        rule: What it has to be, with the remedy where there is one.
    """

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field = field
        self.value = value
        self.rule = rule
        super().__init__(f"{field}: {rule}")


class BadRequestError(LoopError):
    """A value breaks a rule."""


class NotFoundError(LoopError):
    """Nothing has that name."""


class ConflictError(LoopError):
    """It contradicts what was accepted before."""
