"""Plain data in, a file whose every value is read out; or all of its faults, each with its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config.document import INVALID, NumberText
from exporter.config.field_types import Leaf
from exporter.config.shapes import ListOf, MappingOf, Section, list_sections, make_section

if TYPE_CHECKING:
    from exporter.config.document import Document, Values
    from exporter.config.problems import KeyPath
    from exporter.config.shapes import Shape

_NO_LIST = "must be a list: begin each entry with -, or write [a, b]"
_NO_MAPPING = "must be a mapping: write key: value, or remove it"


class Written:
    """A section as it is written: the shape, and what was read of each key that is given.

    Values are settings, None for null, Written for sections, lists for lists, and pairs for mappings.
    """

    __slots__ = ("section", "values")

    def __init__(self, section: Section, values: Values) -> None:
        """Keep both."""
        self.section = section
        self.values = values


def validate(document: Document, settings_class: type) -> Written | None:
    """Return what the file says, or None where any fault is noted in `document`, each replaced by INVALID.

    `settings_class` is what the file as a whole fills.
    """
    top = make_section(settings_class)
    if isinstance(document.data, dict):
        written = _Walk(document, top).read_section(top, document.data, ())
        return None if document.problems else written
    if document.data is not INVALID:
        document.add((), f"the file must be a mapping with the keys {', '.join(top.keys)}")
        document.data = INVALID
    return None


class _Walk:
    """Reads values by their shapes. A fault of a value is a ValueError, noted by whoever holds the value."""

    def __init__(self, document: Document, top: Section) -> None:
        self._document = document
        self._top = top

    def _read_entry(
        self, shape: Shape, holder: dict[str, object] | list[object], step: str | int, where: KeyPath
    ) -> object:
        """Read the value at `step` of a list or mapping, whose path is `where`."""
        value = holder[step]  # type: ignore[index] # positions of lists, keys of mappings
        path = (*where, step)
        try:
            found = INVALID if value is INVALID else self._read(shape, value, path)
        except ValueError as error:
            self._note(holder, step, path, str(error))
            return INVALID
        if isinstance(value, NumberText | float) and not isinstance(
            found, str
        ):  # checks of keys against each other read it, not `1e2`
            holder[step] = found  # type: ignore[index] # likewise
        return found

    def _note(
        self, holder: dict[str, object] | list[object], step: str | int, path: KeyPath, text: str
    ) -> None:
        """Note a fault, and put INVALID there so that no other check reports the value again."""
        self._document.add(path, text)
        holder[step] = INVALID  # type: ignore[index] # likewise

    def _read(self, shape: Shape, value: object, where: KeyPath) -> object:
        if isinstance(shape, Leaf):
            return shape.read(value)
        if isinstance(shape, ListOf):
            return self._read_list(shape, value, where)
        if isinstance(shape, MappingOf):
            return self._read_mapping(shape, value, where)
        if shape.bare and isinstance(value, str):
            name = self._read(shape.keys[shape.bare].shape, value, where)
            return Written(shape, {shape.bare: name})
        if shape.bare and not isinstance(value, dict):
            raise ValueError("must be a name or a mapping with a name: put quotes around a number")
        return self.read_section(shape, value, where)

    def _read_list(self, shape: ListOf, value: object, where: KeyPath) -> list[object]:
        if not isinstance(value, list):
            raise ValueError(_NO_LIST)  # noqa: TRY004 - a fault of the file
        if shape.least and len(value) < shape.least:
            raise ValueError("needs at least one entry")
        if shape.most and len(value) > shape.most:
            raise ValueError(f"must have at most {shape.most} entries")
        return [self._read_entry(shape.item, value, position, where) for position in range(len(value))]

    def _read_mapping(self, shape: MappingOf, value: object, where: KeyPath) -> list[tuple[object, object]]:
        if not isinstance(value, dict):
            raise ValueError(_NO_MAPPING)  # noqa: TRY004 - a fault of the file
        pairs = []
        for name in value:
            try:
                key = shape.key.read(name)
            except ValueError as error:
                self._note(value, name, (*where, name), str(error))
                continue
            pairs.append((key, self._read_entry(shape.value, value, name, where)))
        return pairs

    def read_section(self, section: Section, value: object, where: KeyPath) -> Written:
        """Read the keys of a section. Raises ValueError where it is no mapping."""
        if not isinstance(value, dict):
            raise ValueError(_NO_MAPPING)  # noqa: TRY004 - a fault of the file
        values: Values = {}
        for name in value:
            found = section.keys.get(name)
            shape = found.shape if found else section.others
            if shape is None:
                self._note_unknown(section, value, name, where)
            elif found and found.nullable and value[name] is None:
                values[name] = None
            else:
                values[name] = self._read_entry(shape, value, name, where)
        for name, known in section.keys.items():
            if known.required and name not in value:
                self._note(value, name, (*where, name), f"is required: {known.key.full_description}")
        return Written(section, values)

    def _store_of(self, path: KeyPath) -> object:
        """Return what the target on the way to a key has for `store`, None without one."""
        targets = self._document.data.get("targets") if isinstance(self._document.data, dict) else None
        if path[:1] != ("targets",) or not isinstance(targets, list) or not isinstance(path[1], int):
            return None
        target = targets[path[1]]
        return target.get("store") if isinstance(target, dict) else None

    def _note_unknown(self, section: Section, holder: Values, name: str, where: KeyPath) -> None:
        from difflib import get_close_matches  # noqa: PLC0415 - only wrong files need it

        path = (*where, name)
        line = self._document.line(path)
        homes = [home or "the top level" for home, other in list_sections(self._top) if name in other.keys]
        store = self._store_of(path)
        known = section.keys.items()
        taken = [key for key, each in known if not each.key.stores or store in {None, *each.key.stores}]
        near = get_close_matches(name, taken, n=1, cutoff=0.7)
        text = f"unknown key: remove it, or use one of {', '.join(taken)}"
        if homes:
            text = f"unknown key here: it belongs under {' or '.join(homes)}"
        elif near:
            text = f"unknown key: did you mean {near[0]}?"
        elif "credentials" in path:
            path = where  # {access_key_id, abc} makes keys of what was meant as a value
        if holder[name] is not INVALID:
            self._document.add(path, text, line)
            holder[name] = INVALID
