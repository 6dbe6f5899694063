import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rules.boundaries import Facts, clause_words, compile_policy
from agents.rules.errors import SpecError
from agents.rules.scopes import covers, lineage

FACTS = Facts(play="call", region="emea/de", segment="enterprise", confidence_pct=80, risk="low", stage="autonomous")
KIM, LEE = "a" * 32, "b" * 32
EVENING = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)


def decide(clauses, more=None, **facts):
    return compile_policy({"clauses": clauses, **(more or {})}).decide(dataclasses.replace(FACTS, **facts))


def said(clauses, **facts):
    decision = decide(clauses, **facts)
    return decision.verdict, decision.clause


ALONE = {"id": "a", "say": "alone"}


def test_deny_by_default():
    assert said([]) == ("never", "default")
    assert said([{**ALONE, "plays": ["mail"]}]) == ("never", "default")


def test_never_beats_ask_beats_alone_in_any_order():
    ask, never = {"id": "q", "say": "ask"}, {"id": "n", "say": "never"}
    assert said([ALONE, ask, never]) == ("never", "n")
    assert said([ALONE, ask]) == ("ask", "q")
    assert said([ALONE, {**ALONE, "id": "b"}]) == ("alone", "a")


@pytest.mark.parametrize(
    ("part", "fitting", "other"),
    [
        ({"plays": ["call", "mail"]}, {"play": "mail"}, {"play": "gift"}),
        ({"regions": ["emea"]}, {"region": "emea/uk"}, {"region": "amer"}),
        ({"regions": ["emea/de"]}, {"region": "emea/de/by"}, {"region": "emea"}),
        ({"regions": ["em"]}, {"region": "em/x"}, {"region": "emea/de"}),
        ({"segments": ["enterprise"]}, {"segment": "enterprise/strategic"}, {"segment": "smb"}),
        ({"min_confidence": 70}, {"confidence_pct": 70}, {"confidence_pct": 69}),
        ({"below_confidence": 70}, {"confidence_pct": 69}, {"confidence_pct": 70}),
        ({"max_risk": "medium"}, {"risk": "medium"}, {"risk": "high"}),
        ({"max_risk": "medium"}, {"risk": "low"}, {"risk": "unheard of"}),
        ({"min_risk": "medium"}, {"risk": "medium"}, {"risk": "low"}),
        ({"accounts": ["acme", "globex"]}, {"account": "globex"}, {"account": "Acme"}),
        ({"people": [KIM]}, {"person": KIM}, {"person": LEE}),
        ({"people": [KIM]}, {"person": KIM}, {"person": ""}),
        ({"reversible": True}, {"reversible": True}, {"reversible": False}),
        ({"reversible": False}, {"reversible": False}, {"reversible": True}),
        ({"min_value": 50, "currency": "EUR"}, {"value": 50, "currency": "EUR"}, {"value": 49.9, "currency": "EUR"}),
        ({"above_value": 50, "currency": "EUR"}, {"value": 50.1, "currency": "EUR"}, {"value": 50, "currency": "EUR"}),
        ({"max_value": 50, "currency": "EUR"}, {"value": 50, "currency": "EUR"}, {"value": 50.1, "currency": "EUR"}),
        ({"max_value": 50, "currency": "EUR"}, {"value": 50, "currency": "EUR"}, {"value": 5, "currency": "USD"}),
        ({"max_value": 50, "currency": "EUR"}, {"value": 50, "currency": "EUR"}, {"value": None, "currency": "EUR"}),
        ({"hours": ["18:00", "08:00"]}, {"at": EVENING, "zone": "Europe/Berlin"}, {"at": EVENING, "zone": "UTC"}),
        ({"days": ["fri"]}, {"at": EVENING, "zone": "UTC"}, {"at": EVENING, "zone": "Asia/Tokyo"}),
        ({"days": ["fri"]}, {"at": EVENING, "zone": "UTC"}, {"at": EVENING, "zone": ""}),
        ({"when": "fields.seats > 5"}, {"fields": {"seats": 6}}, {"fields": {}}),
    ],
)
def test_what_a_clause_names(part, fitting, other):
    clauses = [{**ALONE, **part}]
    assert said(clauses, **fitting) == ("alone", "a")
    assert said(clauses, **other) == ("never", "default")


