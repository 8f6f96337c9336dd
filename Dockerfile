# The project in a virtual environment of its own; compilers and pip stay behind in this stage.
FROM python:3.13-slim AS build
WORKDIR /src
# For the hot path in C; without a compiler and Python's headers the image works as well, but slower.
RUN (apt-get -qq update \
  && apt-get -qq install --no-install-recommends --yes gcc libc6-dev $([ -e /usr/local/include/python3.13 ] || echo libpython3-dev) \
  ) >/dev/null || echo "No C compiler can be installed"
COPY pyproject.toml README.md ./
COPY scripts/compile.py scripts/hatch_build.py scripts/
COPY edgerouter edgerouter
COPY providers providers
RUN if echo '#include <Python.h>' | gcc -E -I"$(python -c 'import sysconfig; print(sysconfig.get_path("include"))')" - >/dev/null; \
    then export COMPILE_EDGEROUTER=1; else echo "NOT COMPILED: the image will be slower"; fi \
 && python -m venv /opt/edgerouter \
 && /opt/edgerouter/bin/python -m pip install --no-cache-dir --disable-pip-version-check ".[redis,dns]" \
 && /opt/edgerouter/bin/python -m pip uninstall --yes --quiet pip

FROM python:3.13-slim
COPY --from=build /opt/edgerouter /opt/edgerouter
RUN ln -s /opt/edgerouter/bin/edgerouter /usr/local/bin/edgerouter
# No USER: as in Traefik's image, root reads the Docker socket whatever its group is. Any other user
# works as well (user: and group_add: in compose, see examples/compose/README.md).
EXPOSE 80 443 8080
# Asks the router's private socket, so it needs no --ping.
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s CMD ["edgerouter", "healthcheck"]
ENTRYPOINT ["edgerouter"]
