"""
Every noun: the tables that hold what people and programs change, and by what name the record speaks of their rows.

By this list audit.require's triggers refuse a commit that changes a row of `NOUNS` without an entry under that name;
a change of it takes force by a migration. What else there is stands in `EXEMPT`, with why nothing is said of it.
"""

from audit.require import Noun

DEMO = "'workspace:demo'"
"""Removing the demo workspace tells of its history at once, in numbers; of each noun that goes it tells by name."""


def _of(table: str, column: str, key: str) -> str:
    """The key of the row that `column` points at."""
    return f"(select {key} from public.{table} where id = row.{column})"  # noqa: S608


def _question(column: str = "approval_id") -> str:
    """What is asked about, such as action:<uuid>; a planted question is named by itself."""
    subject = "case when planted then 'approval:' || id else subject end"
    return f"(select {subject} from public.approvals_approval where id = row.{column})"  # noqa: S608


_AGENT = _of("agents_agent", "agent_id", "slug")
_PLAY = _of("agents_play", "play_id", "slug")
_VERSION = _of("agents_policy", "policy_id", "version")
"""Of the boundaries in force: publishing them tells of the agent that obeys them from then on."""
_CONTACT = "'contact:' || encode(row.contact, 'hex')"

REGISTRY = (
    Noun("agents_agent", "agent", "row.slug", among=f"'policy:' || row.slug || '@' || {_VERSION}"),
    Noun("agents_metric", "agent", _AGENT),
    Noun("agents_policy", "policy", f"{_AGENT} || '@' || row.version"),
    Noun("agents_policyproposal", "proposal", gone=DEMO),
    Noun("agents_play", "play", "row.slug"),
    Noun("agents_playversion", "play", _PLAY),
    Noun("agents_region", "region", "row.code"),
    Noun("agents_segment", "segment", "row.code"),
    Noun("agents_connection", "connection", "row.slug", beside=("last_ok_at", "last_failed_at", "last_error")),
    Noun("agents_source", "source", "row.slug"),
    Noun("agents_route", "route", gone=DEMO),
    Noun("agents_pause", "pause", beside=("quiet_at", "told_at")),
    Noun("agents_incident", "incident", beside=("count", "last_at", "next_page_at", "pages_sent"), gone=DEMO),
    Noun("agents_page", "incident", "row.incident_id", gone=DEMO),
    Noun("agents_donotcontact", "contact", "encode(row.contact, 'hex')", gone=DEMO),
    Noun("agents_deadletter", "signal", gone=DEMO),
    Noun("agents_grant", "person", "row.user_id", beside=("told_at",), gone=DEMO),
)
GROWING = (
    Noun("agents_signal", "signal", only={"state": "old.state is distinct from new.state and new.state <> 'done'"},
         among=_CONTACT, gone=DEMO),
    Noun("agents_run", "run", among=_CONTACT, gone=DEMO),
    Noun("agents_action", "action", born="'run:' || row.run_id", among=_CONTACT, gone=DEMO),
    Noun("agents_attempt", "action", "row.action_id", gone=DEMO),
    Noun("agents_hold", "action", "row.action_id", beside=("let_go_at",), gone=DEMO),
    Noun("agents_outcome", "outcome", gone=DEMO),
)  # fmt: skip
QUESTIONS = (
    Noun("approvals_approval", "", "case when row.planted then 'approval:' || row.id else row.subject end",
         beside=("step", "next_at"), gone=DEMO),
    *(Noun(f"approvals_{said}", "", _question(), gone=DEMO)
      for said in ("verdict", "edit", "message", "snooze", "call")),
    Noun("approvals_planting", "agent", "row.agent", gone=DEMO),
)  # fmt: skip
PEOPLE = (
    Noun("approvals_person", "person", beside=("last_login",)),
    Noun("approvals_person_groups", "person", "row.person_id"),
    Noun("approvals_person_user_permissions", "person", "row.person_id"),
    Noun("approvals_apitoken", "token", beside=("last_used_at",), gone="'person:' || row.person_id"),
    Noun("approvals_signinrules", "", "'sign-in:rules'::pg_catalog.text"),
    Noun("mfa_authenticator", "person", "row.user_id", beside=("last_used_at",),
         only={"data": "(old.data - 'last_step') is distinct from (new.data - 'last_step')"}),
    Noun("socialaccount_socialaccount", "person", "row.user_id", beside=("last_login", "extra_data")),
    Noun("socialaccount_socialapp", "provider", "row.provider_id"),
    Noun("socialaccount_socialtoken", "", "(select 'person:' || user_id from public.socialaccount_socialaccount "
         "where id = row.account_id)"),
    Noun("account_emailaddress", "person", "row.user_id"),
    Noun("account_emailconfirmation", "", "(select 'person:' || user_id from public.account_emailaddress "
         "where id = row.email_address_id)"),
    Noun("guardian_userobjectpermission", "person", "row.user_id"),
    Noun("guardian_groupobjectpermission", "group", "row.group_id"),
    Noun("auth_group", "group"),
    Noun("auth_group_permissions", "group", "row.group_id"),
)  # fmt: skip
AGEING = (
    Noun("audit_retention", "retention", "row.version"),
    Noun("audit_legal_hold", "legal_hold"),
    Noun("audit_legal_release", "legal_hold", "row.hold"),
)
NOUNS = (*REGISTRY, *GROWING, *QUESTIONS, *PEOPLE, *AGEING)
BY_TABLE = {noun.table: noun for noun in NOUNS}

EXEMPT = {
    "agents_account": "the sum of what its signals and runs say, folded under a lock; their entries tell it",
    "agents_contactlock": "a lock that the gate takes with a permission, whose entry names the person and the agent",
    "agents_counter": "how much of an allowance the gate has given out; each permission has its entry",
    "agents_policydraft": "what one person has typed and nothing obeys; proposing or publishing it has its entry",
    "agents_revision": "a number by which processes know that what they keep in memory is old",
    "agents_seen": "the ids of what was received, hashed, so that nothing is received twice",
    "approvals_notice": "a mail under way; once it has gone, its person's entry tells of it",
    "approvals_told": "which lines a mail had, so that nothing is mailed twice",
    "audit_aged": "what went from the record by rule; the entry of that is part of its row",
    "audit_block": "an index of the record's words, made again at any time",
    "audit_checkpoint": "the record: what the sealer signed",
    "audit_cosignature": "the record: what witnesses signed beneath",
    "audit_entry": "the record itself",
    "audit_key": "the record: the keys it was signed with; following another has its entry",
    "audit_leaf": "the record: the numbers of the entries",
    "audit_outlet": "how far checkpoints were written outside",
    "audit_pending": "which entries wait to be sealed",
    "audit_person_key": "keys made with a person's first entry; destroying one wants its entry by a trigger of its own",
    "audit_term": "an index of the record's words, made again at any time",
    "audit_tile": "the record: what proofs are made from",
    "audit_verified": "when the record was last found to be whole; a failure is an incident",
    "auth_permission": "the names of Django's permissions, made by migrations",
    "axes_accessattempt": "wrong tries being counted; a lock has its entry",
    "axes_accessattemptexpiration": "when such a count is over",
    "axes_accessfailurelog": "wrong tries, kept for a while",
    "axes_accesslog": "tries, kept for a while",
    "django_content_type": "the names of Django's models, made by migrations",
    "django_migrations": "which migrations ran",
    "django_session": "what a browser holds a key to; signing in and out have their entries",
    "usersessions_usersession": "the list of those sessions; ending one has its entry",
}
"""Table → why changing it needs no entry. Of the record's own, most only grow, guarded by triggers of their own."""
