"""The peer of `benchmarks.http`: a FastAPI endpoint that checks the same body and does nothing.

Where it stands: served by uvicorn in a process of its own: `uvicorn benchmarks.noop:app`.
"""

from fastapi import FastAPI

from api.schemas.decision import DecisionRequest

app = FastAPI()


@app.get("/readyz")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/v1/decisions")
async def decide(request: DecisionRequest) -> dict[str, str]:
    return {"decision_id": "0", "action": request.placement}
