"""Owns the CRM API: single and batch reads, associations (v3 and v4 shapes), PATCH and create."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from reconciler.hubspot_sandbox.gate import refused
from reconciler.hubspot_sandbox.portal import TYPES, Invalid, Missing, Object, Portal, known

MOST_OBJECTS = 100
MOST_ASSOCIATIONS = 1000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Api:
    """Serves a portal; `page` bounds the associations given at once."""

    portal: Portal
    page: int = 500

    def routes(self) -> list[web.RouteDef]:
        """Every route of the API."""
        one = "/crm/v3/objects/{type}/{id}"
        listed = "/crm/v4/objects/{type}/{id}/associations/{to}"
        return [
            web.post("/crm/v3/objects/{type}/batch/read", _answered(self.read_batch)),
            web.get(one, _answered(self.read)),
            web.patch(one, _answered(self.update)),
            web.post("/crm/v3/objects/{type}", _answered(self.create)),
            web.post("/crm/v4/associations/{type}/{to}/batch/read", _answered(self.associations)),
            web.get(listed, _answered(self.associated)),
        ]

    async def read_batch(self, request: web.Request) -> web.Response:
        """Objects by id; those that are not there are left out, and then the status is 207."""
        body = await request.json()
        inputs = body["inputs"]
        if len(inputs) > MOST_OBJECTS:
            raise Invalid(f"No more than {MOST_OBJECTS} inputs are allowed")
        found, missing = [], []
        for each in inputs:
            try:
                found.append(self.portal.get(request.match_info["type"], each["id"]))
            except Missing:
                missing.append(each["id"])
        answer: dict[str, Any] = {
            "status": "COMPLETE",
            "results": [shown(one, body.get("properties", ())) for one in found],
        }
        if missing:
            answer["numErrors"] = 1
            answer["errors"] = [{"category": "OBJECT_NOT_FOUND", "context": {"ids": missing}}]
        return web.json_response(answer, status=207 if missing else 200)

    async def read(self, request: web.Request) -> web.Response:
        """One object, with associations in the v3 shape if asked for."""
        kind, id_ = request.match_info["type"], request.match_info["id"]
        names = [name for name in request.query.get("properties", "").split(",") if name]
        answer = shown(self.portal.get(kind, id_), names)
        wanted = [name for name in request.query.get("associations", "").split(",") if name]
        if wanted:
            lists = {name: self._ids(kind, known(name), id_) for name in wanted}
            answer["associations"] = {
                name.replace("_", " "): {
                    "results": [{"id": one, "type": f"{kind}_to_{name}"} for one in ids]
                }
                for name, ids in lists.items()
                if ids
            }
        return web.json_response(answer)

    async def update(self, request: web.Request) -> web.Response:
        body = await request.json()
        kind, id_ = request.match_info["type"], request.match_info["id"]
        found = self.portal.update(kind, id_, body["properties"])
        return web.json_response(shown(found, found.properties))

    async def create(self, request: web.Request) -> web.Response:
        """An object with its associations, which name the far type only by their type id."""
        body = await request.json()
        to = [
            (_far(each["types"][0]["associationTypeId"]), str(each["to"]["id"]))
            for each in body.get("associations", ())
        ]
        made = self.portal.create(request.match_info["type"], body["properties"], to)
        return web.json_response(shown(made, made.properties), status=201)

    async def associations(self, request: web.Request) -> web.Response:
        """The v4 batch: objects without associations are reported as errors, with status 207."""
        body = await request.json()
        if len(body["inputs"]) > MOST_ASSOCIATIONS:
            raise Invalid(f"No more than {MOST_ASSOCIATIONS} inputs are allowed")
        kind, to = request.match_info["type"], known(request.match_info["to"])
        results, without = [], []
        for each in body["inputs"]:
            page = self._page(kind, to, str(each["id"]), int(each.get("after", 0)))
            if page["results"]:
                paging = {"paging": page["paging"]} if "paging" in page else {}
                results.append({"from": {"id": each["id"]}, "to": page["results"], **paging})
            else:
                without.append(each["id"])
        answer: dict[str, Any] = {"status": "COMPLETE", "results": results}
        if without:
            answer["numErrors"] = len(without)
            answer["errors"] = [
                {
                    "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                    "context": {"fromObjectId": [i]},
                }
                for i in without
            ]
        return web.json_response(answer, status=207 if without else 200)

    async def associated(self, request: web.Request) -> web.Response:
        """The v4 list of one object."""
        kind, id_ = request.match_info["type"], request.match_info["id"]
        to, after = known(request.match_info["to"]), int(request.query.get("after", 0))
        return web.json_response(self._page(kind, to, id_, after))

    def _ids(self, kind: str, to: str, id_: str) -> list[str]:
        return self.portal.associated[known(kind), to].get(id_, [])

    def _page(self, kind: str, to: str, id_: str, after: int) -> dict[str, Any]:
        ids = self._ids(kind, to, id_)
        rows = [
            {"toObjectId": int(one), "associationTypes": [{"category": "HUBSPOT_DEFINED"}]}
            for one in ids[after : after + self.page]
        ]
        answer: dict[str, Any] = {"results": rows}
        if after + self.page < len(ids):
            answer["paging"] = {"next": {"after": str(after + self.page)}}
        return answer


def shown(one: Object, names: Any) -> dict[str, Any]:
    """An object as the API gives it: the properties asked for, and three that always come."""
    always = {
        "hs_object_id": one.id,
        "createdate": one.created_at,
        "hs_lastmodifieddate": one.updated_at,
    }
    asked = {name: one.properties.get(name) for name in names if name not in always}
    return {
        "id": one.id,
        "properties": {**asked, **always},
        "createdAt": one.created_at,
        "updatedAt": one.updated_at,
        "archived": one.archived,
    }


_FAR = {202: "contacts", 190: "companies", 214: "deals"}


def _far(type_id: int) -> str:
    if type_id not in _FAR:
        raise Invalid(f"association type {type_id} is not valid")
    return _FAR[type_id]


def _answered(handler: Handler) -> Handler:
    """Turn what a portal refuses into HubSpot's errors."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Missing:
            return refused(404, "OBJECT_NOT_FOUND", "resource not found")
        except Invalid as problem:
            return refused(400, "VALIDATION_ERROR", str(problem))
        except (KeyError, TypeError, ValueError) as problem:
            return refused(400, "VALIDATION_ERROR", f"Invalid input JSON: {problem!r}")

    return answer


assert set(_FAR.values()) <= TYPES.keys()
