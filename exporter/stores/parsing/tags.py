"""Tags of a bucket: a response in, key and value of each tag out.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.stores.base import TAGS_OPERATION
from exporter.stores.errors import bad_response
from exporter.stores.parsing.pages import parse_answer

if TYPE_CHECKING:
    from exporter.model.errors import StoreError
    from exporter.stores.transport.response import Response

_NO_TAGS_CODES = {"NoSuchTagSet", "NoSuchTagSetError"}


def has_no_tags(error: StoreError) -> bool:
    """Whether a refusal means that the bucket has no tags."""
    return error.status == HTTPStatus.NOT_FOUND and error.code in _NO_TAGS_CODES


def read_tags(response: Response) -> dict[str, str]:
    """Return the values of all tags by their keys. Raises StoreError (bad_response)."""
    sets = parse_answer(response, "Tagging", TAGS_OPERATION).children("TagSet")
    if not sets:
        raise bad_response(TAGS_OPERATION, "the answer has no TagSet")
    pairs = [(tag.text("Key"), tag.text("Value")) for tags in sets for tag in tags.children("Tag")]
    tags = dict(pairs)
    if "" in tags or len(tags) != len(pairs):
        raise bad_response(TAGS_OPERATION, "a tag without a key, or one that stands there twice")
    return tags
