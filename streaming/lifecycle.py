"""The states of a session, as a table.

A session waits for its configuration, then streams until its peer (or the server) ends it; then the finals that are still
owed go out, and it is closed. An operation that the table does not have in a state is a protocol violation there and
changes nothing.
"""

from __future__ import annotations

from enum import Enum

from streaming.errors import ProtocolViolation


class State(Enum):
    """Where a session is."""

    WAITING = "waiting for its configuration"
    STREAMING = "streaming"
    CLOSING = "closing"
    CLOSED = "closed"


class Operation(Enum):
    """What can happen to it."""

    CONFIGURE = "start"
    BIAS = "configure"
    AUDIO = "audio"
    FINALIZE = "finalize"
    END = "stop"
    FINISHED = "finished"


TRANSITIONS: dict[State, dict[Operation, State]] = {
    State.WAITING: {
        Operation.CONFIGURE: State.STREAMING,
        Operation.END: State.CLOSING,
    },
    State.STREAMING: {
        Operation.CONFIGURE: State.STREAMING,
        Operation.BIAS: State.STREAMING,
        Operation.AUDIO: State.STREAMING,
        Operation.FINALIZE: State.STREAMING,
        Operation.END: State.CLOSING,
    },
    State.CLOSING: {
        Operation.END: State.CLOSING,
        Operation.FINISHED: State.CLOSED,
    },
    State.CLOSED: {Operation.END: State.CLOSED},
}


def after(state: State, operation: Operation) -> State:
    """The next state. Raises ProtocolViolation for an operation that is not allowed."""
    following = TRANSITIONS[state].get(operation)
    if following is None:
        allowed = ", ".join(o.value for o in TRANSITIONS[state] if o is not Operation.FINISHED)
        raise ProtocolViolation(f"{operation.value} came while the session was {state.value}; expected {allowed}", field="type")
    return following
