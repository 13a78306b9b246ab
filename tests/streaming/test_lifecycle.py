"""The table of session states."""

import pytest

from streaming.errors import ProtocolViolation
from streaming.lifecycle import TRANSITIONS, Operation, State, after


def test_every_pair_is_either_in_the_table_or_a_violation():
    for state in State:
        for operation in Operation:
            if operation in TRANSITIONS[state]:
                assert after(state, operation) is TRANSITIONS[state][operation]
            else:
                with pytest.raises(ProtocolViolation, match=f"{operation.value} came while the session was {state.value}"):
                    after(state, operation)


def test_every_state_can_come_to_its_end():
    for state in State:
        for operation in (Operation.END, Operation.FINISHED):
            state = TRANSITIONS[state].get(operation, state)
        assert state is State.CLOSED
