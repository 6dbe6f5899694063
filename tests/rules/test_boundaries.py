import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rules.boundaries import Facts, clause_words, compile_policy
from agents.rules.errors import SpecError
from agents.rules.scopes import covers, lineage

FACTS = Facts(play="call", region="emea/de", segment="enterprise", confidence_pct=80, risk="low", stage="autonomous")


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
