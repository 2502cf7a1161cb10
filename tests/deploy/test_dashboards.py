"""The dashboards as Grafana's provisioning and people need them, as far as one can tell without a Grafana."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cases import in_turn
from charts import CHART
from dashboards import BOARDS, FILES, every_board, everything, panels
from docs.documents import GUIDE, files
from rules import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNBOOKS = "https://github.com/mpu-exporter/mpu-exporter/blob/main/helm/runbooks"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
UPLOADS = (
    "${pages:raw}/uploads?target=${__data.fields.Target:percentencode}"
    "&bucket=${__data.fields.Bucket:percentencode}&stale=true"
)
"""A link to the exporter's own page."""

PANELS = {f"{uid}: {panel['title']}": panel for uid, board in BOARDS.items() for panel in panels(board)}

every_panel = in_turn("panel", PANELS.values(), PANELS)


def found(value: object, key: str) -> Iterator[Any]:
    """Yield what stands under a key, however deep."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == key:
                yield item
            yield from found(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from found(item, key)


def names(board: dict[str, Any]) -> list[str]:
    """Return the names of a dashboard's variables."""
    return [variable["name"] for variable in board["templating"]["list"]]


def columns(panel: dict[str, Any]) -> set[str]:
    """Return the columns of a table, as they are shown."""
    [organize] = [step["options"] for step in panel["transformations"] if step["id"] == "organize"]
    shown = set(organize["indexByName"]) - set(organize["excludeByName"])
    return {organize["renameByName"].get(name, name) for name in shown}


class TestFile:
    def test_there_are_two(self):
        assert list(BOARDS) == ["mpu-health", "mpu-overview"]

    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
    def test_is_printed_for_people(self, file: Path):
        text = file.read_text()
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"

    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
    def test_is_ready_for_provisioning(self, file: Path):
        board = BOARDS[file.stem]
        assert board["uid"] == file.stem
        assert board["editable"] is False
        assert {"id", "__inputs", "__requires", "__elements"} & set(board) == set()
        assert board["schemaVersion"] == 42

    @every_board
    def test_shows_on_its_own(self, board: dict[str, Any]):
        assert board["title"].startswith("Multipart uploads / ")
        assert board["description"].endswith(".")
        assert board["time"]["to"] == "now"

    def test_the_guide_tells_grafana_of_a_folder(self):
        [snippet] = files(GUIDE["alerts"], "dashboards.yaml")
        [provider] = yaml.safe_load(snippet)["providers"]
        assert set(provider) <= {"name", "orgId", "folder", "folderUid", "type", "disableDeletion", "options"}
        assert provider["type"] == "file"
        assert set(provider["options"]) == {"path"}


class TestVariables:
    @every_board
    def test_the_data_source_comes_first_and_once(self, board: dict[str, Any]):
        variables = board["templating"]["list"]
        assert [v["name"] for v in variables if v["type"] == "datasource"] == ["datasource"]
        assert variables[0]["query"] == "prometheus"

    @every_board
    def test_each_other_may_be_all_and_follows_the_time_range(self, board: dict[str, Any]):
        assert names(board)[:5] == ["datasource", "job", "store", "target", "bucket"]
        for variable in board["templating"]["list"][1:5]:
            assert variable["type"] == "query"
            assert variable["datasource"] == DATASOURCE
            assert variable["multi"]
            assert variable["includeAll"]
            assert variable["current"]["value"] == ["$__all"]
            assert variable["refresh"] == 2

    @every_board
    def test_all_buckets_are_not_listed_one_by_one_in_a_query(self, board: dict[str, Any]):
        assert board["templating"]["list"][4]["allValue"] == ".+"

    @every_board
    def test_all_jobs_are_those_of_exporters(self, board: dict[str, Any]):
        """An allValue would make `up` of every job of that Prometheus."""
        assert "allValue" not in board["templating"]["list"][1]

    def test_the_address_of_the_exporter_s_pages_can_be_typed(self):
        """What Prometheus scrapes need not be what a browser reaches."""
        *_, pages = BOARDS["mpu-overview"]["templating"]["list"]
        assert (pages["name"], pages["type"], pages["hide"]) == ("pages", "textbox", 0)
        assert {pages["query"], pages["current"]["value"]} == {"http://localhost:19340"}


