"""What went wrong, named by what happens next.

    ConnectorError
    ├── RetryLater        transient: try this record again, not before `after` seconds
    │   ├── InDoubt       a change was sent and its outcome is unknown: find before creating again
    │   └── Unreachable   the whole system does not answer: no record is to blame
    ├── RecordFailed      this record needs a person
    ├── SkipRecord        nothing to do, or a setting says no
    └── StopRun           wrong set-up: nothing in this run can succeed
        └── AccessDenied  credentials or rights: never repeated in a loop, accounts get locked

The message of each is a sentence for a shop admin with the subject in it: which order, which field, what was received.
Anything else that is raised is a fault of ours; the worker records it once, with its traceback.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Everything a connector says on purpose."""


class RetryLater(ConnectorError):
    """Transient. `after` is the least number of seconds to wait; None lets the engine choose (back-off with jitter).

    `counts` is False when the wait itself was the plan (an index that lags, a lease held by another run): such a
    wait is not counted as a failed attempt.

    `aside`: it waits for something that no run can hurry, such as an invoice that is not made yet. No run lasts longer for
    it, what comes after it goes ahead (`Known.earlier_due`), and it is tried again as soon as a record of the same number
    was written, at the latest after `after` seconds. It is not counted either.
    """

    def __init__(self, message: str, *, after: float | None = None, counts: bool = True, aside: bool = False) -> None:
        super().__init__(message)
        self.after = after
        self.counts = counts and not aside
        self.aside = aside


class InDoubt(RetryLater):
    """A change was sent and no trustworthy answer came back: it may or may not have happened."""


class Unreachable(RetryLater):
    """The system does not answer at all, or says that it is closed for maintenance. Nothing was changed."""


class RecordFailed(ConnectorError):
    """This record needs a person; the message says what to do. Other records go on.

    `setting` names the setting that a person has to complete or change, where one is to blame.
    """

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


class SkipRecord(ConnectorError):
    """Nothing to do. `setting` names the setting that says no, None when there is simply nothing to do.

    `only_new`: the reason speaks against creating the record anew (a filter, a replaced order); what the target has of
    it already is kept up to date all the same.
    """

    def __init__(self, reason: str, *, setting: str | None = None, only_new: bool = False) -> None:
        super().__init__(reason)
        self.setting = setting
        self.only_new = only_new


class StopRun(ConnectorError):
    """Nothing in this run can succeed until a person acts; the message says what to do."""


class AccessDenied(StopRun):
    """Wrong credentials or a missing right. The connection is marked; nothing is repeated."""
