"""The image, built and run by podman, as the README runs it and as the chart does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from charts import find
from playing import Mounted, chart, config, playable, shard, shows
from servers import free_port, wait_until
from servers.exporter import target
from servers.image import IMAGE, REVISION, VERSION, build
from servers.podman import HOST, Podman
from servers.s3 import S3, Part, Upload
from servers.standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.podman import Container

pytestmark = pytest.mark.timeout(900)  # the first one waits for the build
HARDENED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges")
NO_RIGHTS = {"capabilities": 0, "new privileges": False, "seccomp": True, "root": "ro"}
STATE = "/var/lib/mpu-exporter"
TOOLS = ["pip", "pip3", "gcc", "cc", "make", "git"]
MODULES = ["pip", "setuptools", "ensurepip", "ministack"]
LOOK = f"""
import json, shutil, time
from importlib.util import find_spec
from pathlib import Path
data = Path(find_spec("botocore").origin).parent / "data"
print(json.dumps({{
    "tools": [tool for tool in {TOOLS} if shutil.which(tool)],
    "modules": [name for name in {MODULES} if find_spec(name)],
    "services": sorted(entry.name for entry in data.iterdir() if entry.is_dir()),
    "zone": time.tzname[0],
}}))
"""


def inspect(podman: Podman, query: str, image: str = IMAGE) -> object:
    return json.loads(podman("image", "inspect", "--format", f"{{{{json {query}}}}}", image))


def python(podman: Podman, program: str) -> str:
    return podman("run", "--rm", "--network=none", "--entrypoint=python", IMAGE, "-c", program)


@pytest.mark.parametrize("user", ["65532:65532", "123456:0"])
def test_counts_uploads_as_any_user_with_no_rights_and_ends_on_sigterm(
    podman: Podman, tmp_path: Path, user: str
):
    server = S3()
    server.buckets["media"] = [Upload("film", "1", parts=[Part(1, 100), Part(2, 11)])]
    file = tmp_path / "config.yaml"
    with StandIn(server) as standin:
        url = standin.url.replace("127.0.0.1", HOST)
        file.write_text(json.dumps({"targets": [target("ours", url, "media")]}))
        mount = f"--volume={file}:/etc/mpu-exporter/config.yaml:ro"
        with podman.running(IMAGE, *HARDENED, f"--user={user}", mount) as container:
            container.wait_for('mpu_pending_bytes{bucket="media",store="s3",target="ours"} 111.0\n')
            assert {**NO_RIGHTS, "user": user} == container.rights()
            podman("healthcheck", "run", container.name)
            assert container.stop() == 0


def test_keeps_its_state_on_a_volume_that_docker_makes(podman: Podman, tmp_path: Path):
    server = S3()
    server.buckets["media"] = [Upload("film", "1", parts=[Part(1, 100)])]
    file = tmp_path / "config.yaml"
    with StandIn(server) as standin:
        targets = [target("ours", standin.url.replace("127.0.0.1", HOST), "media")]
        file.write_text(json.dumps({"targets": targets, "state": {"path": f"{STATE}/state.db"}}))
        mounts = (f"--volume={file}:/etc/mpu-exporter/config.yaml:ro", f"--volume=state:{STATE}")
        with podman.running(IMAGE, *HARDENED, *mounts) as container:
            container.wait_for('mpu_pending_bytes{bucket="media",store="s3",target="ours"} 100.0\n')
            assert container.stop() == 0
    with podman.running(IMAGE, *HARDENED, *mounts) as container:
        container.wait_for('mpu_pending_bytes{bucket="media",store="s3",target="ours"} 100.0\n')
    podman("volume", "rm", "state")


def test_the_health_check_fails_where_nothing_serves(podman: Podman):
    sleeping = ("-c", "import time; time.sleep(600)")
    with (
        podman.running(IMAGE, "--entrypoint=python", command=sleeping) as container,
        pytest.raises(RuntimeError, match="1\nunhealthy"),
    ):
        podman("healthcheck", "run", container.name)


def test_has_what_the_exporter_runs_on_and_nothing_to_build_with(podman: Podman):
    services = ["glacier", "s3", "signin", "sso", "sso-oidc", "sts"]
    expected = {"tools": [], "modules": [], "services": services, "zone": "UTC"}
    assert expected == json.loads(python(podman, LOOK))


def test_tells_what_it_was_built_from(podman: Podman):
    labels = inspect(podman, ".Labels")
    assert isinstance(labels, dict)
    told = [labels[f"org.opencontainers.image.{name}"] for name in ("version", "revision", "licenses")]
    assert told == [VERSION, REVISION, "Apache-2.0"]


def test_a_second_build_with_the_versions_of_the_first_has_the_same_layers(podman: Podman):
    pins = python(podman, "print(open('/opt/mpu-exporter/pins.txt').read())")
    build(podman, "localhost/mpu-exporter:again", PINS=pins)
    layers = inspect(podman, ".RootFS.Layers")
    assert layers == inspect(podman, ".RootFS.Layers", "localhost/mpu-exporter:again")


def test_with_the_extra_it_shows_itself_at_work_and_writes_only_to_tmp(podman: Podman):
    image = "localhost/mpu-exporter:demo"
    build(podman, image, EXTRAS="demo")
    command = ("demo", "--web.listen-address=:19340")
    with podman.running(image, *HARDENED, "--tmpfs=/tmp", command=command) as container:
        container.wait_for('mpu_uploads_in_progress{bucket="media",store="s3",target="demo"}')
        assert container.stop() == 0


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def container(podman: Podman, port: int) -> Iterator[Container]:
    with podman.playing(playable(port), port) as container:
        container.wait_for(shows("inline"))
        yield container


def test_the_deployment_reads_its_config_has_no_rights_and_ends_on_sigterm(container: Container):
    expected = {**NO_RIGHTS, "user": "65532:65532"}
    assert expected == container.rights()
    assert container.stop() == 0


def test_the_program_of_helm_test_finds_the_metrics(podman: Podman, container: Container):
    (tester,) = find("Pod", chart())["spec"]["containers"]
    *program, url = tester["command"]
    podman("exec", container.name, *program, url.replace(urlsplit(url).hostname, "127.0.0.1"))
    with pytest.raises(RuntimeError, match="Connection refused"):
        podman("exec", container.name, *program, "http://127.0.0.1:9/metrics")


def test_a_pod_knows_from_its_name_which_shard_it_is(podman: Podman, port: int):
    with podman.playing(shard(port, "demo-mpu-exporter-2", shards=3), port) as container:
        container.wait_for("mpu_shard_ordinal 2.0")
        assert "mpu_shards 3.0" in container.text()


def test_runs_as_the_uid_that_the_cluster_chose(podman: Podman, port: int):
    chosen = {"runAsUser": 1000650000, "runAsGroup": 0, "fsGroup": 1000650000}
    with podman.playing(playable(port, podSecurityContext=chosen), port) as container:
        container.wait_for(shows("inline"))
        assert container.rights()["user"] == "1000650000:0"


def test_reads_its_config_again_when_the_mounted_folder_is_swapped(podman: Podman, port: int, tmp_path: Path):
    mounted = Mounted(tmp_path)
    mounted.swap(config("before"))
    played = mounted.take_over(playable(port))
    with podman.playing(played, port) as container:
        container.wait_for(shows("before"))
        mounted.swap(config("after"))
        container.wait_for(shows("after"))
        wait_until("the old target's end", lambda: shows("before") not in container.text())
        mounted.swap({"targets": []})
        container.wait_for("mpu_config_last_reload_successful 0.0")
        assert shows("after") in container.text()
        assert container.stop() == 0
