"""Everything Underspend raises on purpose. The docstring of each class is its message.

UnderspendError
├── ConfigError        a setting is wrong
├── PortTakenError     the address to listen on is in use
├── StoreError         the ledger cannot be used
│   ├── StoreLockedError
│   └── StoreNewerError
├── NotFoundError      nothing by that name
├── MeterError         a body that is no reply
├── SettingsError      a client's own settings file cannot be read or written
├── CannotCarryError   a request that the provider's dialect cannot say
└── UnreachableError   a server that should answer does not
"""

from __future__ import annotations


class UnderspendError(Exception):
    """Something went wrong."""

    exit_code = 1

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(str(self))

    def __str__(self) -> str:
        template = " ".join((type(self).__doc__ or "").split())
        return " ".join(template.format(**self.details).splitlines())


class ConfigError(UnderspendError):
    """{where}: {problem}. {mend}"""

    exit_code = 2


class PortTakenError(UnderspendError):
    """{host}:{port} is in use, perhaps by another underspend.
    Choose another with --port, or see `underspend status`.
    """

    exit_code = 3


class StoreError(UnderspendError):
    """The ledger at {path} cannot be used: {problem}."""

    exit_code = 4


class StoreLockedError(StoreError):
    """The ledger at {path} is locked by another program. Close it and run the command again."""


class StoreNewerError(StoreError):
    """The ledger at {path} was written by a newer Underspend (schema {found}, this one knows {known}).
    Update Underspend.
    """


class NotFoundError(UnderspendError):
    """No {kind} {name}. {mend}"""

    exit_code = 5


class MeterError(UnderspendError):
    """{source} is not a reply that can be metered: {problem}."""

    exit_code = 6


class SettingsError(UnderspendError):
    """{path}: {problem}. {mend}"""

    exit_code = 7


class CannotCarryError(UnderspendError):
    """{what} cannot be sent to {provider}: {problem}. {mend}"""

    exit_code = 9


class UnreachableError(UnderspendError):
    """Nothing answers at {url}: {problem}. {mend}"""

    exit_code = 8
