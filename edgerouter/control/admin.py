"""Traefik's API and the dashboard over HTTP, on the private socket of the control plane.

Workers pass requests for ``api@internal`` and ``dashboard@internal`` on to it. It
shows what ``control/view.py`` knows and changes nothing. A failure in here is
answered with 500 and logged; the data plane has no part in it.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from edgerouter.control import dashboard
from edgerouter.control.listing import Item, QueryError, page_of
from edgerouter.control.support_dump import support_dump
from edgerouter.control.view import KINDS, View

log = logging.getLogger(__name__)

PAGE_ONLY = "X-Edgerouter-Page-Only"
"""Sent by workers for ``dashboard@internal`` (``services/internal.py``)."""

PAGES = web.AppKey("pages", set[web.AbstractResource])
"""The resources of the dashboard."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve(view: View, listening: socket.socket) -> None:
    """Serve the API on ``listening`` until cancelled."""
    runner = web.AppRunner(application(view), access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()


def application(view: View) -> web.Application:
    """Return the API as an application."""
    api = view.configuration.api
    root = (api.base_path if api is not None else "").rstrip("/")
    base = f"{root}/api"
    app = web.Application(middlewares=[_answer_errors, _keep_api_from_page])
    app.on_response_prepare.append(_without_server)
    app[PAGES] = set()
    objects: dict[str, Callable[[], object]] = {
        "version": view.version,
        "overview": view.overview,
        "rawdata": view.raw_data,
        "edgerouter/diagnostics": view.diagnostics,
        "edgerouter/certificates": view.certificates.plans,
        "edgerouter/workers": view.workers,
        "edgerouter/providers": view.providers,
    }
    for path, read in objects.items():
        app.router.add_get(f"{base}/{path}", partial(_object, read), allow_head=False)
    certificates = ("certificate", view.certificates.items, view.certificates.item)
    lists: dict[str, tuple[str, Callable[[], list[Item]], Callable[[str], Item | None]]] = {
        "entrypoints": ("entry point", view.entry_points, view.entry_point),
        "certificates": certificates,
        "tls/certificates": certificates,
    }
    for protocol, kinds in KINDS.items():
        for kind in kinds:
            lists[f"{protocol}/{kind}s"] = (
                kind,
                partial(view.elements, protocol, kind),
                partial(view.element, protocol, kind),
            )
    for path, (noun, items, item) in lists.items():
        app.router.add_get(f"{base}/{path}", partial(_list, items), allow_head=False)
        one = partial(_one, noun, item)
        app.router.add_get(f"{base}/{path}/{{name}}", one, allow_head=False)
    app.router.add_get(f"{base}/support-dump", partial(_support_dump, view), allow_head=False)
    if api is not None and api.dashboard:
        _add_dashboard(app, root)
    return app


def _add_dashboard(app: web.Application, root: str) -> None:
    """Serve the dashboard below ``root`` and, for ``dashboard@internal``, without any prefix."""
    page = f"{root}{dashboard.PATH}"
    to_page = partial(_to_dashboard, root)
    files = dashboard.assets()
    routes: dict[str, Handler] = {page: to_page, f"{root}/": to_page}
    for name, asset in files.items():
        routes[f"{page}/{name}"] = routes[f"/{name}"] = partial(_asset, asset)
    routes["/"] = partial(_stripped, files[""], to_page)
    for path, handler in routes.items():
        resource = app.router.add_get(path, handler).resource
        assert resource is not None, "only routes of other applications have none"  # noqa: S101
        app[PAGES].add(resource)


async def _stripped(
    page: dashboard.Asset, to_page: Handler, request: web.Request
) -> web.StreamResponse:
    """Answer ``/``: the page if ``/dashboard/`` was stripped off, else the way to it."""
    if request.headers.get("X-Forwarded-Prefix", "").endswith(f"{dashboard.PATH}/"):
        return await _asset(page, request)
    return await to_page(request)


async def _to_dashboard(root: str, request: web.Request) -> web.Response:
    location = dashboard.redirection(root, request.headers.get("X-Forwarded-Prefix", ""))
    return web.Response(status=302, headers={"Location": location})


async def _asset(asset: dashboard.Asset, _: web.Request) -> web.Response:
    return web.Response(
        body=asset.content,
        content_type=asset.content_type,
        charset="utf-8",
        headers=dashboard.HEADERS,
    )


async def _object(read: Callable[[], object], _: web.Request) -> web.Response:
    return _json(await asyncio.to_thread(read))


async def _list(items: Callable[[], list[Item]], request: web.Request) -> web.Response:
    # In a thread: thousands of elements take long.
    found = await asyncio.to_thread(items)
    try:
        page = page_of(found, request.query)
    except QueryError as error:
        return _error(400, str(error))
    return _json(page.items, {"X-Next-Page": str(page.next_page)})


async def _one(noun: str, item: Callable[[str], Item | None], request: web.Request) -> web.Response:
    name = request.match_info["name"]
    found = item(name)
    return _error(404, f"{noun} not found: {name}") if found is None else _json(found)


async def _support_dump(view: View, _: web.Request) -> web.Response:
    return web.Response(
        body=await asyncio.to_thread(support_dump, view),
        content_type="application/gzip",
        headers={"Content-Disposition": "attachment; filename=support-dump.tar.gz"},
    )


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer unknown paths and methods as Traefik does, failures with 500."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return _plain(404, "404 page not found\n")
    except web.HTTPMethodNotAllowed as error:
        return web.Response(status=405, headers={"Allow": ", ".join(sorted(error.allowed_methods))})
    except web.HTTPException:
        raise
    except Exception:
        log.exception("The API failed to answer")
        return _error(500, "the API failed; the log has the reason")


@web.middleware
async def _keep_api_from_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer clients of ``dashboard@internal``, who may be anybody, with its files only."""
    resource = request.match_info.route.resource
    if PAGE_ONLY in request.headers and (resource is None or resource not in request.app[PAGES]):
        raise web.HTTPNotFound
    return await handler(request)


async def _without_server(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)


def _json(content: object, headers: dict[str, str] | None = None) -> web.Response:
    body = _compact(content).encode() + b"\n"
    return web.Response(body=body, content_type="application/json", headers=headers)


def _compact(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _error(status: int, message: str) -> web.Response:
    """Answer like Traefik: JSON that calls itself text."""
    return _plain(status, _compact({"message": message}) + "\n")


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, headers={"X-Content-Type-Options": "nosniff"})
