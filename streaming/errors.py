"""What can go wrong in a session, by whose fault it is.

TranscriptionError
├── ClientFault
│   ├── ProtocolViolation   a message that is malformed, or not allowed at this point
│   ├── UnsupportedAudio    a format, rate, channel count or sample value that cannot be used
│   └── LimitExceeded       too big, too long, too much, too quiet for too long
└── ServerFault
    ├── Overloaded          no capacity
    ├── RecogniserFailed    the model failed on this session's audio
    └── ShuttingDown        the server is going away

Every error names the offending `field` where there is one, and its message says the value and what was expected.
`code` is stable and part of the protocols; `close_code` is the WebSocket code used if the error ends the session.
"""

from __future__ import annotations


class TranscriptionError(Exception):
    """Base of all errors that a peer may be told about."""

    code = "internal"
    close_code = 1011
    about: str | None = None  # the peer's own name of the message at fault, if it has one

    def __init__(self, message: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        if code is not None:
            self.code = code


class ClientFault(TranscriptionError):
    """The peer did something that it must change."""

    code, close_code = "invalid_request", 1008


class ProtocolViolation(ClientFault):
    """A message is malformed or not allowed at this point."""

    code, close_code = "protocol_violation", 1008


class UnsupportedAudio(ClientFault):
    """Audio in a form that cannot be used."""

    code, close_code = "unsupported_audio", 1003


class LimitExceeded(ClientFault):
    """A limit was passed."""

    code, close_code = "limit_exceeded", 1008


class ServerFault(TranscriptionError):
    """Our fault; the peer may try again."""

    code, close_code = "server_error", 1011


class Overloaded(ServerFault):
    """No capacity for this session or for more of its audio."""

    code, close_code = "overloaded", 1013


class RecogniserFailed(ServerFault):
    """The recogniser failed on this session's audio."""

    code, close_code = "recogniser_failed", 1011


class ShuttingDown(ServerFault):
    """The server is draining."""

    code, close_code = "shutting_down", 1012