@pytest.mark.parametrize("nothing", [None, "", "unassigned"])
@pytest.mark.parametrize("scope", ["region", "segment"])
def test_unassigned_never_acts_alone(nothing, scope):
    assert said([ALONE], **{scope: nothing}) == ("ask", "unassigned")
    assert said([{"id": "n", "say": "never"}], **{scope: nothing}) == ("never", "n")
    assert said([{"id": "q", "say": "ask"}], **{scope: nothing}) == ("ask", "q")
    assert said([ALONE, {"id": "n", "say": "never", f"{scope}s": ["unassigned"]}], **{scope: nothing}) == ("never", "n")
    assert said([{**ALONE, f"{scope}s": ["emea", "enterprise"]}], **{scope: nothing}) == ("never", "default")


UNTOLD = [
    ({"min_value": 50, "currency": "EUR"}, {"value": None}, "the value in EUR"),
    ({"max_value": 50, "currency": "EUR"}, {"value": 5, "currency": "USD"}, "the value in EUR"),
    ({"hours": ["18:00", "08:00"]}, {"at": None, "zone": "UTC"}, "the hour there"),
    ({"days": ["sun"]}, {"at": EVENING, "zone": "Mars/Olympus"}, "the hour there"),
    ({"when": "fields.seats > 5"}, {"fields": {}}, "what its expression reads"),
    ({"when": "1 / 0 == 1"}, {}, "what its expression reads"),
]


@pytest.mark.parametrize(("part", "facts", "what"), UNTOLD)
def test_what_cannot_be_told_counts_against_acting_alone(part, facts, what):
    assert said([{**ALONE, **part}], **facts) == ("never", "default")
    assert said([ALONE, {"id": "q", "say": "ask", **part}], **facts) == ("ask", "q")
    assert said([ALONE, {"id": "n", "say": "never", **part}], **facts) == ("never", "n")
    why = decide([{"id": "q", "say": "ask", **part}], **facts).why
    assert why.endswith(f": {what} is not known, so it counts as fitting")
    elsewhere = {"id": "n", "say": "never", "accounts": ["acme"], **part}
    assert said([ALONE, elsewhere], **facts) == ("alone", "a")


def test_of_several_that_ask_the_one_that_needs_most_people_wins():
    one, two, three = ({"id": f"q{n}", "say": "ask", "approvers": n} for n in (1, 2, 2))
    decision = decide([one, {**two, "id": "first", "editable": ["subject"]}, three])
    assert (decision.clause, decision.approvers, decision.editable) == ("first", 2, ("subject",))
    assert decide([ALONE], stage="supervised").approvers == 1
    assert decide([one]).editable == ()


def test_a_policy_knows_whether_the_gate_must_ask_again():
    for part, timely, reads in (
        ({"plays": ["call"]}, False, False),
        ({"days": ["fri"]}, True, False),
        ({"people": [KIM]}, True, False),
        ({"when": "value > 5"}, True, True),
    ):
        policy = compile_policy({"clauses": [{**ALONE, **part}]})
        assert (policy.timely, policy.reads_fields) == (timely, reads)
    assert policy.clause("a").when.text == "value > 5"
    assert policy.clause("default") is None


def test_stages():
    assert said([ALONE], stage="draft") == ("never", "stage:draft")
    assert said([ALONE], stage="retired") == ("never", "stage:retired")
    assert said([ALONE], stage="no such stage") == ("never", "stage:draft")
    assert said([ALONE], stage="supervised") == ("ask", "stage:supervised")
    assert said([ALONE], stage="supervised", region=None) == ("ask", "unassigned")
    assert said([{"id": "n", "say": "never"}], stage="supervised") == ("never", "n")
    shadow = decide([ALONE], stage="shadow")
    assert (shadow.verdict, shadow.clause, shadow.shadow) == ("alone", "a", True)
    assert decide([ALONE]).shadow is False


def test_a_signal_too_old_is_not_acted_on():
    more = {"max_signal_age_minutes": 60}
    assert decide([ALONE], more, age_minutes=60).verdict == "alone"
    old = decide([ALONE], more, age_minutes=61)
    assert (old.verdict, old.clause) == ("never", "stale")
    assert "61 minutes old" in old.why


