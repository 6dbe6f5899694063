"""Signing in with the company's provider: the way there, and the way back."""

import requests
import structlog
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from console import oidc
from console.views import page

log = structlog.get_logger(__name__)
AMISS = (requests.RequestException, OAuth2Error, KeyError, TypeError, ValueError, AttributeError)
"""What an unreachable provider, or one that answers nonsense, comes to."""
MISSING = (SocialApp.DoesNotExist, ImproperlyConfigured)


@login_not_required
@never_cache
@require_safe
def there(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send the person to the provider; `next` is kept, `again` has it ask for the password anew."""
    try:
        provider = oidc.Provider(request, provider_id).get_provider()
        provider.oauth2_adapter_class = oidc.Provider
        params = {"prompt": "login"} if request.GET.get("again") else {}
        answer: HttpResponse = provider.redirect(
            request, process=AuthProcess.LOGIN, next_url=page.next_page(request) or None, auth_params=params
        )
        return answer
    except MISSING:
        return oidc.refusal(request, "No provider is configured: sign in with your password.").response
    except AMISS as fault:
        return _amiss(request, fault)


@login_not_required
@never_cache
@require_safe
def back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """What the provider answered; the person is signed in, or back at sign-in with why."""
    try:
        answer: HttpResponse = OAuth2CallbackView.adapter_view(oidc.Provider(request, provider_id))(request)
        return answer
    except ImmediateHttpResponse as given:
        return given.response
    except MISSING:
        return oidc.refusal(request, "No provider is configured: sign in with your password.").response
    except AMISS as fault:
        return _amiss(request, fault)


def _amiss(request: HttpRequest, fault: Exception) -> HttpResponse:
    log.warning("oidc_failed", error=type(fault).__name__, why=str(fault)[:300])
    return oidc.refusal(request, f"{oidc.provider_name()} can't be reached, or its answer does not hold.").response
