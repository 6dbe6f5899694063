"""
Where personal data of those whom signals are about lies, column by column, and what erasure makes of it.

Every column of every table that can hold words is in one of the lists: a test holds them against the database, so that
a new column cannot be forgotten. Of the people who work here, see PEOPLE.
"""

from typing import NamedTuple

GONE = "(erased)"


class Cleared(NamedTuple):
    """A table with personal data: column → the SQL that takes its place, where `t` is the row; then the other columns
    that hold words, with why they stay."""

    table: str
    becomes: dict[str, str]
    stays: dict[str, str]


CODES = "a code, a state or the key of something configured here"
HASHED = "a keyed or cryptographic hash: it tells nothing of the person without its key or the very words"
COMPANY = "the account's key; one that is somebody's e-mail address goes by the person's hash"

SIGNALS = Cleared(
    "agents_signal",
    {
        "external_id": "''",
        "account_name": "''",
        "person": "''",
        "email": "''",
        "fields": "'{}'",
        "payload": "'{}'",
        "state": "'erased'",
    },
    {"type": CODES, "format": CODES, "account": COMPANY, "contact": HASHED},
)
RUNS = Cleared(
    "agents_run",
    {
        "reasons": "(SELECT coalesce(jsonb_agg(r - 'value' ORDER BY n), '[]'::jsonb)"
        " FROM jsonb_array_elements(t.reasons) WITH ORDINALITY AS e (r, n))",
        "facts": "'{}'",
    },
    {
        **dict.fromkeys(("verdict", "clause", "brain"), CODES),
        "why": "words of the boundaries and of the choice of plays, none of the signal's",
        "account": COMPANY,
        "contact": HASHED,
    },
)
ACTIONS = Cleared(
    "agents_action",
    {
        "target": f"'{GONE}'",
        "payload": "'{}'",
        # What the gate and people say stands; what a far side or a template says may quote.
        "why": "CASE WHEN t.state IN ('refused', 'rejected', 'expired', 'withdrawn', 'shadow') THEN t.why ELSE '' END",
    },
    {
        **dict.fromkeys(("step", "state", "permitted_by"), CODES),
        "account": COMPANY,
        **dict.fromkeys(("contact", "payload_hash"), HASHED),
    },
)
ATTEMPTS = Cleared("agents_attempt", {"detail": "''", "receipt": "'{}'"}, {"verdict": CODES})
LETTERS = Cleared(
    "agents_deadletter",
    {
        "external_id": "''",
        "envelope": "'{}'",
        "reason": f"'{GONE}'",
        "state": "CASE t.state WHEN 'open' THEN 'discarded' ELSE t.state END",
    },
    dict.fromkeys(("kind", "format"), CODES),
)
QUESTIONS = Cleared(
    "approvals_approval",
    {
        "question": f't.question || \'{{"target": "{GONE}", "account": "{GONE}", "person": "",'
        ' "payload": {}, "reasons": []}\'',
        "note": "''",
    },
    {
        **dict.fromkeys(("subject", "agent", "region", "segment", "risk", "state", "reason"), CODES),
        **dict.fromkeys(("editable", "editors"), "paths in the payload, and ids of people who work here"),
        "binding": HASHED,
    },
)
VERDICTS = Cleared("approvals_verdict", {"note": "''"}, {"said": CODES, "binding": HASHED})
EDITS = Cleared(
    "approvals_edit",
    {
        "changes": """(SELECT coalesce(jsonb_object_agg(path, '["(erased)", "(erased)"]'::jsonb), '{}'::jsonb)
            FROM jsonb_object_keys(t.changes) AS path)""",
    },
    dict.fromkeys(("before_hash", "after_hash"), HASHED),
)
MESSAGES = Cleared("approvals_message", {"text": f"'{GONE}'"}, {})
CALLS = Cleared("approvals_call", {"detail": "''"}, {"kind": CODES})
ACCOUNTS = Cleared("agents_account", {"name": "''", "history": "'{}'"}, {"key": COMPANY})
LISTED = Cleared(
    "agents_donotcontact",
    {"hint": "'#' || left(encode(t.contact, 'hex'), 8)", "reason": "''"},
    {"contact": HASHED, "origin": CODES},
)
CLEARED = (
    SIGNALS, RUNS, ACTIONS, ATTEMPTS, LETTERS, QUESTIONS, VERDICTS, EDITS, MESSAGES, CALLS, ACCOUNTS, LISTED,
)  # fmt: skip

