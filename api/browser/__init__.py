"""The browser snippet: `segue.js`, and the route that hands it out."""

from importlib.resources import files

from fastapi import APIRouter, Response

MEDIA_TYPE = "text/javascript"
CACHE = "public, max-age=3600"

_SOURCE = files(__name__).joinpath("segue.js").read_bytes()
router = APIRouter(tags=["tracking"])


@router.get(
    "/segue.js",
    responses={200: {"content": {MEDIA_TYPE: {}}}},
    response_class=Response,
)
async def snippet() -> Response:
    """The browser snippet."""
    return Response(_SOURCE, media_type=MEDIA_TYPE, headers={"cache-control": CACHE})
