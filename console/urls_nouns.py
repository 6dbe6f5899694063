"""The addresses of what comes in, goes out and stands around it; `console.urls` takes them in."""

from django.urls import URLPattern, URLResolver, path

from console.views import dead_letters, mapping, signals, sources

urlpatterns: list[URLPattern | URLResolver] = [
    path("sources", sources.sources, name="sources"),
    path("sources/new", sources.new, name="source-new"),
    path("sources/<slug:slug>", sources.source, name="source"),
    path("sources/<slug:slug>/settings", sources.settings, name="source-settings"),
    path("sources/<slug:slug>/mapping", mapping.mapping, name="source-mapping"),
    path("sources/<slug:slug>/key", sources.renew_key, name="source-key"),
    path("sources/<slug:slug>/secrets/add", sources.add_secret, name="source-secret"),
    path("sources/<slug:slug>/secrets/remove", sources.remove_secret, name="source-secret-remove"),
    path("signals", signals.signals, name="signals"),
    path("signals/dead", dead_letters.dead_letters, name="dead-letters"),
    path("signals/dead/close", dead_letters.close, name="dead-letters-close"),
    path("signals/<uuid:pk>", signals.signal, name="signal"),
]
