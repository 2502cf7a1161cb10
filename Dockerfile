# The image of mpu-exporter. Build: docker build -t mpu-exporter . (or buildah build --format docker, which keeps HEALTHCHECK).
# Any Debian-based image with `python` and `venv` does as a base; pin it by digest where you need repeatable builds.
# checkov:skip=CKV_DOCKER_7:the tag is in PYTHON_IMAGE, which it does not read
ARG PYTHON_IMAGE=docker.io/library/python:3.14-slim

FROM ${PYTHON_IMAGE} AS build
# Extras of the package, such as demo.
ARG EXTRAS=""
# Versions to build with, as an earlier image has them in /opt/mpu-exporter/pins.txt; the newest within the ranges where empty.
ARG PINS=""
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PIP_CONSTRAINT=/pins.txt
WORKDIR /src
# Two environments: the one that builds stays here, the one that runs never sees pip.
RUN printf '%s\n' ${PINS} >/pins.txt \
 && python -m venv /build \
 && /build/bin/pip install --quiet setuptools \
 && python -m venv --without-pip /opt/mpu-exporter
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
# Everything becomes a wheel first. crcmod, which the OBS SDK wants for uploads, has a C extension that it does without
# where there is no compiler: nothing here uploads, so no compiler is installed. Of the AWS SDK's descriptions of services
# those stay that are asked for buckets, vaults or keys. Bytecode that names no time is the same in every build.
RUN /build/bin/pip wheel --quiet --no-build-isolation --wheel-dir /wheels ".${EXTRAS:+[${EXTRAS}]}" \
 && /build/bin/pip --python /opt/mpu-exporter/bin/python install --quiet --no-index --find-links /wheels --no-compile \
      "mpu-exporter${EXTRAS:+[${EXTRAS}]}" \
 && for python in /build /opt/mpu-exporter; do \
      /build/bin/pip --python "$python/bin/python" list --format=freeze --exclude mpu-exporter --exclude pip; \
    done >/pins.txt \
 && mv /pins.txt /opt/mpu-exporter/pins.txt \
 && find /opt/mpu-exporter/lib -path '*/botocore/data/*' -prune -type d \
      ! -name glacier ! -name s3 ! -name signin ! -name sso ! -name sso-oidc ! -name sts -exec rm -r {} + \
 && python -W ignore -m compileall -q --invalidation-mode unchecked-hash /opt/mpu-exporter/lib

FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=https://github.com/mpu-exporter/mpu-exporter
LABEL org.opencontainers.image.title="mpu-exporter" \
      org.opencontainers.image.description="Prometheus exporter for multipart uploads that were started and never finished" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.url="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE}#readme" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
ENV PATH=/opt/mpu-exporter/bin:$PATH \
    TZ=UTC \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/mpu-exporter /opt/mpu-exporter
# The slim images come without bytecode of the standard library. Importing once stores that of the modules in use (SDKs come
# with the first target of their store, jinja2 with the first page), and proves that the image works. Then the base's own pip
# goes: nothing is installed into a running exporter. A volume for the state takes over owner and mode of the folder that it
# covers.
RUN python -W ignore -c "import exporter.service, exporter.cli.main, jinja2, \
      exporter.stores.azure.store, exporter.stores.gcs.store, exporter.stores.glacier.store, exporter.stores.obs.store, \
      exporter.stores.s3.store" \
 && find /usr/lib /usr/local/lib -depth -type d \( -name pip -o -name 'pip-*.dist-info' -o -name ensurepip \) -exec rm -rf {} + \
 && rm -f /usr/local/bin/pip* \
 && install --directory --owner=65532 --group=0 --mode=0775 /var/lib/mpu-exporter
# Set last: from here on the root file system may be read-only.
ENV PYTHONDONTWRITEBYTECODE=1
# A number, because Kubernetes cannot tell that a name is not root. Any other uid works as well: nothing is written.
USER 65532:65532
WORKDIR /
EXPOSE 19340
STOPSIGNAL SIGTERM
# Kubernetes ignores this and uses the chart's probes. bash, part of every Debian, asks by itself: 2 ms of CPU, where Python takes 90.
# Who asks for a password (401) serves.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/19340 && printf 'GET /-/healthy HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -rt 4 _ status _ <&3 && [[ $status == 200 || $status == 401 ]]"]
ENTRYPOINT ["mpu-exporter"]
CMD ["serve", "--config.file=/etc/mpu-exporter/config.yaml"]