def test_the_decision_says_why_in_words():
    clause = {
        "id": "c1",
        "say": "ask",
        "plays": ["mail", "call"],
        "regions": ["emea"],
        "segments": ["smb", "enterprise"],
        "below_confidence": 85,
        "max_risk": "medium",
        "note": "until the spring",
    }
    words = "call or mail in emea for enterprise or smb, confidence below 85 %, medium risk or less"
    assert clause_words(clause) == words
    assert decide([clause]).why == f"Asks: {words} (until the spring)"
    assert clause_words({"id": "x", "say": "never"}) == "any play"
    assert clause_words({"id": "x", "say": "alone", "regions": ["emea"]}, {"emea": "EMEA"}) == "any play in EMEA"
    strategic = {
        "id": "x",
        "say": "ask",
        "accounts": ["acme"],
        "people": [KIM, LEE],
        "above_value": 5000,
        "max_value": 90000.5,
        "currency": "EUR",
        "reversible": False,
        "hours": ["18:00", "08:00"],
        "days": ["sat", "fri"],
        "when": "fields.seats > 5",
        "approvers": 2,
        "editable": ["text", "subject"],
    }
    assert clause_words(strategic) == (
        "any play at acme to 2 people on its list, value above 5,000 up to 90,000.5 EUR, can't be taken back, "
        "from 18:00 to 08:00 on Fri, Sat where the recipient is, when fields.seats > 5, 2 people must say yes, "
        "who may edit subject, text"
    )
    between = {"id": "x", "say": "ask", "min_confidence": 50, "below_confidence": 70, "min_risk": "high"}
    assert clause_words(between) == "any play, confidence from 50 % to below 70 %, high risk"


def test_limits_are_read():
    spec = {
        "clauses": [],
        "limits": {"hourly": 20, "daily": None},
        "contact_lock_hours": 36.5,
        "max_signal_age_minutes": 60,
        "failure_rate_window": 12,
    }
    limits = compile_policy(spec).limits
    assert (limits.hourly, limits.daily, limits.contact_lock_hours) == (20, None, 36.5)
    assert (limits.max_signal_age_minutes, limits.failure_rate_window) == (60, 12)
    assert compile_policy({"clauses": [], "limits": {"hourly": 0}}).limits.hourly == 0
    spec = {
        "clauses": [],
        "limits": {"account_daily": 2, "person_daily": 1},
        "budget": {"daily": 9.5, "monthly": 100},
        "quiet_hours": [{"hours": ["20:00", "08:00"]}, {"days": ["sun"]}],
    }
    limits = compile_policy(spec).limits
    assert (limits.account_daily, limits.person_daily) == (2, 1)
    assert (limits.budget_daily, limits.budget_monthly) == (9.5, 100)
    assert [str(hours) for hours in limits.quiet] == ["from 20:00 to 08:00", "on Sun"]


def test_every_fault_is_listed_with_its_place():
    spec = {
        "clauses": [
            {"id": "c1", "say": "maybe", "plays": [], "regions": ["atlantis"], "min_confidence": 0.7},
            {"id": "default", "say": "ask", "min_confidence": 80, "below_confidence": 80},
            {"id": "ok", "say": "ask", "segments": ["unassigned"]},
            {"id": "ok", "say": "ask", "max_risk": "extreme", "colour": 1},
            {"id": "r", "say": "ask", "min_risk": "high", "max_risk": "low", "note": 3},
            None,
        ],
        "limits": {"hourly": -1, "daily": True},
        "contact_lock_hours": "long",
        "budget": 3,
    }
    with pytest.raises(SpecError) as caught:
        compile_policy(spec, plays={"call"}, regions={"emea"}, segments={"smb"})
    assert [fault.where for fault in caught.value.faults] == [
        "clauses[0].say",
        "clauses[0].plays",
        "clauses[0].regions",
        "clauses[0].min_confidence",
        "clauses[1].id",
        "clauses[1].below_confidence",
        "clauses[3].colour",
        "clauses[3].max_risk",
        "clauses[3].id",
        "clauses[4].max_risk",
        "clauses[4].note",
        "clauses[5]",
        "budget",
        "limits.hourly",
        "limits.daily",
        "contact_lock_hours",
    ]
    for spec in (None, {}, {"clauses": "all"}):
        with pytest.raises(SpecError):
            compile_policy(spec)


FAULTY = [
    ({"accounts": []}, "accounts"),
    ({"accounts": ["x"] * 5001}, "accounts"),
    ({"people": ["kim@example.com"]}, "people"),
    ({"reversible": "yes"}, "reversible"),
    ({"min_value": 5}, "currency"),
    ({"currency": "EUR"}, "currency"),
    ({"min_value": 5, "currency": "eur"}, "currency"),
    ({"min_value": "5", "currency": "EUR"}, "min_value"),
    ({"max_value": float("nan"), "currency": "EUR"}, "max_value"),
    ({"min_value": 5, "above_value": 5, "currency": "EUR"}, "above_value"),
    ({"min_value": 6, "max_value": 5, "currency": "EUR"}, "max_value"),
    ({"above_value": 5, "max_value": 5, "currency": "EUR"}, "max_value"),
    ({"hours": ["18:00"]}, "hours"),
    ({"hours": ["18:00", "18:00"]}, "hours"),
    ({"hours": ["24:00", "08:00"]}, "hours"),
    ({"hours": "18:00-08:00"}, "hours"),
    ({"days": []}, "days"),
    ({"days": ["Mon"]}, "days"),
    ({"when": "vlaue > 5"}, "when"),
    ({"when": 5}, "when"),
    ({"approvers": 0}, "approvers"),
    ({"approvers": True}, "approvers"),
    ({"approvers": 6}, "approvers"),
    ({"editable": []}, "editable"),
    ({"editable": ["a b"]}, "editable"),
    ({"say": "alone", "approvers": 2}, "approvers"),
    ({"say": "never", "editable": ["subject"]}, "editable"),
]


