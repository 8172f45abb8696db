"""Where the engine's own AWS keys and region come from: the environment, else the shared files of the AWS tools."""

from collections.abc import Mapping
from pathlib import Path

from chalicelib.errors import SettingError
from chalicelib.signing.forms import AwsKeys


def keys_from_environment(environment: Mapping[str, str], home: Path) -> AwsKeys:
    """The keys: `AWS_ACCESS_KEY_ID` and its kin, as Lambda and containers set them, else a profile of the shared file.

    Args:
        environment: the process's environment variables.
        home: the user's home, under which `.aws/credentials` lies unless `AWS_SHARED_CREDENTIALS_FILE` says otherwise.

    Raises:
        SettingError: there are none; the message says what to set.
    """
    key_id, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret:
        return AwsKeys(key_id, secret, environment.get("AWS_SESSION_TOKEN") or None)
    path = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials")
    profile = _profile(environment)
    found = _read(path, profile)
    if "aws_access_key_id" not in found or "aws_secret_access_key" not in found:
        raise SettingError(
            f"No AWS keys. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write the profile {profile} in {path}."
        )
    return AwsKeys(found["aws_access_key_id"], found["aws_secret_access_key"], found.get("aws_session_token") or None)


def region_from_environment(environment: Mapping[str, str], home: Path) -> str:
    """The region: `AWS_REGION`, `AWS_DEFAULT_REGION`, else that of the profile in `.aws/config`.

    Raises:
        SettingError: none is set.
    """
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        path = Path(environment.get("AWS_CONFIG_FILE") or home / ".aws" / "config")
        profile = _profile(environment)
        region = _read(path, profile if profile == "default" else f"profile {profile}").get("region")
    if not region:
        raise SettingError("No AWS region. Set AWS_REGION, such as eu-central-1.")
    return region


def _profile(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default"


def _read(path: Path, section: str) -> Mapping[str, str]:
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        # The parser's own message repeats the line, which may be a secret.
        raise SettingError(f"{path} is not readable as an AWS profile file. Mend it.") from error
    return dict(parser.items(section)) if parser.has_section(section) else {}
