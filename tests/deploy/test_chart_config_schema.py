"""`config` is checked when the chart is installed, by the schema that the exporter has of it."""

from __future__ import annotations

import helm_python as helm
import pytest
import yaml
from charts import find_config, render

TARGET = "name: p, store: s3, region: eu-west-1"


def given(target: str = "", *, top: str = "") -> str:
    return f"config: {{{top} targets: [{{{TARGET}, {target}}}]}}"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (given("bucket: [b]"), "at '/config/targets/0': additional properties 'bucket' not allowed"),
        (given(top="targtes: [],"), "at '/config': additional properties 'targtes' not allowed"),
        ("config: {targets: [{name: p}]}", "at '/config/targets/0': missing property 'store'"),
        ("config: {targets: []}", "at '/config/targets': minItems: got 0, want 1"),
        (given("buckets: []"), "at '/config/targets/0/buckets': minItems: got 0, want 1"),
        (given("buckets: [{prefix: a/}]"), "at '/config/targets/0/buckets/0': missing property 'name'"),
        (given(top="scan: {interval: 5 minutes},"), "at '/config/scan/interval': '5 minutes' does not match"),
        (given(top="scan: {interval: 300},"), "at '/config/scan/interval': got number, want string"),
        (given(top="scan: {concurrency: 4096},"), "at '/config/scan/concurrency': maximum: got 4,096"),
        (given("credentials: {secret_key: a}"), "additional properties 'secret_key' not allowed"),
    ],
)
def test_a_mistake_is_refused_with_its_place(values: str, complaint: str):
    with pytest.raises(helm.HelmValuesError) as refused:
        render(values)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        given(top="scan: {interval: '${INTERVAL:-5m}', concurrency: '${N}', recheck_factor: '${F}'},"),
        given("lifecycle: '${L}', price_per_1000_requests: '${P}', buckets: ['${B}']"),
        given(top="x-anchors: [{any: thing}],"),
        given("prefix: null, discover: {include: ['^(?!tmp-).*']}"),
        given("credentials: {assume_role: {role_arn: 'arn:aws:iam::111122223333:role/r', external_id: abc}}"),
    ],
    ids=["numbers and durations", "others", "x- keys", "Python's regular expressions", "long patterns"],
)
def test_what_the_exporter_reads_is_let_through(values: str):
    config = yaml.safe_load(find_config(render(values)))
    assert yaml.safe_load(values)["config"] == {key: config[key] for key in config if key != "state"}