@pytest.mark.parametrize(("part", "where"), FAULTY)
def test_a_clause_that_means_nothing_is_a_fault(part, where):
    with pytest.raises(SpecError) as caught:
        compile_policy({"clauses": [{"id": "q", "say": "ask", **part}]})
    assert [fault.where for fault in caught.value.faults] == [f"clauses[0].{where}"]
    assert all(fault.mend for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"limits": {"weekly": 1}}, "limits"),
        ({"limits": {"person_daily": 1.5}}, "limits.person_daily"),
        ({"budget": {"daily": -1}}, "budget.daily"),
        ({"budget": 5}, "budget"),
        ({"quiet_hours": {"hours": ["20:00", "08:00"]}}, "quiet_hours"),
        ({"quiet_hours": [{}]}, "quiet_hours[0]"),
        ({"quiet_hours": [{"hours": ["20:00", "20:00"]}]}, "quiet_hours[0].hours"),
        ({"quiet_hours": [{"hours": ["20:00", "08:00"]}, {"hours": ["08:00", "20:00"]}]}, "quiet_hours"),
    ],
)
def test_limits_that_mean_nothing_are_faults(more, where):
    with pytest.raises(SpecError) as caught:
        compile_policy({"clauses": [], **more})
    assert [fault.where for fault in caught.value.faults] == [where]


maybe = st.none()
clauses = st.lists(
    st.fixed_dictionaries(
        {
            "say": st.sampled_from(["alone", "ask", "never"]),
            "plays": maybe | st.lists(st.sampled_from(["call", "mail"]), min_size=1),
            "regions": maybe | st.lists(st.sampled_from(["emea", "emea/de", "amer", "unassigned"]), min_size=1),
            "segments": maybe | st.lists(st.sampled_from(["smb", "enterprise"]), min_size=1),
            "min_confidence": maybe | st.integers(0, 50),
            "below_confidence": maybe | st.integers(51, 100),
            "max_risk": maybe | st.sampled_from(["low", "medium", "high"]),
        }
    ),
    max_size=6,
)
actions = st.builds(
    Facts,
    play=st.sampled_from(["call", "mail", "gift"]),
    region=st.sampled_from([None, "emea", "emea/de", "amer"]),
    segment=st.sampled_from([None, "smb", "enterprise"]),
    confidence_pct=st.integers(0, 99),
    risk=st.sampled_from(["low", "medium", "high"]),
    stage=st.just("autonomous"),
)


@given(clauses, actions)
def test_a_slow_and_obvious_evaluator_agrees(parts, facts):
    def applies(clause):
        scopes = {"regions": facts.region, "segments": facts.segment}
        for name, code in scopes.items():
            if clause[name] is not None:
                above = [code or "unassigned"]
                while "/" in above[-1]:
                    above.append(above[-1].rsplit("/", 1)[0])
                if not set(above) & set(clause[name]):
                    return False
        if clause["plays"] is not None and facts.play not in clause["plays"]:
            return False
        if clause["min_confidence"] is not None and facts.confidence_pct < clause["min_confidence"]:
            return False
        if clause["below_confidence"] is not None and facts.confidence_pct >= clause["below_confidence"]:
            return False
        order = ["low", "medium", "high"]
        return clause["max_risk"] is None or order.index(facts.risk) <= order.index(clause["max_risk"])

    parts = [{"id": f"c{i}", **part} for i, part in enumerate(parts)]
    expected = ("never", "default")
    for verdict in ("alone", "ask", "never"):
        fitting = [c["id"] for c in parts if c["say"] == verdict and applies(c)]
        if fitting:
            expected = (verdict, fitting[0])
    if expected[0] == "alone" and not (facts.region and facts.segment):
        expected = ("ask", "unassigned")
    decision = compile_policy({"clauses": parts}).decide(facts)
    assert (decision.verdict, decision.clause) == expected


def test_scopes():
    assert lineage("emea/de/by") == ("emea", "emea/de", "emea/de/by")
    assert lineage(None) == lineage("") == ("unassigned",)
    assert covers("emea", "emea/de")
    assert not covers("emea/de", "emea")
    assert not covers("em", "emea")
