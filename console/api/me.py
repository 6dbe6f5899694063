"""`GET /api/v1/me`: whose token this is, and what it may do."""

from rest_framework.request import Request
from rest_framework.response import Response

from console.api.endpoint import Endpoint


class Me(Endpoint):
    """Any token that works may ask."""

    verbs: dict[str, str] = {}

    def get(self, request: Request) -> Response:
        token, person = self.token, self.person
        return Response(
            {
                "person": {"id": person.pk, "name": person.name, "email": person.email, "role": person.role},
                "token": {
                    "name": token.name,
                    "prefix": f"sb_{token.prefix}",
                    "verbs": token.verbs,
                    "agents": token.agents,
                    "regions": token.regions,
                    "segments": token.segments,
                    "expires_at": token.expires_at,
                },
            }
        )
