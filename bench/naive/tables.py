"""Make the naive app's tables, rules and plays in an empty database. `python -m bench.naive.tables`"""

from bench import work
from bench.naive.app import MODELS, Play, Rule, connection


def make() -> None:
    """In the database of DATABASE_URL."""
    with connection.schema_editor() as editor:
        for model in MODELS:
            editor.create_model(model)
    Rule.objects.bulk_create(Rule(name=criterion["key"]) for criterion in work.SCORECARD["criteria"])
    Play.objects.bulk_create(Play(slug=slug) for slug in work.PLAYS)


if __name__ == "__main__":
    make()
