"""The Inbox beyond yes and no: filters, what is in the way, several approvers, handing on, asking, putting off."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import pauses, questions
from agents.models import Agent, ContactLock, DoNotContact, Region
from agents.pauses import Section
from approvals.models import Approval, Verdict
from console import step_up
from tests import told
from tests.deciding import action_of, furnish

HTMX = {"HX-Request": "true", "HX-Target": "waiting"}
MANY = 10_000


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


def form(approval, **more):
    return {"binding": bytes(approval.binding).hex(), **more}


def text_of(client, path, **params):
    return " ".join(client.get(path, params).content.decode().split())


def copies(approval, count):
    """So many more questions like this one, each of an action of its own that nobody made."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO approvals_approval (id, subject, question, binding, agent, region, segment, risk, state, "
            "needed, editable, opened_at, warn_at, expires_at, step, editors, planted, reason, note) "
            "SELECT g.id, 'action:' || g.id, question, binding, agent, region, segment, risk, state, "
            "needed, editable, opened_at, warn_at, expires_at + n * '1 s'::interval, step, editors, planted, '', '' "
            "FROM approvals_approval p, LATERAL (SELECT gen_random_uuid() AS id, n FROM generate_series(1, %s) n) g "
            "WHERE p.id = %s",
            [count, approval.pk],
        )
        told.tell_rows(cursor, "approvals_approval")


def test_ten_thousand_waiting_cost_twelve_queries_at_most(world, client, bob):
    (one,) = world.ask()
    copies(one, MANY - 1)
    client.force_login(bob)
    client.get("/inbox")
    paths = {
        "/inbox": 25,
        "/inbox?risk=low": 25,
        f"/inbox?after={one.pk}": 25,
        "/inbox/put-off": 0,
        "/inbox/decided": 0,
    }
    for path, rows in paths.items():
        with CaptureQueriesContext(connection) as captured:
            page = client.get(path).content.decode()
        assert page.count('id="ask-') == rows, path
        assert len(captured) <= 12, [path, *(each["sql"][:120] for each in captured)]
    assert "Waiting 1,000+" in client.get("/inbox").content.decode()


