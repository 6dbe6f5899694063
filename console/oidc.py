"""Sign-in with a company's own OpenID Connect provider, by configuration."""

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter


def provider_name() -> str:
    """What the button says; "" while no provider is configured."""
    return ""


class Adapter(DefaultSocialAccountAdapter):
    """To come with the next slice."""


def is_linked(person: object) -> bool:
    """Whether the person has signed in with the provider."""
    return False


def button(then: str) -> dict[str, str]:
    """What the page of a door needs to offer the provider, on the way to `then`."""
    return {"provider": provider_name(), "provider_url": ""}
