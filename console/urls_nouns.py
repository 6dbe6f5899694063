"""The addresses of what comes in, goes out and stands around it; `console.urls` takes them in."""

from django.urls import URLPattern, URLResolver, path

from console.views import (
    accounts,
    connections,
    contacts,
    dead_letters,
    do_not_contact,
    mapping,
    plays,
    signals,
    sources,
)

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
    path("accounts", accounts.accounts, name="accounts"),
    path("accounts/<path:key>", accounts.account, name="account"),
    path("contacts/<str:hash>", contacts.contact, name="contact"),
    path("contacts/<str:hash>/suppress", contacts.suppress, name="contact-suppress"),
    path("contacts/<str:hash>/release", contacts.release, name="contact-release"),
    path("do-not-contact", do_not_contact.do_not_contact, name="do-not-contact"),
    path("do-not-contact/add", do_not_contact.add, name="do-not-contact-add"),
    path("do-not-contact/import", do_not_contact.import_csv, name="do-not-contact-import"),
    path("connections", connections.connections, name="connections"),
    path("connections/new", connections.new, name="connection-new"),
    path("connections/<slug:slug>", connections.connection, name="connection"),
    path("connections/<slug:slug>/edit", connections.edit, name="connection-edit"),
    path("connections/<slug:slug>/test", connections.test, name="connection-test"),
    path("connections/<slug:slug>/switch", connections.switch, name="connection-switch"),
    path("connections/<slug:slug>/mailbox", connections.mailbox, name="connection-mailbox"),
    path("plays", plays.plays, name="plays"),
    path("plays/new", plays.new, name="play-new"),
    path("plays/<slug:slug>", plays.play, name="play"),
    path("plays/<slug:slug>/edit", plays.edit, name="play-edit"),
]
