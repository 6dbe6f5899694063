import resource
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rules.errors import SpecError
from agents.rules.templates import ADDRESS, HTML, MissingField, RenderError, compile_payload, compile_text

DOCUMENT = {
    "signal": {
        "id": "s1",
        "person": "Ana <Ito>",
        "employees": 320,
        "share": 1200.0,
        "open": True,
        "blank": "",
        "nothing": None,
        "items": [{"sku": "x"}, {"sku": "y"}],
        "tags": ["a", "b"],
        "at": "2026-11-21T09:30:00+00:00",
        "huge": "x" * 60_000,
        "long_list": list(range(1001)),
        "exact": 2**53,
    },
    "account": {"name": "Acme", "values": "own key"},
    "score": 71,
}


def text(source, **options):
    return compile_text(source, **options).render(DOCUMENT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain } text", "plain } text"),
        ("Hello {{ signal.person }}, {{ signal.employees }}\n", "Hello Ana <Ito>, 320\n"),
        ("{{ signal.open }} {{ signal.share }} {{ score }}", "true 1200 71"),
        ("{{ account.values }}", "own key"),
        ("{{ signal.person|upper }} {{ score + 1 }} {{ score / 2 }}", "ANA <ITO> 72 35.5"),
        ("{{ signal.nothing|default('there') }}{{ signal.blank|default('!') }}", "there!"),
        ("{% if signal.nothing %}a{% elif signal.open %}b{% endif %}", "b"),
        ("{{ signal.absent.deeper is defined }}", "false"),
        ("{% for item in signal['items'] %}{{ loop.index }}{{ item.sku }}{% endfor %}", "1x2y"),
        ("{{ signal.tags|join('+') }} {{ signal.tags[0] }} {{ signal.tags|length }}", "a+b a 2"),
        ("{{ signal.at|date }} {{ signal.at|date('%Y') }}", "21 November 2026 2026"),
        ("{{ signal.person|truncate(4) }} {{ signal.person[:3] }}", "Ana… Ana"),
        ("{{ signal.employees|string ~ '%' }} {{ 2.567|round(1) }}", "320% 2.6"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
    ],
)
def test_texts(source, expected):
    assert text(source) == expected


def test_html_escapes_every_field_on_both_ways():
    assert text("<b>{{ signal.person }}</b>", html=True) == "<b>Ana &lt;Ito&gt;</b>"
    assert text("<b>{{ signal.person|trim ~ '<' }}</b>", html=True) == "<b>Ana &lt;Ito&gt;&lt;</b>"
    assert text("{{ signal.tags|join('<br>') }}", html=True) == "a&lt;br&gt;b"
    with pytest.raises(SpecError):
        compile_text("{{ signal.person|safe }}", html=True)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Hi {{ signal.nick }}", "signal.nick"),
        ("Hi {{ signal.blank }}", "signal.blank"),
        ("Hi {{ signal.nothing }}", "signal.nothing"),
        ("Hi {{ owner.name }}", "owner.name"),
        ("Hi {{ owner }}", "owner"),
        ("Hi {{ signal.nick|upper }}", "signal.nick"),
        ("Hi {{ account.deep.er|upper }}", "account.deep.er"),
        ("{{ signal.employees * signal.rate }}", "signal.rate"),
        ("{% for i in signal.rows %}x{% endfor %}", "signal.rows"),
        ("{{ signal.person ~ account.nick }}", "account.nick"),
        ("{{ owner|upper }}", "owner"),
        ("{{ signal.nick|first }}", "signal.nick"),
        ("{{ signal.nick > 3 }}", "signal.nick"),
    ],
)
def test_a_missing_field_is_named_before_sending(source, name):
    with pytest.raises(MissingField) as caught:
        text(source, where="body")
    assert (caught.value.name, caught.value.where) == (name, "body")


def test_payloads_keep_types_and_places():
    payload = compile_payload(
        {
            "id": "{{ signal.id }}",
            "n": "{{ signal.employees }}",
            "more": ["{{ signal.tags }}", "{{ signal.employees + 1 }}", "n={{ signal.employees }}", 7, None, True],
            "whole": "{{ signal['items'] }}",
            "is": "{{ signal.employees >= 200 }}",
            "fixed": "as is",
        }
    )
    assert payload.render(DOCUMENT) == {
        "id": "s1",
        "n": 320,
        "more": [["a", "b"], 321, "n=320", 7, None, True],
        "whole": [{"sku": "x"}, {"sku": "y"}],
        "is": True,
        "fixed": "as is",
    }
    with pytest.raises(MissingField) as caught:
        compile_payload({"to": [{"mail": "{{ signal.email }}"}]}).render(DOCUMENT)
    assert (caught.value.name, caught.value.where) == ("signal.email", "payload.to[0].mail")


def test_a_bad_payload_lists_all_faults_with_places():
    with pytest.raises(SpecError) as caught:
        compile_payload({"a": "{{ x", "b": ["{% set y = 1 %}"], "{{ c }}": 1, "d": {"e": "{{ f() }}"}, "g": object()})
    assert [fault.where for fault in caught.value.faults] == [
        "payload",
        "payload.a",
        "payload.b[0]",
        "payload.d.e",
        "payload.g",
    ]


def test_numbers_that_json_cannot_carry_are_refused():
    with pytest.raises(RenderError, match=r"\|string"):
        compile_payload({"n": "{{ signal.exact }}"}).render(DOCUMENT)
    assert compile_payload({"n": "{{ signal.exact|string }}"}).render(DOCUMENT) == {"n": str(2**53)}


