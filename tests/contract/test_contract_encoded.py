"""Pages whose keys were asked for in percent-encoding: read as keys where they say that they are encoded."""

import time
from urllib.parse import quote, quote_plus

from contract.rigs import UPLOADS, Rig, Upload, fields
from servers.s3 import Listing, without_arguments

from exporter.config.settings import StoreKind
from exporter.stores.base import Page, PageRequest

KEYS = ["a b+c", "cr\rx", "ctl\x01x", "pct%41x", "ü"]


def encoded_page(rig: Rig) -> Page:
    """Ask for one page of encoded keys."""
    deadline = time.monotonic() + 20
    session = rig.store.open(rig.bucket, deadline)
    try:
        session.start(PageRequest(rig.bucket, None, None, encoded=True), deadline, "label")
        ((_, page),) = session.completed(20)
    finally:
        session.close()
    assert [request.argument("encoding-type") for request in rig.standin.requests] == ["url"]
    return page


def written(change: object) -> object:
    """Return a fault of an XML page: keys and next marker written so."""

    def write(page: Listing) -> Listing:
        items = [item | {"Key": change(item["Key"])} for item in page.items]
        page = fields(EncodingType="url", NextKeyMarker=change(page.fields["NextKeyMarker"]))(page)
        page.items = items
        return page

    return write


def test_they_are_decoded_as_a_form_and_the_marker_with_them(xml_rig: Rig):
    xml_rig.fill([Upload(key, f"id%{number}+") for number, key in enumerate(KEYS)])
    encodes_itself = xml_rig.target.store is StoreKind.OBS
    for change in [str] if encodes_itself else (quote_plus, quote):
        xml_rig.faults.clear()
        xml_rig.standin.forget()
        xml_rig.fault(UPLOADS, page=written(change))
        page = encoded_page(xml_rig)
        assert [upload[:2] for upload in page.items] == [(key, f"id%{n}+") for n, key in enumerate(KEYS)]
        assert page.next_marker == ("ü", "id%4+")


def test_nothing_is_decoded_where_the_page_does_not_say_so(xml_rig: Rig):
    xml_rig.fill([Upload("pct%41x", "id%41")])
    xml_rig.fault(UPLOADS, request=without_arguments("encoding-type"))
    page = encoded_page(xml_rig)
    assert [upload[:2] for upload in page.items] == [("pct%41x", "id%41")]
    assert page.next_marker == ("pct%41x", "id%41")