class TestPanel:
    @every_panel
    def test_says_what_it_shows(self, panel: dict[str, Any]):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["fieldConfig"]["defaults"]["noValue"]

    @every_panel
    def test_asks_the_chosen_data_source(self, panel: dict[str, Any]):
        assert panel["targets"]
        assert list(found(panel, "datasource")) == [DATASOURCE] * (1 + len(panel["targets"]))

    @every_panel
    def test_its_queries_have_names_of_their_own(self, panel: dict[str, Any]):
        refs = [target["refId"] for target in panel["targets"]]
        assert refs == list("ABCDEFGHIJ"[: len(refs)])

    @every_panel
    def test_a_table_asks_for_now_and_a_graph_for_a_range(self, panel: dict[str, Any]):
        for target in panel["targets"]:
            assert target["instant"] is (panel["type"] == "table")
            assert target["range"] is not target["instant"]
            assert (target["format"] == "table") is (panel["type"] == "table")

    @every_panel
    def test_settings_of_columns_have_a_column(self, panel: dict[str, Any]):
        shown = columns(panel) if panel["type"] == "table" else set()
        matchers = [override["matcher"] for override in panel["fieldConfig"]["overrides"]]
        assert {each["options"] for each in matchers if each["id"] == "byName"} <= shown

    @every_panel
    def test_names_in_tables_are_not_taken_for_numbers_and_a_gap_is_a_dash(self, panel: dict[str, Any]):
        """An account id with a unit of numbers would be shown as 123 Bil, a bucket called 2026 as 2.03 K."""
        if panel["type"] != "table":
            return
        assert panel["fieldConfig"]["defaults"]["unit"] == "string"
        first = panel["fieldConfig"]["overrides"][0]
        assert first["matcher"] == {"id": "byType", "options": "number"}
        assert {each["id"]: each["value"] for each in first["properties"]} == {
            "unit": "short",
            "noValue": "-",
        }

    @every_panel
    def test_columns_are_of_queries_and_of_labels_that_these_have(self, panel: dict[str, Any]):
        if panel["type"] != "table":
            return
        [organize] = [step["options"] for step in panel["transformations"] if step["id"] == "organize"]
        refs = [target["refId"] for target in panel["targets"]]
        values = {f"Value #{ref}" for ref in refs} if len(refs) > 1 else {"Value"}
        labels = set(organize["indexByName"]) - values - {"Time"}
        for target in panel["targets"]:
            assert labels <= set(re.findall(r"\w+", re.search(r"by \(([^)]*)\)", target["expr"])[1]))
        hidden = {name for name in organize["excludeByName"] if name != "Time"}
        assert values == (set(organize["indexByName"]) - labels) | hidden

    @every_panel
    def test_a_legend_names_labels_that_the_query_has(self, panel: dict[str, Any]):
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
                assert label == "instance" or re.search(rf"by \([^)]*\b{label}\b", target["expr"])

    @every_panel
    def test_colours_are_right_on_light_and_dark(self, panel: dict[str, Any]):
        """Named colours have a shade for each theme; codes have not."""
        colours = {
            step["color"] for steps in found(panel, "steps") if isinstance(steps, list) for step in steps
        }
        assert colours <= {"blue", "green", "orange", "red", "text", "transparent"}


