"""Flask without the parts that no service here uses, and without repeated work per request.

The app has no cookie sessions, no teardown functions, no URL value preprocessors and no signal
listeners, and reads requests from the WSGI environ. These are most of what Flask does for a
request, and were most of its cost (docs/performance.md). A path without variables is looked up
together with everything that is called for it. All other paths, and all errors, go through Flask
itself.

This is the only file that uses private names of Flask. pyproject.toml has an upper bound on Flask's
version because of it.
"""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, Request, Response
from flask.ctx import RequestContext
from flask.globals import _cv_app, _cv_request
from flask.sessions import SessionInterface
from werkzeug.routing import MapAdapter, Rule

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from flask.ctx import _AppCtxGlobals


def current_request() -> Request:
    """Return the object behind Flask's `request`, whose proxy takes a microsecond per access."""
    return _cv_request.get().request


def current_g() -> "_AppCtxGlobals":
    """Return the object behind Flask's `g`: each access through the proxy takes a microsecond."""
    return _cv_app.get().g


class LeanFlask(Flask):
    """A Flask app with a lower cost per request."""

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.request_class = _LeanRequest
        self.session_interface = _NoSessions()

    def _check_setup_finished(self, f_name: str) -> None:
        """Rebuild the routes after each change of the app, which Flask announces by this call."""
        super()._check_setup_finished(f_name)
        self.__dict__.pop("_routes", None)

    @cached_property
    def _routes(self) -> "dict[tuple[str, str], _Route]":
        """The calls for each path without variables, by method; OPTIONS needs Flask's adapter.

        Raises:
            RuntimeError: the app has functions that would never be called.
        """
        for kind in ("teardown_request", "teardown_appcontext", "url_value_preprocessor"):
            if getattr(self, f"{kind}s", None) or getattr(self, f"{kind}_funcs", None):
                raise RuntimeError(f"{kind}: a service's app does not call such functions")
        return {
            (method, rule.rule): self._route(rule)
            for rule in self.url_map.iter_rules()
            if not rule.arguments
            for method in (rule.methods or set()) - {"OPTIONS"}
        }

    def _route(self, rule: Rule) -> "_Route":
        *blueprints, _ = rule.endpoint.split(".")
        names = [None, *(".".join(blueprints[: end + 1]) for end in range(len(blueprints)))]
        return _Route(
            rule,
            [func for name in names for func in self.before_request_funcs.get(name, [])],
            self.view_functions[rule.endpoint],
            [func for name in names for func in self.after_request_funcs.get(name, [])][::-1],
        )

    def request_context(self, environ: "WSGIEnvironment") -> RequestContext:
        """Create the context of one request."""
        return _LeanContext(self, environ)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match a fixed path at once; Flask's adapter, which matches the others, costs more."""
        if request is None:
            return None  # no service sets SERVER_NAME, from which to build URLs
        if isinstance(request, _LeanRequest):
            environ = request.environ
            route = self._routes.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
            # Requests that Flask refuses by their host, or treats as a websocket's, are
            # left to it.
            if (
                route is not None
                and "HTTP_UPGRADE" not in environ
                and _is_host(environ.get("HTTP_HOST", ""))
            ):
                request.route, request.url_rule, request.view_args = route, route.rule, {}
                request.max_content_length = self.config["MAX_CONTENT_LENGTH"]
                return None
        return super().create_url_adapter(request)

    def full_dispatch_request(self) -> Response:
        """Handle the current request as Flask does."""
        context = _cv_request.get()
        route: _Route | None = context.request.route  # type: ignore[attr-defined] # a _LeanRequest
        if route is None:
            return super().full_dispatch_request()
        self._got_first_request = True
        try:
            for before in route.before:
                result = before()
                if result is not None:
                    break
            else:
                result = route.view()
        except Exception as error:
            result = self.handle_user_exception(error)
        response = self.make_response(result)
        for later in context._after_request_functions:
            response = later(response)  # type: ignore[assignment] # may be a coroutine in Flask
        for after in route.after:
            response = after(response)
        return response

    def make_response(self, rv: Any) -> Response:
        """Return a view's result unchanged if it is a response, which is the usual case."""
        return rv if isinstance(rv, self.response_class) else super().make_response(rv)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function unchanged; Flask would check each time if it is a coroutine."""
        return func


class _Route(NamedTuple):
    """A path without variables, and its calls in their order."""

    rule: Rule
    before: list[Callable[[], Any]]
    view: Callable[[], Any]
    after: list[Callable[[Any], Any]]


class _LeanRequest(Request):
    """Flask's request, parsed only when a part of it is accessed."""

    route: _Route | None = None

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self.environ = environ
        self.shallow = False

    def __getattr__(self, name: str) -> Any:
        if "method" in self.__dict__:
            raise AttributeError(name)
        super().__init__(self.environ, populate_request=False)
        return getattr(self, name)


class _LeanContext(RequestContext):
    """Binds `request` and `g` to one request, and does nothing else."""

    def push(self) -> None:
        self._tokens = _cv_app.set(self.app.app_context()), _cv_request.set(self)
        if self.url_adapter is not None:
            self.match_request()

    def pop(self, exc: BaseException | None = None) -> None:  # noqa: ARG002 - Flask's signature
        app_token, request_token = self._tokens
        _cv_request.reset(request_token)
        _cv_app.reset(app_token)


class _NoSessions(SessionInterface):
    null_session_class = type(None)


@lru_cache(1024)
def _is_host(text: str) -> bool:
    """Return whether Flask accepts a `Host` value."""
    try:
        text.partition(":")[0].encode("idna")
    except UnicodeError:
        return False
    return True
