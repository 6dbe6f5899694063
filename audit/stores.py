"""Object stores that speak S3, by a library that signs what it sends."""

import re
from functools import cache
from urllib.parse import urlsplit

from obstore import put
from obstore.store import S3Store

_USERINFO = re.compile(r"//[^/@\s]*@")


def write(url: str, body: bytes, *, seconds: float) -> None:
    """
    Write the object at `url` ("s3://bucket/path"), over any of that name, with its SHA-256 for the store to compare.

    Credentials, region and endpoint are those of the environment, by their usual names: AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL; they are read once. OSError, without secrets, when it was not
    taken; each request may take so many `seconds`.
    """
    parts = urlsplit(url)
    try:
        put(_store(parts.netloc, seconds), parts.path.lstrip("/"), body, use_multipart=False)
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        # The library panics, with what is no Exception, at an endpoint or a key that can't be put into a request.
        said = str(error).partition("\n\nDebug source")[0] if isinstance(error, Exception) else "its settings are wrong"
        raise OSError(f"the object store: {_USERINFO.sub('//', said)}") from None


@cache
def _store(bucket: str, seconds: float) -> S3Store:
    return S3Store(
        bucket,
        checksum_algorithm="SHA256",
        client_options={"timeout": f"{seconds}s", "allow_http": True},
        retry_config={"max_retries": 0},
    )
