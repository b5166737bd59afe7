"""Rendering of answers."""

from aiohttp import web
from pydantic import BaseModel

from gateway.web.models import AnswerModel


def answer(model: AnswerModel, status: int = 200) -> web.Response:
    """The model as a JSON answer."""
    return web.Response(body=model.json_bytes(), status=status, content_type="application/json")


def nothing() -> web.Response:
    """Done, and nothing to say: 204."""
    return web.Response(status=204)


def document(model: BaseModel) -> web.Response:
    """A stored object (settings, profile) as it is."""
    return web.Response(body=model.model_dump_json().encode(), content_type="application/json")