SCRUBBED = {
    "agents_connection": (("last_error",), ""),
    "agents_incident": (("cause",), "'incident:' || t.id"),
    "agents_page": (("error",), "'incident:' || t.incident_id"),
    "approvals_notice": (("error",), ""),
}
"""Where a far side's words may name somebody: their address is struck out of the text, which stays. With
SQL for what the record calls the row, where changing these needs an entry."""

PEOPLE = "of the people who work here, not of those whom signals are about: People closes their sign-in"
CONFIGURED = "configuration, typed by people who build: it speaks of kinds of customers, not of one"
BOOKS = "book-keeping of Signalbox or a library of its, without words from outside"
WHY = "why somebody who works here changed what is configured"
SEALED = "sealed under the person's own key, which erasure destroys; the rest names people by hash"

NOT_PERSONAL: dict[str, tuple[str, str]] = {
    "account_emailaddress": ("email", PEOPLE),
    "account_emailconfirmation": ("key", PEOPLE),
    "agents_agent": ("slug name job stage scorecard choices", CONFIGURED),
    "agents_connection": ("slug name kind config secrets_sealed allowed_hosts", CONFIGURED),
    "agents_contactlock": ("contact", HASHED),
    "agents_counter": ("key", BOOKS),
    "agents_grant": ("object_pk why", PEOPLE),
    "agents_incident": ("kind state", CODES),
    "agents_metric": ("name outcome measure unit direction", CONFIGURED),
    "agents_outcome": ("kind actor", CODES),
    "agents_page": ("channel", CODES),
    "agents_pause": ("reason in_flight found", WHY),
    "agents_play": ("slug name purpose risk steps", CONFIGURED),
    "agents_playversion": ("name risk steps", CONFIGURED),
    "agents_policy": ("spec reason stage", CONFIGURED + "; it names people by hash"),
    "agents_policydraft": ("form", CONFIGURED + "; it names people by hash"),
    "agents_policyproposal": ("spec reason state said", CONFIGURED + "; it names people by hash"),
    "agents_region": ("code name time_zone working_hours currency", CONFIGURED),
    "agents_route": ("types condition", CONFIGURED),
    "agents_segment": ("code name", CONFIGURED),
    "agents_source": ("slug name key secrets_sealed mapping", CONFIGURED),
    "approvals_apitoken": ("name prefix digest verbs agents regions segments", PEOPLE),
    "approvals_person": ("password email name role time_zone theme density mails", PEOPLE),
    "approvals_planting": ("agent", CODES),
    "approvals_signinrules": ("second_step_roles", CODES),
    "approvals_told": ("kind key", CODES),
    "audit_aged": ("verbs root file sha256", BOOKS),
    "audit_checkpoint": ("root note frontier", BOOKS),
    "audit_entry": ("verb actor subject agent region segment account request body", SEALED),
    "audit_cosignature": ("witness line", BOOKS),
    "audit_key": ("vkey", BOOKS),
    "audit_leaf": ("hash", BOOKS),
    "audit_legal_hold": ("kind key reason actor", WHY + ", or is held; it names people by hash"),
    "audit_legal_release": ("reason actor", WHY + ", or is held; it names people by hash"),
    "audit_outlet": ("target error", BOOKS),
    "audit_person_key": ("person key", "the key itself: erasure deletes it"),
    "audit_retention": ("rules actor reason", WHY),
    "audit_term": ("term hits", "words of entries, and never of what is sealed in them"),
    "audit_tile": ("hashes root", BOOKS),
    "audit_verified": ("first", BOOKS),
    "auth_group": ("name", BOOKS),
    "auth_permission": ("name codename", BOOKS),
    "axes_accessattempt": ("user_agent ip_address username http_accept path_info get_data post_data", PEOPLE),
    "axes_accessfailurelog": ("user_agent ip_address username http_accept path_info", PEOPLE),
    "axes_accesslog": ("user_agent ip_address username http_accept path_info session_hash", PEOPLE),
    "django_content_type": ("app_label model", BOOKS),
    "django_migrations": ("app name", BOOKS),
    "django_session": ("session_key session_data", PEOPLE),
    "guardian_groupobjectpermission": ("object_pk", BOOKS),
    "guardian_userobjectpermission": ("object_pk", BOOKS),
    "mfa_authenticator": ("type data", PEOPLE),
    "socialaccount_socialaccount": ("provider uid extra_data", PEOPLE),
    "socialaccount_socialapp": ("provider provider_id name client_id secret key settings", CONFIGURED),
    "socialaccount_socialtoken": ("token token_secret", PEOPLE),
    "usersessions_usersession": ("ip session_key user_agent data", PEOPLE),
}
"""Table → its columns that can hold words, and why erasure leaves them. A table may also be in CLEARED or SCRUBBED."""