HOSTILE = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ self._TemplateReference__context }}",
    "{{ signal.__class__ }}",
    "{{ signal['__class__'] }}",
    "{{ signal.items() }}",
    "{{ (signal|attr('__class__')) }}",
    "{{ range.__globals__ }}",
    "{{ 'x'.format(signal) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ 'a' * 1000000000 }}",
    "{{ [1] * 1000000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 999999999999 * 999999999999 * 999999999999 }}",
    "{{ 1e308 * 10 }}",
    "{{ 1 / 0 }}",
    "{{ " + "9" * 10_000 + " }}",
    "{{ 5|round(-1000000000)|string|upper|nosuch }}",
    "{{ signal.at|date('%1000000000Y') }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ signal.huge|replace('x', signal.huge) }}",
    "{{ " + "~".join(["signal.huge"] * 400) + " }}",
    "{{ signal.huge }}" * 1000,
    "{% for i in range(1001) %}{% endfor %}",
    "{% for i in range(1000000000000) %}{% endfor %}",
    "{% for i in signal.long_list %}{% endfor %}",
    "{% for i in range(1000) %}{{ signal.huge }}{% endfor %}",
    "{% for i in range(1000) %}" * 3 + "{% endfor %}" * 3,
    "{% for i in signal.tags recursive %}{{ loop(signal.tags) }}{% endfor %}",
    "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "{% set x = 'a' %}" + "{% set x = x ~ x %}" * 500,
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'x' %}",
    "{{ cycler('a').__init__.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ config }}",
    "{{ dict(a=1) }}",
    "{{ {'a': 1} }}",
    "{{ signal }} in text",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "-" * 5000 + "1 }}",
    "{{ " + "+".join(["1"] * 5000) + " }}",
    "{% if signal.open %}" * 800 + "{% endif %}" * 800,
    "{{ signal" + ".a" * 5000 + " }}",
    "{{ 'a' if 1 else " * 900 + "1" + " }}",
    "{{ unclosed",
    "{% endfor %}",
    "x" * 20_001,
]


@pytest.mark.parametrize("source", HOSTILE, ids=lambda source: source[:40])
@pytest.mark.parametrize("html", [False, True])
def test_hostile_templates_are_refused_or_fail_cheaply(source, html):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    with pytest.raises((SpecError, RenderError)):
        text(source, html=html)
    if not html:
        with pytest.raises((SpecError, RenderError)):
            compile_payload({"leaf": source + " "}).render(DOCUMENT)
    assert time.perf_counter() - begun < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize(
    "expression", ["'a' * 10**9", "'%9999999999d' % 1", "signal.huge ~ signal.huge", "range(10**9)"]
)
def test_hostile_native_leaves_too(expression):
    with pytest.raises((SpecError, RenderError)):
        compile_payload({"leaf": "{{ " + expression + " }}"}).render(DOCUMENT)


def test_the_worst_that_is_allowed_ends_soon():
    source = "{% for i in range(1000) %}{% if " + " ~ ".join(["signal.huge"] * 20) + " == 'x' %}{% endif %}{% endfor %}"
    begun = time.perf_counter()
    assert text(source) == ""
    assert time.perf_counter() - begun < 5


pieces = st.lists(
    st.sampled_from(
        [
            "signal",
            ".person",
            ".items",
            "[0]",
            "|",
            "join",
            "{{",
            "}}",
            "{%",
            "%}",
            "if",
            "for x in",
            "(",
            "'",
            "~",
            " ",
            "1",
        ]
    ),
    max_size=12,
)


@given(pieces)
def test_any_text_at_all_compiles_and_renders_or_says_why(parts):
    try:
        rendered = text("".join(parts))
    except (SpecError, RenderError):
        return
    assert isinstance(rendered, str)


@given(st.text(max_size=40))
def test_what_a_signal_says_is_never_run_as_a_template(said):
    document = {"signal": {"person": "{{ 7 * 7 }}" + said}}
    assert compile_text("Hi {{ signal.person }}").render(document) == "Hi {{ 7 * 7 }}" + said
    assert compile_text("Hi {{ signal.person|default('') }}").render(document) == "Hi {{ 7 * 7 }}" + said


def test_html_members_of_a_payload_are_escaped() -> None:
    payload = compile_payload(
        {"text": "Hi {{ signal.name }}", "html": "<b>{{ signal.name }}</b>"}, escaped={"html": HTML}
    )
    made = payload.render({"signal": {"name": "<script>"}})
    assert made == {"text": "Hi <script>", "html": "<b>&lt;script&gt;</b>"}


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("/a/{{ signal.a }}/b", "/a/x%2F..%3Fy%3D1%26z%23/b"),
        ("/a?q={{ signal.a|upper }}", "/a?q=X%2F..%3FY%3D1%26Z%23"),
        ("{% if signal.a %}/a/{{ signal.a|urlencode }}{% endif %}", "/a/x%2F..%3Fy%3D1%26z%23"),
        ("/{{ signal.a ~ '/' }}", "/x%2F..%3Fy%3D1%26z%23%2F"),
        ("/{{ signal.n }}/{{ signal.n|round }}", "/2.5/2"),
        ("{{ signal.a }}", "x%2F..%3Fy%3D1%26z%23"),
    ],
)
def test_a_field_cannot_lead_out_of_its_place_in_an_address(source, path):
    payload = compile_payload({"path": source, "json": "{{ signal.a }}"}, escaped={"path": ADDRESS})
    document = {"signal": {"a": "x/..?y=1&z#", "n": 2.5}}
    assert payload.render(document) == {"path": path, "json": "x/..?y=1&z#"}


def test_a_field_that_an_address_needs_may_not_be_missing():
    for source in ("/a/{{ signal.b }}", "/a/{{ signal.b|upper }}"):
        with pytest.raises(MissingField):
            compile_payload({"path": source}, escaped={"path": ADDRESS}).render({"signal": {"b": ""}})
