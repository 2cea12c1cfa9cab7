"""Owns the shape of answers: JSON envelopes, XML for who doesn't ask for JSON, gateway errors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from reconciler.sandbox.clock import pacific
from reconciler.sandbox.exact import decode, encode
from reconciler.sandbox.faults import Fault

_NAMESPACE = "http://schema.intuit.com/finance/v3"
JSON = "application/json"
XML = "application/xml"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer to be."""

    status: int
    body: bytes
    content_type: str = JSON
    retry_after: int | None = None
    code: str = ""  # the fault's, for the counters
    replayed: bool = False
    xml: bytes = b""  # the same in XML, where that isn't told by the fields


def entity_answer(name: str, body: bytes, at: float) -> bytes:
    """`{"Invoice": {…}, "time": "…"}` around an encoded entity."""
    stamp = pacific(at, "milliseconds").encode()
    return b'{"%s":%s,"time":"%s"}' % (name.encode(), body, stamp)


def timed(fields: Mapping[str, Any], at: float) -> bytes:
    """An answer's fields with its `time`."""
    return encode({**fields, "time": pacific(at, "milliseconds")})


def fault_answer(fault: Fault, at: float, status: int) -> Answer:
    """A fault in QuickBooks's JSON."""
    return Answer(status, timed({"Fault": fault.body()}, at), code=fault.code)


def gateway_body(code: str, name: str, kind: str, status: int, detail: str, at: float) -> bytes:
    """The gateway's lower-case JSON (python-quickbooks#250, #118)."""
    error = {
        "message": f"message={name}; errorCode=00{code}; statusCode={status}",
        "detail": detail,
        "code": code,
        "element": None,
    }
    return encode(
        {
            "warnings": None,
            "intuitObject": None,
            "fault": {"error": [error], "type": kind},
            "report": None,
            "queryResponse": None,
            "batchItemResponse": [],
            "attachableResponse": [],
            "syncErrorResponse": None,
            "requestId": None,
            "time": int(at * 1000),
            "status": None,
            "cdcresponse": [],
        }
    )


def gateway_xml(code: str, name: str, kind: str, status: int, detail: str, at: float) -> bytes:
    """The gateway's XML, which comes even to who asked for JSON (PHP-SDK#54)."""
    message = f"message={name}; errorCode=00{code}; statusCode={status}"
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<IntuitResponse time="{pacific(at, "milliseconds")}" xmlns="{_NAMESPACE}">'
        f'<Fault type="{kind}"><Error code="{code}"><Message>{escape(message)}</Message>'
        f"<Detail>{escape(detail)}</Detail></Error></Fault></IntuitResponse>"
    ).encode()


def as_xml(answer: Answer) -> Answer:
    """The same answer in XML: what a request without a JSON Accept header gets."""
    text = answer.xml or _as_xml(answer.body)
    if text is None:
        return answer
    return Answer(answer.status, text, XML, answer.retry_after, answer.code, answer.replayed)


def _as_xml(body: bytes) -> bytes | None:
    fields = decode(body)
    if not isinstance(fields, dict) or "time" not in fields:
        return None
    moment = fields.pop("time")
    inner = "".join(_element(name, value) for name, value in fields.items())
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<IntuitResponse time={quoteattr(str(moment))} xmlns="{_NAMESPACE}">{inner}'
        "</IntuitResponse>"
    ).encode()


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if not isinstance(value, dict):
        return f"<{name}>{_text(value)}</{name}>"
    if "value" in value and _TEXT.issuperset(value):  # references, memos, HomeCurrency
        attributes = _attributes({key: one for key, one in value.items() if key != "value"})
        return f"<{name}{attributes}>{_text(value['value'])}</{name}>"
    held = {key: one for key, one in value.items() if key in _ATTRIBUTES.get(name, _ENTITY)}
    inner = "".join(_children(value, held))
    return f"<{name}{_attributes(held)}>{inner}</{name}>"


_TEXT = frozenset({"value", "name", "type", "id"})  # a text and its attributes
_ENTITY = ("domain", "sparse", "status", "startPosition", "maxResults", "totalCount")
_ATTRIBUTES = {"Fault": ("type",), "Error": ("code", "element"), "BatchItemResponse": ("bId",)}


def _children(value: dict[str, Any], held: dict[str, Any]) -> Iterator[str]:
    for key, one in value.items():
        if key not in held:
            yield _element(key, one)


def _attributes(values: dict[str, Any]) -> str:
    return "".join(
        f" {key}={quoteattr(_plain(one))}" for key, one in values.items() if one is not None
    )


def _text(value: Any) -> str:
    return escape(_plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
