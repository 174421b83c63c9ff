"""What schemathesis has to know of these platforms: how an app proves who it is, and that a refusal may come with HTTP 200."""

import os

import schemathesis

# They take no parameter, and ignore what they do not know.
WITHOUT_PARAMETERS = {"/wallet/get_active_coins", "/oauth2/resource/get_user_info"}


@schemathesis.auth().apply_to(path_regex="^/oauth2/resource/")
class AccessToken:
    def get(self, case, context):
        return os.environ["ACCESS_TOKEN"]

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.check
def bad_data_is_refused(context, response, case):
    """The check `negative_data_rejection` wants a status of 4xx; the documents refuse with HTTP 200 and `success: false`."""
    generation = case.meta.generation if case.meta else None
    if generation is None or not generation.mode.is_negative or response.status_code != 200:
        return
    if "json" in (response.headers.get("content-type") or [""])[0] and case.path not in WITHOUT_PARAMETERS:
        assert response.json().get("success") is not True, "a request that breaks the schema succeeded"
