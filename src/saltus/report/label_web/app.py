"""The routes of the labelling pages: addresses in, pages or redirects out. Every state has an address."""

from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Litestar, MediaType, Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.params import Body
from litestar.response import Redirect

from saltus.records.errors import SaltusError, UsageError
from saltus.report.label_web.pages import Desk, Where, error_page

if TYPE_CHECKING:
    from saltus.store import Store

_LARGEST_FORM = 16_384  # bytes
_ASSETS = {"report.css": "text/css", "label.css": "text/css", "label.js": "text/javascript"}
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
AnyRequest = Request[Any, Any, State]


# Addresses are read from the request itself: how handlers declare their parameters changes between releases.
@get("/", media_type=MediaType.HTML, sync_to_thread=True)
def home(request: AnyRequest) -> str:
    """All queues."""
    return _desk(request).home()


@get("/start", media_type=MediaType.HTML, sync_to_thread=True)
def start(request: AnyRequest) -> Response[Any]:
    """Where the form of the first page leads."""
    queue, rater = (request.query_params.get(name, "") for name in ("queue", "rater"))
    try:
        return Redirect(_desk(request).after(Where(queue, rater.strip())), status_code=303)
    except UsageError as error:
        page = _desk(request).home(queue, error.message)
        return Response(page, status_code=400, media_type=MediaType.HTML)


@get("/queue/{queue:str}", media_type=MediaType.HTML, sync_to_thread=True)
def status(request: AnyRequest) -> str:
    """How a queue stands."""
    return _desk(request).status(request.path_params["queue"])


@get("/{queue:str}/{rater:str}", sync_to_thread=True)
def go_on(request: AnyRequest) -> Redirect:
    """On to what waits next."""
    return Redirect(_desk(request).after(_where(request)), status_code=303)


@get("/{queue:str}/{rater:str}/mine", media_type=MediaType.HTML, sync_to_thread=True)
def mine(request: AnyRequest) -> str:
    """What a rater said."""
    return _desk(request).mine(_where(request))


@get("/{queue:str}/{rater:str}/{place:int}", media_type=MediaType.HTML, sync_to_thread=True)
def item(request: AnyRequest) -> str:
    """One item."""
    return _desk(request).item(_where(request), request.path_params["place"])


@post("/{queue:str}/{rater:str}/{place:int}", sync_to_thread=True)
def say(request: AnyRequest, data: Form) -> Redirect:
    """Record a label, then on to what waits next."""
    address = _desk(request).say(_where(request), request.path_params["place"], data)
    return Redirect(address, status_code=303)


@get("/static/{name:str}", sync_to_thread=True)
def asset(request: AnyRequest) -> Response[bytes]:
    """A style sheet or script."""
    name = request.path_params["name"]
    if name not in _ASSETS:
        raise HTTPException(status_code=404)
    content = files("saltus.report").joinpath("assets", name).read_bytes()
    return Response(content, media_type=f"{_ASSETS[name]}; charset=utf-8")


def make_routes(store: "Store") -> Litestar:
    """The application, without its guard."""
    work = [go_on, mine, item, say]
    return Litestar(
        route_handlers=[
            home,
            start,
            status,
            asset,
            Router("/queue", route_handlers=work),
            Router("/disputed", route_handlers=work),
        ],
        state=State({"desk": Desk(store)}),
        request_max_body_size=_LARGEST_FORM,
        openapi_config=None,
        logging_config=None,
        exception_handlers={SaltusError: _explain, HTTPException: _refuse},
    )


def _desk(request: AnyRequest) -> Desk:
    desk = request.app.state.desk
    assert isinstance(desk, Desk)  # noqa: S101 - `make_routes` put it there
    return desk


def _where(request: AnyRequest) -> Where:
    known = request.path_params
    return Where(known["queue"], known["rater"], request.url.path.startswith("/disputed/"))


def _explain(request: AnyRequest, error: SaltusError) -> Response[str]:
    status = 500 if not isinstance(error, UsageError) else 404 if request.method == "GET" else 400
    return Response(error_page(status, str(error)), status_code=status, media_type=MediaType.HTML)


def _refuse(request: AnyRequest, error: HTTPException) -> Response[str]:
    message = "there is no such page" if error.status_code == 404 else error.detail
    return Response(
        error_page(error.status_code, message), status_code=error.status_code, media_type=MediaType.HTML
    )