class TestLayout:
    @every_board
    def test_ids_and_titles_are_unique(self, board: dict[str, Any]):
        ids = [panel["id"] for panel in everything(board)]
        titles = [panel["title"] for panel in panels(board)]
        assert len(ids) == len(set(ids))
        assert len(titles) == len(set(titles))

    @every_board
    def test_nothing_lies_upon_anything_else(self, board: dict[str, Any]):
        for one, other in combinations([panel["gridPos"] for panel in everything(board)], 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert beside or above

    @every_board
    def test_no_place_is_left_empty(self, board: dict[str, Any]):
        places = [panel["gridPos"] for panel in everything(board)]
        assert all(0 <= place["x"] <= WIDTH - place["w"] for place in places)
        height = max(place["y"] + place["h"] for place in places)
        assert sum(place["w"] * place["h"] for place in places) == WIDTH * height

    @every_panel
    def test_is_large_enough_to_be_read(self, panel: dict[str, Any]):
        least = {"stat": (4, 4), "timeseries": (6, 6), "table": (6, 6), "heatmap": (8, 8)}
        width, height = least[panel["type"]]
        assert panel["gridPos"]["w"] >= width
        assert panel["gridPos"]["h"] >= height

    @every_board
    def test_the_last_row_is_there_once_for_each_target_and_is_shut(self, board: dict[str, Any]):
        """Its panels are loaded when it is opened; open ones would ask for everything of every target."""
        [row] = [panel for panel in board["panels"] if panel.get("repeat")]
        assert row is board["panels"][-1]
        assert (row["type"], row["repeat"], row["collapsed"]) == ("row", "target", True)
        assert (
            {panel["title"].partition(":")[0] for panel in row["panels"]}
            == {row["title"]}
            == {"Target $target"}
        )


class TestLinks:
    @every_board
    def test_lead_to_the_other_dashboard_and_keep_what_was_chosen(self, board: dict[str, Any]):
        [link] = [link for link in board["links"] if link["url"].startswith("/")]
        assert link["url"].removeprefix("/d/") in set(BOARDS) - {board["uid"]}
        assert link["keepTime"]
        assert link["includeVars"]

    @every_board
    def test_lead_to_dashboards_that_exist_with_variables_that_they_have(self, board: dict[str, Any]):
        urls = [url for url in found(board, "url") if not url.startswith("https://") and url != UPLOADS]
        assert len(urls) > 1
        for url in urls:
            path, _, question = url.partition("?")
            assert path.removeprefix("/d/") in BOARDS
            assert set(re.findall(r"var-(\w+)=", question)) <= set(names(BOARDS[path.removeprefix("/d/")]))

    @every_board
    def test_lead_to_a_runbook_of_an_alert(self, board: dict[str, Any]):
        pages = {url for url in found(board, "url") if url.startswith("https://")} - {RUNBOOKS}
        assert pages <= {f"{RUNBOOKS}/{name}.md" for name in NAMES}
        assert pages <= {f"{RUNBOOKS}/{file.name}" for file in (CHART.parent / "runbooks").iterdir()}

    def test_every_alert_has_a_panel_that_leads_to_its_runbook(self):
        pages = {url.rpartition("/")[2] for board in BOARDS.values() for url in found(board, "url")}
        assert {f"{name}.md" for name in NAMES} - pages == set()

    @every_panel
    def test_of_a_table_read_columns_that_it_has(self, panel: dict[str, Any]):
        for url in set(found(panel["fieldConfig"], "url")) - {UPLOADS}:
            fields = re.findall(r"var-(\w+)=\$\{__data\.fields\.(\w+)\}", url)
            assert fields
            assert {name.lower() for _, name in fields} == {variable for variable, _ in fields}
            assert {name for _, name in fields} <= columns(panel)
            assert "${__url_time_range}&${datasource:queryparam}" in url

    def test_tables_of_stale_uploads_lead_to_these_on_the_exporter_s_page(self):
        tables = [panel for panel in panels(BOARDS["mpu-overview"]) if UPLOADS in found(panel, "url")]
        assert [panel["title"] for panel in tables] == [
            "Stale uploads by bucket",
            "Target $target: stale uploads by bucket",
        ]
        for panel in tables:
            assert {"Target", "Bucket"} <= columns(panel)
            leading = [
                override["matcher"]["options"]
                for override in panel["fieldConfig"]["overrides"]
                if UPLOADS in found(override, "url")
            ]
            assert leading == ["Bucket", "Stale uploads"]

    def test_the_table_of_buckets_leads_to_the_scans_of_a_target(self):
        [panel] = [p for p in panels(BOARDS["mpu-overview"]) if p["title"] == "Buckets"]
        urls = {
            override["matcher"]["options"]: list(found(override, "url"))
            for override in panel["fieldConfig"]["overrides"]
        }
        assert re.findall(r"var-\w+|/d/[\w-]+", urls["Target"][0]) == [
            *("/d/mpu-health", "var-job", "var-store", "var-target"),
        ]