def test_a_poll_for_news_costs_little_and_answers_304(world, client, bob):
    (one,) = world.ask()
    client.force_login(bob)
    params = {"seen": str(one.pk), "of": "1"}
    headers = {"HX-Request": "true", "HX-Target": "news"}
    first = client.get("/inbox", params, headers=headers)
    with CaptureQueriesContext(connection) as captured:
        again = client.get("/inbox", params, headers={**headers, "If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert len(captured) <= 5, [each["sql"][:120] for each in captured]


def test_filters_are_in_the_address_and_an_answer_keeps_them(world, client, bob):
    german, french = world.ask(2, region="emea/de"), world.ask(1, region="emea/fr", account="fr.example")
    client.force_login(bob)
    shown = client.get("/inbox", {"region": "emea/de"}).content.decode()
    assert [f"ask-{one.pk}" in shown for one in (*german, *french)] == [True, True, False]
    assert shown.count('id="ask-') == len(german)
    assert client.get("/inbox", {"region": "emea"}).content.decode().count('id="ask-') == 3
    assert "None of what waits is like that" in text_of(client, "/inbox", risk="high")
    answer = client.post(f"/inbox/{german[0].pk}/approve", form(german[0], list="?region=emea%2Fde"), headers=HTMX)
    assert [f"ask-{one.pk}" in answer.content.decode() for one in (german[1], *french)] == [True, False]
    plain = client.post(f"/inbox/{german[1].pk}/approve", form(german[1], list="?region=emea%2Fde"))
    assert plain["Location"] == "/inbox?region=emea%2Fde"


def test_the_next_question_takes_the_focus(world, client, bob):
    first, second, third = world.ask(3)
    client.force_login(bob)
    page = client.post(f"/inbox/{second.pk}/approve", form(second), headers=HTMX).content.decode()
    assert f'id="ask-{third.pk}" data-row data-select data-focus' in page
    page = client.post(f"/inbox/{third.pk}/reject", form(third, reason="other"), headers=HTMX).content.decode()
    assert f'id="ask-{first.pk}" data-row data-select data-focus' in page
    on = client.get(f"/inbox/{first.pk}", {"on": "1"}).content.decode()
    assert '<h2 tabindex="-1" autofocus>' in on
    assert "autofocus>Send" not in client.get(f"/inbox/{first.pk}").content.decode()


def test_it_links_the_clause_and_says_who_is_called_if_nobody_answers(world, client, bob):
    (one,) = world.ask()
    Agent.objects.filter(pk=world.agent.pk).update(deputy=bob)
    Approval.objects.filter(pk=one.pk).update(next_at=timezone.now() + timedelta(hours=1), step=0)
    client.force_login(bob)
    page = text_of(client, f"/inbox/{one.pk}")
    clause = one.question["clause"]
    assert f'href="/agents/{world.agent.slug}/policy/1#clause-{clause}"' in page
    assert client.get(f"/agents/{world.agent.slug}/policy/1").status_code == 200
    assert "Unanswered, Bob is called" in page
    Approval.objects.filter(pk=one.pk).update(step=1)
    assert "Unanswered, Alice is called" in text_of(client, f"/inbox/{one.pk}")


def test_it_says_what_would_hold_or_refuse_a_yes(world, client, bob, alice):
    (one,) = world.ask(region="emea/de")
    client.force_login(bob)
    assert 'class="note paused"' not in text_of(client, "/inbox")
    pause = pauses.set_pause(Section(region=Region.objects.get(code="emea")), reason="Drill", actor="cli")
    page = text_of(client, "/inbox")
    assert f'Paused: <a href="/pauses#pause-{pause.pk}">EMEA</a>' in page
    assert "Its time stands still while the pause holds." in page
    assert "stands still" in page
    pauses.lift(pause, actor="cli")
    other = Agent.objects.create(slug="other", name="Renewals", job="-", owner=alice)
    now = timezone.now()
    contact = bytes(action_of(one).contact)
    ContactLock.objects.create(
        contact=contact, agent=other, action_id=one.pk, taken_at=now, until=now + timedelta(hours=3)
    )
    page = text_of(client, "/inbox")
    assert "Renewals is in touch with this person until" in page
    assert 'class="note paused"' not in page
    DoNotContact.objects.create(contact=contact, hint="j…@acme.example", origin="person")
    assert "This person is not to be contacted: a yes is refused." in text_of(client, f"/inbox/{one.pk}")


def test_two_have_to_say_yes(world, client, bob, person):
    (one,) = world.ask()
    Approval.objects.filter(pk=one.pk).update(needed=2)
    client.force_login(bob)
    assert "0 of 2 said yes" in text_of(client, "/inbox")
    answer = client.post(f"/inbox/{one.pk}/approve", form(one), follow=True)
    assert "Your yes counts; one more person has to say yes" in " ".join(answer.content.decode().split())
    assert "Nothing waits for you" in text_of(client, "/inbox")
    assert "You have said yes; 1 more has to." in text_of(client, f"/inbox/{one.pk}")
    client.force_login(person("Dana", role="ops"))
    assert "1 of 2 said yes: Bob" in text_of(client, "/inbox")
    client.post(f"/inbox/{one.pk}/approve", form(one))
    assert action_of(one).state == "ready"


def test_handed_to_somebody_who_may_it_is_first_in_their_list(world, client, bob, charlie, person):
    first, second = world.ask(2)
    dana = person("Dana", role="ops")
    client.force_login(bob)
    page = client.get(f"/inbox/{second.pk}/hand").content.decode()
    assert f'value="{dana.pk}"' in page
    assert f'value="{charlie.pk}"' not in page, "an auditor may not answer"
    assert client.post(f"/inbox/{second.pk}/hand", {"to": charlie.pk}).status_code == 422
    answer = client.post(f"/inbox/{second.pk}/hand", {"to": dana.pk, "note": "Yours", "from": "question"})
    assert (answer.status_code, answer["Location"]) == (303, f"/inbox/{first.pk}?on=1")
    client.force_login(dana)
    page = client.get("/inbox").content.decode()
    assert page.index(f"ask-{second.pk}") < page.index(f"ask-{first.pk}")
    assert "handed to you" in page


def test_asking_and_replying_leaves_it_waiting(world, client, bob, alice):
    (one,) = world.ask()
    client.force_login(bob)
    assert client.post(f"/inbox/{one.pk}/ask", {"text": " "}).status_code == 422
    assert client.post(f"/inbox/{one.pk}/ask", {"text": "Is <b>Jo</b> the right one?"}).status_code == 303
    client.force_login(alice)
    page = client.get(f"/inbox/{one.pk}").content.decode()
    assert "Is &lt;b&gt;Jo&lt;/b&gt; the right one?" in page
    assert client.post(f"/inbox/{one.pk}/ask", {"text": "Yes, she is."}).status_code == 303
    client.force_login(bob)
    assert "Yes, she is." in client.get(f"/inbox/{one.pk}").content.decode()
    one.refresh_from_db()
    assert one.state == "waiting"
    assert [line.kind for line in one.calls.order_by("pk")] == ["queried", "replied"]


def test_put_off_it_leaves_the_list_and_comes_back(world, client, bob, alice):
    first, second = world.ask(2)
    client.force_login(bob)
    for wrong in ({"until": "soon"}, {"own": "2020-01-01T09:00"}, {"own": "x"}, {}):
        assert client.post(f"/inbox/{first.pk}/put-off", wrong).status_code == 422, wrong
    answer = client.post(f"/inbox/{first.pk}/put-off", {"until": "1h"}, headers=HTMX)
    assert f"ask-{first.pk}" not in answer.content.decode()
    assert f'id="ask-{second.pk}" data-row data-select data-focus' in answer.content.decode()
    assert "Put off 1" in text_of(client, "/inbox")
    assert first.question["person"] in text_of(client, "/inbox/put-off")
    client.force_login(alice)
    assert f"ask-{first.pk}" in text_of(client, "/inbox"), "others see it as before"
    client.force_login(bob)
    assert client.post(f"/inbox/{first.pk}/back").status_code == 303
    assert f"ask-{first.pk}" in text_of(client, "/inbox")


def test_bulk_says_what_became_of_each_and_is_undone_at_once(world, client, bob, person):
    asked = world.ask(4)
    dana = person("Dana", role="ops")
    questions.reject(asked[0].pk, person=dana, binding=bytes(asked[0].binding), reason="other")
    picks = [f"{one.pk}:{bytes(one.binding).hex()}" for one in asked[:3]]
    client.force_login(bob)
    page = " ".join(client.post("/inbox/approve", {"pick": picks}, headers=HTMX).content.decode().split())
    assert "2 approved, of 3 picked." in page
    assert "Already rejected by Dana." in page
    ids = [str(one.pk) for one in asked[1:3]]
    back = client.post("/inbox/take-back", {"id": ids}, headers=HTMX)
    assert "2 taken back: nothing is sent." in back.content.decode()
    assert [action_of(one).state for one in asked] == ["rejected", *[action_of(asked[1]).state] * 2, "waiting"]
    assert action_of(asked[1]).state != "ready"
    assert client.post("/inbox/approve", {}).status_code == 422


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [({"looked": "4000"}, 4000, 6000), ({"shown": "9"}, 9000, 11_000), ({"looked": "-1", "shown": "x"}, 0, 4e6),
     ({"looked": "9" * 30}, 0, 4e6)],
)  # fmt: skip
def test_it_is_known_how_long_the_person_could_look(world, client, bob, given, least, most):
    (one,) = world.ask()
    Approval.objects.update(opened_at=timezone.now() - timedelta(hours=1))
    client.force_login(bob)
    if given.get("shown") == "9":
        given = {"shown": str(int(timezone.now().timestamp() * 1000) - 9000)}
    assert client.post(f"/inbox/{one.pk}/approve", form(one, **given)).status_code == 303
    assert least <= Verdict.objects.get(approval=one).took_ms <= most


def test_at_high_risk_a_yes_wants_a_fresh_step_up(world, client, person):
    (one,) = world.ask()
    Approval.objects.filter(pk=one.pk).update(risk="high")
    client.force_login(person("Dana", role="rep"))
    session = client.session
    session["account_authentication_methods"] = []
    session.pop(step_up.SIGNED_IN, None)
    session.save()
    answer = client.post(f"/inbox/{one.pk}/approve", form(one))
    assert answer.status_code == 303
    assert answer["Location"].startswith("/confirm"), answer["Location"]
    assert f"inbox%2F{one.pk}" in answer["Location"]
    one.refresh_from_db()
    assert one.state == "waiting"
    assert client.post(f"/inbox/{one.pk}/reject", form(one, reason="other")).status_code == 303, "a no wants none"
