# The gateway as an image: locked dependencies, no root, no package manager's leftovers, nothing written outside
# /var/lib/push-gateway and /tmp. Build: docker build -t pbx-push-gateway .

FROM python:3.12-slim-bookworm AS builder

COPY requirements.lock /build/requirements.lock
RUN python -m venv /opt/push-gateway
RUN /opt/push-gateway/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
    --require-hashes --only-binary :all: -r /build/requirements.lock
COPY gateway /build/gateway
RUN cp -r /build/gateway "$(/opt/push-gateway/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    && printf '#!/bin/sh\nexec /opt/push-gateway/bin/python -m gateway "$@"\n' > /opt/push-gateway/bin/push-gateway \
    && chmod 755 /opt/push-gateway/bin/push-gateway \
    && /opt/push-gateway/bin/python -m compileall -q -j 0 /opt/push-gateway/lib

FROM python:3.12-slim-bookworm

RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin push-gateway \
    && install -d -o push-gateway -g push-gateway /var/lib/push-gateway /etc/push-gateway
COPY --from=builder /opt/push-gateway /opt/push-gateway
COPY LICENSE /opt/push-gateway/LICENSE

# Everywhere else the file says where to listen; in a container only the port mapping does.
ENV PATH=/opt/push-gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PUSH_GATEWAY__SERVER__HOST=0.0.0.0 \
    PUSH_GATEWAY__SERVER__PORT=8080

USER push-gateway
WORKDIR /var/lib/push-gateway
# For a store of its own: url = "embedded:/var/lib/push-gateway/store"
VOLUME /var/lib/push-gateway
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=3)"]
ENTRYPOINT ["push-gateway"]
CMD ["serve", "--config", "/etc/push-gateway/gateway.toml"]
