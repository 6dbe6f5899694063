"""Changes that people make to the nouns: validated, made and entered in the record in one transaction each."""
