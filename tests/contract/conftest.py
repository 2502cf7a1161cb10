"""Opens the rigs, in a process whose environment says nothing about proxies, clouds or trust."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import pytest
import trustme
from contract.authority import Authority
from contract.outcomes import Engines, both_engines
from contract.rig_obs import SIGNATURES
from contract.rigs import Opener, Rig

MODULES = [import_module(f"contract.{path.stem}") for path in sorted(Path(__file__).parent.glob("rig_*.py"))]
RIGS = {name: open_rig for module in MODULES for name, open_rig in module.RIGS.items()}
XML_RIGS = [name for module in MODULES if module.HAS_XML for name in module.RIGS]
PAGE_RIGS = [name for module in MODULES if module.HAS_XML for name in module.ENGINES]
KIND_RIGS = [name for module in MODULES for name in module.ENGINES]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    spoken = (
        "AWS_",
        "OBS_",
        "HUAWEI",
        "AZURE_",
        "IDENTITY_",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT",
    )
    for name in list(os.environ):
        if name.upper().startswith((*spoken, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


@pytest.fixture(scope="session")
def _shared_rigs() -> Iterator[Callable[[str], Rig]]:
    with ExitStack() as stack:
        rigs: dict[str, Rig] = {}

        def shared(name: str) -> Rig:
            if name not in rigs:
                rigs[name] = stack.enter_context(RIGS[name]())
            rigs[name].reset()
            return rigs[name]

        yield shared


def _fresh_rigs(name: str) -> Iterator[Opener]:
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(RIGS[name](**changes))


@pytest.fixture(params=RIGS)
def open_rig(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Return what opens a rig of each store, with settings of the test's own."""
    yield from _fresh_rigs(request.param)


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, _shared_rigs: Callable[[str], Rig]) -> Rig:
    """Return a rig of each store, as new; other tests use it before and after."""
    return _shared_rigs(request.param)


@pytest.fixture(params=XML_RIGS)
def open_xml_rig(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Return what opens a rig of each store whose pages are XML."""
    yield from _fresh_rigs(request.param)


@pytest.fixture(params=XML_RIGS)
def xml_rig(request: pytest.FixtureRequest, _shared_rigs: Callable[[str], Rig]) -> Rig:
    """Return a rig of each store whose pages are XML; see `rig`."""
    return _shared_rigs(request.param)


@pytest.fixture(params=PAGE_RIGS)
def open_page_rig(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Return what opens one rig per store whose pages are XML."""
    yield from _fresh_rigs(request.param)


@pytest.fixture(params=PAGE_RIGS)
def page_rig(request: pytest.FixtureRequest, _shared_rigs: Callable[[str], Rig]) -> Rig:
    """Return one rig per store whose pages are XML, for what lies in the page and not in the request."""
    return _shared_rigs(request.param)


@pytest.fixture(params=KIND_RIGS)
def kind_rig(request: pytest.FixtureRequest, _shared_rigs: Callable[[str], Rig]) -> Rig:
    """Return one rig of each store and engine, for how answers are read, whatever was asked and signed."""
    return _shared_rigs(request.param)


@pytest.fixture(params=["s3-path", "s3-boto3"])
def one_rig(request: pytest.FixtureRequest, _shared_rigs: Callable[[str], Rig]) -> Rig:
    """Return a rig of any store, for what all leave to the retry loop, and to one of two ways of sending."""
    return _shared_rigs(request.param)


@pytest.fixture
def open_wire() -> Iterator[Opener]:
    """Return what opens a rig of S3's wire engine."""
    yield from _fresh_rigs("s3-path")


@pytest.fixture
def wire(open_wire: Opener) -> Rig:
    """Return a rig of S3's wire engine, of the test's own."""
    return open_wire()


@pytest.fixture(params=["s3-path", "s3-boto3"])
def open_engine(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Return what opens a rig of S3 through each engine."""
    yield from _fresh_rigs(request.param)


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    """Return what gives a rig of each engine of S3, both holding the same."""
    with both_engines() as opened:
        yield opened


@pytest.fixture
def vault(_shared_rigs: Callable[[str], Rig]) -> Rig:
    """Return a rig of Glacier, as new; see `rig`."""
    return _shared_rigs("glacier")


@pytest.fixture
def open_vault() -> Iterator[Opener]:
    """Return what opens a rig of Glacier."""
    yield from _fresh_rigs("glacier")


@pytest.fixture
def open_obs() -> Iterator[Opener]:
    """Return what opens a rig of OBS with this signature and these settings."""
    with ExitStack() as stack:

        def open_one(signature: str = "obs", /, **changes: object) -> Rig:
            return stack.enter_context(SIGNATURES[signature](**changes))

        yield open_one


@pytest.fixture
def obs_rig(open_obs: Opener) -> Rig:
    """Return a rig of OBS of the test's own."""
    return open_obs()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return Authority(ca, path)
