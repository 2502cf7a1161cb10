"""The identity whose token is used where the config has no key, found in the order of Azure's SDKs.

https://learn.microsoft.com/python/api/overview/azure/identity-readme#environment-variables
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.stores.azure.account import read_account
from exporter.stores.azure.entra import Entra, read_application
from exporter.stores.azure.token_answers import token_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.config.settings import TargetSettings
    from exporter.stores.azure.entra import Application
    from exporter.stores.azure.managed_identity import ManagedIdentity
    from exporter.stores.azure.signing import BearerToken
    from exporter.stores.temporary_keys import Issued
    from exporter.stores.transport.client import Transport

_SECRET, _WORKLOAD, _MANAGED = (
    "environmentcredential",
    "workloadidentitycredential",
    "managedidentitycredential",
)
_KINDS = {
    "": (_SECRET, _WORKLOAD, _MANAGED),
    "prod": (_SECRET, _WORKLOAD, _MANAGED),
    **{kind: (kind,) for kind in (_SECRET, _WORKLOAD, _MANAGED)},
}
"""Values of AZURE_TOKEN_CREDENTIALS, in small letters, and what is tried for them."""
_SAYS_WHO = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")
_PROOFS = {
    _SECRET: ("AZURE_CLIENT_SECRET", *_SAYS_WHO),
    _WORKLOAD: ("AZURE_FEDERATED_TOKEN_FILE", *_SAYS_WHO),
}
"""The variables that an identity needs, what proves it first."""
_COMPLETE = {
    _SECRET: "set both beside it",
    _WORKLOAD: "annotate the service account with azure.workload.identity/client-id",
}


class Identity:
    """A client secret or a workload's identity by the environment, else the managed identity."""

    def __init__(
        self,
        target: TargetSettings,
        transport: Transport,
        clock: Callable[[], float],
        environ: Mapping[str, str],
        managed: ManagedIdentity,
    ) -> None:
        """`clock` is Unix seconds."""
        self._target = target
        self._transport = transport
        self._clock = clock
        self._environ = environ
        self._managed = managed

    def fetch(self) -> Issued[BearerToken]:
        """Return a new token; only within `Transport.call`. Raises StoreError and StoppingError."""
        kinds = self._kinds()
        for kind in kinds:
            if kind == _MANAGED:
                return self._fetch_managed()
            if application := self._application(kind):
                return self._entra().fetch(application)
        needs = ", ".join(_PROOFS[kinds[0]])
        raise token_error(f"AZURE_TOKEN_CREDENTIALS allows nothing else, and not all are set of {needs}")

    def _application(self, kind: str) -> Application | None:
        """Return what can prove itself so, None where nothing does. Raises StoreError for half of it."""
        proof, *others = _PROOFS[kind]
        lacking = [name for name in others if not self._environ.get(name)]
        if self._environ.get(proof) and lacking:
            raise token_error(f"{proof} is set without {' and '.join(lacking)}; {_COMPLETE[kind]}")
        return read_application(self._environ, by_secret=kind == _SECRET)

    def _kinds(self) -> tuple[str, ...]:
        name = "AZURE_TOKEN_CREDENTIALS"
        if kinds := _KINDS.get(self._environ.get(name, "").strip().lower()):
            return kinds
        names = "prod, EnvironmentCredential, WorkloadIdentityCredential or ManagedIdentityCredential"
        raise token_error(f"{name}: of its values only these are supported: {names}")

    def _fetch_managed(self) -> Issued[BearerToken]:
        if self._environ.get("AZURE_CLIENT_CERTIFICATE_PATH"):
            what = "AZURE_CLIENT_CERTIFICATE_PATH is set, but certificates of applications are not supported"
            raise token_error(f"{what}; use AZURE_CLIENT_SECRET, or give the workload an identity")
        return self._managed.fetch()

    def _entra(self) -> Entra:
        host = urlsplit(read_account(self._target).url).hostname or ""
        written = self._environ.get("AZURE_AUTHORITY_HOST", "").strip()
        return Entra(self._transport, self._clock, host, written)
