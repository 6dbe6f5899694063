"""The addresses of deciding, stopping and looking back; `console.urls` takes them in."""

from django.urls import URLPattern, URLResolver, path

from console.views import audit, audit_export, incidents, pause, pauses, record_proof, retention, unsubscribe

urlpatterns: list[URLPattern | URLResolver] = [
    path("pauses", pauses.board, name="pauses"),
    path("pauses/quick", pauses.quick, name="pause-quick"),
    path("pauses/new", pause.new, name="pause-new"),
    path("pauses/history", pauses.history, name="pause-history"),
    path("pauses/<int:pk>", pause.one, name="pause"),
    path("pauses/<int:pk>/extend", pause.extend, name="pause-extend"),
    path("pauses/<int:pk>/resume", pause.resume, name="pause-resume"),
    path("incidents", incidents.incidents, name="incidents"),
    path("incidents/<int:pk>", incidents.incident, name="incident"),
    path("incidents/<int:pk>/take", incidents.take, name="incident-take"),
    path("incidents/<int:pk>/escalate", incidents.escalate, name="incident-escalate"),
    path("incidents/<int:pk>/resolve", incidents.resolve, name="incident-resolve"),
    path("audit", audit.audit, name="audit"),
    path("audit/export", audit_export.choose, name="audit-choose"),
    path("audit/retention", retention.retention, name="retention"),
    path("audit/retention/holds", retention.hold, name="legal-hold"),
    path("audit/retention/holds/<int:pk>/release", retention.let_go, name="legal-hold-release"),
    path("audit/export.<str:form>", audit_export.export, name="audit-export"),
    path("audit/verifier", audit_export.verifier, name="audit-verifier"),
    path("audit/verify", audit.check, name="audit-verify"),
    path("audit/consistency", record_proof.consistency, name="consistency"),
    path("audit/<uuid:pk>", audit.entry, name="entry"),
    path("audit/<uuid:pk>/proof", record_proof.inclusion, name="entry-proof"),
    path("unsubscribe/<str:token>", unsubscribe.unsubscribe, name="unsubscribe"),
]
