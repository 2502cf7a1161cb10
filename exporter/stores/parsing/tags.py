"""Tags of a bucket: a response in, key and value of each tag out.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.stores.base import TAGS_OPERATION
from exporter.stores.errors import bad_response
from exporter.stores.parsing.pages import parse_answer, refuse_torn
from exporter.stores.parsing.required import prove_empty, prove_items

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.stores.transport.response import Response

_NO_TAGS_CODES = {"NoSuchTagSet", "NoSuchTagSetError"}


def has_no_tags(error: StoreError) -> bool:
    """Whether a refusal means that the bucket has no tags."""
    return error.status == HTTPStatus.NOT_FOUND and error.code in _NO_TAGS_CODES


def ask_tags(ask: Callable[[], Response]) -> dict[str, str]:
    """Return what the response that `ask` returns says, as `read_tags`; it may refuse for lack of tags."""
    try:
        response = ask()
    except StoreError as error:
        if has_no_tags(error):
            return {}
        raise
    return read_tags(response)


def read_tags(response: Response) -> dict[str, str]:
    """Return the values of all tags by their keys. Raises StoreError (bad_response)."""
    document = parse_answer(response, "Tagging", TAGS_OPERATION)
    sets = document.children("TagSet")
    pairs = [(tag.text("Key"), tag.text("Value")) for tags in sets for tag in tags.children("Tag")]
    if not pairs:
        prove_empty(document, TAGS_OPERATION)
    refuse_torn(document, TAGS_OPERATION)
    prove_items(TAGS_OPERATION, [key for key, _ in pairs], garbled=document.is_repaired)
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise bad_response(TAGS_OPERATION, "a tag that stands there twice")
    return tags
