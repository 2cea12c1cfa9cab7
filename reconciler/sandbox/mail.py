"""Owns what leaves a form on paper: its PDF, and sending it by e-mail (40 a day in a sandbox)."""

from reconciler.sandbox import faults, reading
from reconciler.sandbox.answers import Answer, entity_answer
from reconciler.sandbox.clock import pacific
from reconciler.sandbox.faults import Error, Fault
from reconciler.sandbox.fields.entities import SALES_FORMS
from reconciler.sandbox.fields.entity import Entity
from reconciler.sandbox.fields.kinds import Email, Findings
from reconciler.sandbox.realm import Realm
from reconciler.sandbox.table import Body
from reconciler.sandbox.unit import Unit

_FONT = b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>"


def send(realm: Realm, entity: Entity, row_id: str, address: str) -> Answer:
    """Mark a form as sent, to `address` or its BillEmail."""
    company = realm.company
    unit = Unit(company)
    row = _form(unit.get(entity.name, row_id), entity)
    if address:
        found = Findings()
        Email().clean(address, "sendTo", found)
        if found.errors:
            raise Fault(*found.errors)
        row["BillEmail"] = {"Address": address}
    if not row.get("BillEmail"):
        raise Fault(faults.missing("BillEmail"))
    if not realm.limits.admits_email(company.switches):
        detail = "The sandbox sends at most 40 mails a day"
        raise Fault(
            Error("3001", "message=ThrottleExceeded; errorCode=003001; statusCode=429", detail),
            kind="SERVICE",
            status=429,
        )
    row["EmailStatus"] = "EmailSent"
    row["DeliveryInfo"] = {"DeliveryType": "Email", "DeliveryTime": pacific(company.clock.now())}
    unit.change(entity.name, row, "Emailed")
    realm.committed(unit.commit())
    body = reading.shown_body(company, entity.name, row_id)
    return Answer(200, entity_answer(entity.name, body, company.clock.now()))


def pdf(realm: Realm, entity: Entity, row_id: str) -> Answer:
    """A form on one page, as small as a PDF can be."""
    row = _form(realm.company.get(entity.name, row_id), entity)
    text = f"{entity.name} {row.get('DocNumber', row_id)}: {row['TotalAmt']}"
    safe = text.encode("ascii", "replace").replace(b"(", b"[").replace(b")", b"]")
    stream = b"BT /F1 12 Tf 72 720 Td (" + safe + b") Tj ET"
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R" + _FONT,
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
    )
    body = b"%PDF-1.4\n"
    places = []
    for number, held in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, held)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    body += (
        b"xref\n0 5\n0000000000 65535 f \n"
        + table
        + b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    )
    return Answer(200, body, "application/pdf")


def _form(row: Body | None, entity: Entity) -> Body:
    if entity.name not in (*SALES_FORMS, "Payment"):
        raise Fault(faults.unsupported_operation(f"pdf or send of {entity.name}"))
    if row is None:
        raise Fault(faults.not_found())
    return row
