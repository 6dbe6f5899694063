"""Object stores that speak S3, by a library that signs what it sends."""

from urllib.parse import urlsplit

from obstore import put
from obstore.exceptions import BaseError
from obstore.store import S3Store


def write(url: str, body: bytes, *, seconds: float) -> None:
    """
    Write the object at `url` ("s3://bucket/path"), over any of that name, with its SHA-256 for the store to compare.

    Credentials, region and endpoint are those of the environment, by their usual names: AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL. OSError when it was not taken within `seconds`.
    """
    parts = urlsplit(url)
    try:
        store = S3Store(
            parts.netloc,
            checksum_algorithm="SHA256",
            client_options={"timeout": f"{seconds}s", "allow_http": True},
            retry_config={"max_retries": 0},
        )
        put(store, parts.path.lstrip("/"), body, use_multipart=False)
    except BaseError as error:
        raise OSError(str(error).partition("\n\nDebug source")[0]) from error
