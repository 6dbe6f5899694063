"""Expressions for `when`, made at random from a little grammar: true, false, failing, and neither true nor false."""

from random import Random

ATOMS = (
    *("true", "false", "reversible", "!reversible", "fields.vip", "fields.vip == true", "!fields.vip", "fields.plan"),
    *('play == "intro"', 'play != "invite"', 'play.startsWith("in")', 'account.endsWith(".example")', "account != ''"),
    *('risk == "high"', 'risk in ["", "critical", "none"]', "fields.seats + 1.0 > 100.0", "fields.seats * 1.0 < 0.0"),
    *('person == ""', "size(person) == 32", 'risk == "low"', 'risk in ["low", "medium"]', 'risk == "Low"'),
    *('region == "unassigned"', 'region.startsWith("emea")', 'region in ["emea", "emea/de", "apac"]'),
    *(
        'segment == "unassigned"',
        'segment != "smb"',
        'segment.matches("^enter")',
        'currency == "EUR"',
        'currency == ""',
    ),
    *("confidence > 50", "confidence <= 98", "confidence % 2 == 0", "confidence / 2 >= 25", "confidence + 1 > 99"),
    *(
        "100 / (confidence - 50) > 3",
        "100 % confidence == 1",
        "value > 5000",
        "value >= 5000.0",
        "value < 1",
        "-value < 0.0",
    ),
    *(
        "value == null",
        "value != null && value > 5000.0",
        "value * 2.0 > 10000.0",
        "value * 2 > 10000",
        "value + 0.5 > 1.0",
    ),
    *("value == 5000", "value in [0, 1, 5000]", "age_minutes < 60", "age_minutes <= 60.0", "age_minutes + 1 > 2"),
    *("age_minutes / 2.0 < 30.0", "hour >= 18", "hour < 8 || hour >= 18", "hour * 60 + minute < 150", "minute == 0"),
    *('weekday == "mon"', 'weekday in ["sat", "sun"]', '!(weekday in ["sat", "sun"])', 'hour == 2 && weekday == "sun"'),
    *(
        "fields.seats > 100",
        "fields.seats > 100.0",
        "fields.seats == 100",
        "fields.seats + 1 > 100",
        "fields.seats * 2 > 100",
    ),
    *("fields.seats + 1 < 0", "fields.seats - 0.5 > 100.0", "100 / fields.seats >= 1", "fields['seats'] != 100"),
    *(
        "fields.seats > 9000000000000000000.0",
        'fields.seats == "100"',
        "fields.seats in [0, 100, 101]",
        "-fields.seats > 0",
    ),
    *("has(fields.seats)", "has(fields.seats) && fields.seats > 50", "!has(fields.plan)", "has(fields.plan.name)"),
    *('fields.plan == "pro"', 'fields.plan.startsWith("pro")', 'fields.plan.contains("plus")', 'fields.plan > "pro"'),
    *('fields.plan + "!" == "pro!"', '"plan" in fields', '"gone" in fields', "fields.gone", "size(fields) > 2"),
    *(
        '"new" in fields.tags',
        "1 in fields.tags",
        "2.5 in fields.tags",
        "size(fields.tags) == 2",
        "size(fields.tags) > 0",
    ),
    *('fields.tags == ["new", "big"]', "fields.tags[0] == 'new'", "fields.tags[1] == 'big'", "fields.tags[0] == 1.0"),
    *(
        'fields.tags.all(tag, tag == "big")',
        'fields.tags.exists(tag, tag == "new")',
        "fields.tags.exists(tag, tag > 2)",
    ),
    *(
        "fields.tags.all(tag, tag > 0)",
        'fields.tags.exists_one(tag, tag == "big")',
        "fields.tags.exists_one(tag, tag > 2)",
    ),
    *('size(fields.tags.filter(tag, tag == "big")) == 2', "size(fields.tags.filter(tag, tag > 1)) == 2"),
    *("2 in fields.tags.map(tag, tag + 1)", 'fields.exists(name, name == "vip")', "fields.all(name, size(name) < 5)"),
    *("double(confidence) / 100.0 > 0.5", "double(fields.seats) * 0.5 > 50.0"),
)
ODD = ("fields.plan", "fields.seats", "fields.vip", "fields.tags", "value", "reversible ? value : fields.plan")
"""What need not come to true or false."""
OFTEN = (
    'region == "unassigned"',
    'segment == "unassigned"',
    'risk in ["critical", "none", "Low"]',
    "hour == 2",
    "hour >= 1",
)
LOOPS = (".all(", ".exists(", ".exists_one(", ".map(", ".filter(")


def phrase(rng: Random) -> str:
    if rng.random() < 0.2:
        return rng.choice(ODD + OFTEN)
    made = joined(rng, rng.choice((0, 0, 0, 1, 1, 2, 3)))
    return made if sum(made.count(loop) for loop in LOOPS) <= 2 else rng.choice(ATOMS)


def joined(rng: Random, depth: int) -> str:
    if depth == 0:
        return rng.choice(ATOMS)
    one, other = joined(rng, depth - 1), joined(rng, rng.randrange(depth))
    form = rng.choice(
        (
            "({}) && ({})",
            "({}) || ({})",
            "({}) && ({})",
            "({}) || ({})",
            "!({0} && {1})",
            "({}) == ({})",
            "({}) ? ({}) : true",
        )
    )
    return form.format(one, other)
